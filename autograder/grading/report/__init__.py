"""`autograder report`: what a class has understood, and what not yet. `autograder learn`: what is
still to be learned from it.

facts     what the records and the gradebook say
examples  what a mistake does, in numbers, for whoever explains it
unnamed   wrong answers that bear no name, those alike together
shown     the code of one of each, and what such a learner was told
nameless  an answer's code without names of people
learn     from such a group, the skeleton of a known mistake
draft     its texts, and where they are written
similar   who wrote nearly the same
page      all of it as a page; its HTML is in templates/
"""
