"""Both sides of the wall behind which learners' code runs.

This side:

    warm        a process that has torch imported, and forks one for each submission
    box         opens a box in it for each submission, and speaks with what is in it
    wire        messages through the wall
    clock       the time that a learner's code has left
    scratch     a folder for the time being, also for those that are killed
    importable  what cells may import there: the course, and no answer

The wall:

    walls       what shuts a child in: namespaces, limits, and
    landlock    which files it can open
    seccomp     which system calls it can make,
    calls       the list of them
    cgroup      a part of our cgroup for each box, where we have one

The other side:

    zygote      the warm process itself
    inside      its child: runs cells, and answers trials
    shell       runs one cell, and catches what it shows
    tracebacks  what a cell's error looks like
    rewind      random numbers and the like, as they were before a check looked
    originals   functions that whoever grades relies on: were they replaced?

Nothing on the other side imports the checks or the reference, and nothing may: a child is a copy of
the zygote.
"""
