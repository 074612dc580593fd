"""Known mistakes that can be recognised, and not read: for whoever is not to have the model answer.

sketches   an answer reduced to what tells whether another one is the same
mistakes   the known mistakes of an exercise as such sketches: written, and read again
sealing    makes them, from mistakes that can be read
beside     diagnoses by them, with inputs that are the same in every check
"""
