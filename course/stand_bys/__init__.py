"""Stand-bys: for each piece of the course a version that works, for where the learner's is missing.

What is built on a piece that is not written yet, or is wrong, is built on its stand-by: at home and
where a class is graded the same, so that one mistake costs once. A stand-by may be given to
learners: it is made from torch's ready-made parts where torch has them, and put together in another
way than the model answer. Handing one in earns nothing: whoever looks at an answer sees whether a
stand-by did its work (`autograder.engine.pieces`).
"""
