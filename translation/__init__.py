"""The reference Transformer at work: it learns to translate numbers, on any laptop.

number_words   the task: English number words into French and German, some numbers held out
train          the paper's recipe, in one function
checkpoint     stop, and go on later
"""
