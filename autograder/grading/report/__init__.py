"""`autograder report`: what a class has understood, and what not yet.

facts     what the records and the gradebook say
examples  what a mistake does, in numbers, for whoever explains it
similar   who wrote nearly the same
page      all of it as a page; its HTML is in templates/
"""
