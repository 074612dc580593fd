"""The other side of the wall: where learners' code runs.

    zygote      a warm process (torch is imported) that forks a child for every submission
    walls       what shuts a child in: namespaces, limits, and
    landlock    which files it can open
    seccomp     which system calls it can make,
    calls       the list of them
    inside      the child: runs cells, and answers trials
    shell       runs one cell, and catches what it shows

Nothing here imports the checks or the reference, and nothing may: a child is a copy of the zygote.
"""
