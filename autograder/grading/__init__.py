"""Grading a class: learners' cells in a sandbox, a judge outside, nbgrader around it.

THEORY OF OPERATION

Learners' code must be run, and can't be trusted. So it runs in a process that holds nothing worth
having, and everything that decides happens elsewhere: what a cell prints, returns or claims is an
answer to a question, never a verdict.

The processes, from the one you started to the one in which learners' code runs:

    leader   `autograder grade` or `nbgrader autograde`. Reads what was handed in, and is the only
             one that opens the gradebook and writes files and records.
    member   has a judge, with the model answers and what known mistakes answer. Gets a submission's
             paths through a pipe, and sends back texts, points and a record. One per processor, a
             fork of the leader (off Linux a process of its own); with few submissions, one
             processor or nbgrader's own command it is the leader itself. With `--scheduler` it is
             a worker of a Dask cluster, which sees the same files and has a zygote of its own.
    zygote   one for all of them, a fresh Python started before anything else: it has torch
             imported, has computed nothing, and never sees checks, model answers, gradebook or
             key. It leaves the file system, network and process names behind where it may, takes
             a filter of system calls, and then only forks.
    warden   its fork, one per box. Waits for the child, ends it when told to or when its time or
             disk is used up, and says how it ended.
    child    the warden's fork: shuts itself in for good (Landlock, limits, the filter), then runs
             cells and answers trials until the judge hangs up.

The sockets:

    member ↔ zygote   one socket of whole messages, shared by all members. A message asks for a box,
                      and carries the far ends of the two below.
    judge ↔ child     requests and replies, numbered. Frames of JSON and bytes of known types,
                      with a limit on their size (`sandbox.wire`); nothing is unpickled.
    judge ↔ warden    the child's number, and at its end: exit code, seconds, memory. When the judge
                      shuts its end, the warden ends the child.

A notebook is run from top to bottom, once. Where a check stands, the judge sends all trials of the
exercise at once and compares the answers itself; only if something is wrong does it ask more, to
find the mistake. What the child says of itself (that an argument was changed, that a parameter is
frozen) can cost a learner points, and be forged at most into "right" where the numbers are right.
Cells whose own asserts decide run in the child, and could be forged: such points are marked.

When all is judged, and nothing can be lost any more, changed versions of wrong answers are sent, to
find the line of the mistake. They may hold pieces of the model answer; what comes back is compared,
and no word of it is shown. A child that ends meanwhile costs the rest of the lines.

When something dies:

    child     The judge sees its socket close, asks the warden why, and says so where the cell
              stands. The notebook is begun again in a new box without the culprit; what was judged
              before keeps its points. After four boxes the rest earns nothing.
    warden    The child holds one end of a pipe to it, and ends with it. To the judge that is a
              child that died.
    zygote    Boxes that are open go on. The next member that asks for one starts another zygote,
              for itself.
    member    The leader starts another, and gives it the submission once more; if that one dies as
              well, the submission is reported, not graded, and the run goes on.
    worker    The scheduler gives its batch to another one, once; then its submissions are
              reported, not graded. Without any worker the run waits, and says so; without the
              scheduler it ends, and the same command goes on.
    leader    Members hang up when the pipe closes, the zygote when its socket does. Each submission
              is in the gradebook in one transaction or not at all, files are put in place whole,
              and a note says what the run was to do: the next one goes on there.

Who trusts whom: the leader trusts members, and members the zygote, up to its fork. Nobody trusts a
child, and it's told neither the seed nor what is expected. `nbgrader_config.py` is code, and is
trusted as the instructor's own. What each layer of the sandbox can't stop is in docs/grading.md.

THE MODULES

    notebook_run    takes one notebook through its box, cell by cell
    remote_subject  what is examined lives in a box: a Subject for the engine
    judge           asks, compares, and gives points
    asserts         cells whose own asserts decide: what they earn, and what that is worth
    canaries        cells that must fail, around those
    gradebook       scores and comments as the gradebook wants them
    seeds           the course's key, and which questions are asked
    records         one line for each grading: how, with which protection, and what came of it
    chain           seals these lines: what is changed or cut off later shows
    trouble         full disks, locked gradebooks and the like, in sentences

Two ways in: nbgrader/, which nbgrader_config.py names, and runs/, the command `autograder grade`.
(`plugins`, `exports` and `archives` are where configurations of version 0.1 look for its modules.)
After it: report/. What was handed in is read by `autograder.notebooks`.
"""

from .. import notebooks  # noqa: F401 - which makes importing nbgrader quicker
