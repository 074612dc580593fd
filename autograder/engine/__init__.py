"""What an exercise is, and what is said of an answer to it.

From what is asked to what is said:

    course         the course whose exercises are checked: one object that the engine is given
    broken_course  what is wrong with its own data, for its author to mend
    exercise       what an exercise consists of: properties, probes, mistakes, hints
    promises       properties that almost every exercise has
    mistake_files  what goes wrong, as it is written down: diffs, with words
    diffs          finds a diff's lines in the model answer, or says why they are not there
    diff_writer    writes a change of the model answer as such a diff
    statements     Python without its spaces: what statements mean, and which words they consist of
    spans          the smallest parts that change, so that mistakes can be made together
    drawing        draws random inputs from a seed
    dtypes         which numbers can be compared, and what becomes of the others
    trial          runs an implementation on drawn inputs, and notes what came of it
    isolation      whatever that code changes around it is put back
    limits         how long it may take, and how much memory
    pieces         stand-bys for missing pieces, the same at home and in class; who called whom
    ready_made     which ready-made functions ran
    subject        the implementation that is examined, wherever its code lives
    compare        is that the expected answer, and if not, in which respect?
    mistakes       wrong implementations: the reference with a mistake made
    exam           the questions that a seed draws, and what model answer and mistakes answer
    diagnose       which of them gives the learner's answers?
    consequences   ... but for what follows from it in code that is written in another way
    pairs          two of them, neither of which is to be recognised alone
    sealed         the same where mistakes are to be recognised, and not to be read
    likeness       what an answer that bears no name looks like, in a few numbers
    examples       what is said of a mistake, with the numbers of an example
    symptoms       words for wrong answers of no known kind
    kinds          what kind of mistake is it? asks again, with something changed
    advice         what to do about exceptions whose cause is known
    learner_lines  the learner's own lines: where an error was raised
    repairs        which small change of them makes everything right?
    broken         which promises are broken, and of which is nothing known
    told           what a learner is told of it
    examine        all of that for one implementation, up to a verdict
    verdict        points, diagnosis and explanation, as data and as text
    card           the same as HTML
    files          learners' files: which exercises one defines, and loading it
"""
