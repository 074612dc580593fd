"""Grading a class: learners' cells in a sandbox, a judge outside, nbgrader around it.

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
After it: report/. What was handed in is read by `autograder.notebooks`, and runs in
`autograder.sandbox`.
"""
