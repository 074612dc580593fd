"""Which small change of the learner's own lines makes everything right?

Found, it proves where the mistake is, and that there is no other one.

    own_code      the definitions that an answer consists of, as a syntax tree
    mend          one small change of such a tree, made and undone
    nodes         small things about the nodes of a syntax tree
    places        an expression, where it stands, and what can be spoken of there
    instead       what could stand in its place
    everyday      the changes that mend what everybody gets wrong now and then
    ways          how a mistake differs from the model answer, as trees
    side_by_side  the model answer and a learner's code: what stands for which name
    backwards     the changes that undo a known mistake
    search        tries them until every probe is right
    forwards      carries one over to the model answer, so that it becomes a known mistake
    proof         which are tried in which order, and so where the mistake is
    naming        which known mistake it is, where only the change tells
    apart         in a process of its own, for such a change may do anything
"""
