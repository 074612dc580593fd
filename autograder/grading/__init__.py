"""Grading a class: learners' cells in a sandbox, a judge outside, nbgrader around it.

From what was handed in to what is said about it:

    archives      unpacks what zip_collect was given, whoever packed it
    submission    reads what was handed in, whatever it is
    plan          what a notebook consists of by the gradebook; puts a submission back into it
    remarks       sentences about what is missing, copied or forged in it
    given         what cells may import where they are graded: the course, and no answer
    warm          a process that has torch imported, and forks one for each submission
    keeper        opens a box in it for each submission, and speaks with what is in it
    scratch       a folder for the time being, also for those that are killed
    sandbox/      the other side of the wall
    cgroup        a part of our cgroup for each box, where we have one
    wire          messages through the wall
    demonstrations  which cells only show something, and what answers need of them
    run           takes one notebook through its box, cell by cell
    asserts       cells whose own asserts decide: what they earn, and what that is worth
    canaries      cells that must fail, around those
    behind        what is examined lives in a box: a Subject for autograder.examine
    judge         asks, compares, and gives points
    shortcuts     does an answer name a ready-made part after all?
    characters    those that show nothing, and change what is around them
    outputs       what learners' cells have shown, reduced to text and pictures
    gradebook     scores and comments as the gradebook wants them
    records       one line for each grading: how, with which protection, and what came of it
    chain         seals these lines: what is changed or cut off later shows
    seeds         the course's key, and which questions are asked
    unfinished    what a run that was stopped was asked to do
    stale         does source/ say something else than the gradebook?
    trouble       full disks, locked gradebooks and the like, in sentences

Two ways in: `plugins`, which nbgrader_config.py names, and `driver` (`autograder grade`, with
`crew` and `classroom`). After it: `report` (with `page`, `told`, `scores`, `similar`), `exports`.
"""
