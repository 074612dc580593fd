"""Where people come in.

notebook   check(…) in a notebook, and in pytest
terminal   the command `autograder`, one sub-command for each thing it does
workers    the processes in which it checks files
doctor     what this machine has, and what is missing
"""
