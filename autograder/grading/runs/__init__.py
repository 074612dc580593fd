"""`autograder grade`: a whole class at once.

command     the command, from who is to be graded to how it went
crew        the processes, here or on a cluster, that do it
unfinished  what a run that was stopped was asked to do
"""
