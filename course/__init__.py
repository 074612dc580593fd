"""The course around the Transformer: lessons become notebooks, and notebooks get what they show.

lesson        a lesson's Markdown, in parts
stubs         what a learner is given of solutions/
notebook      a lesson as a notebook
build         notebooks/ and exercises/ from lessons and solutions; `make notebooks`
last_built    what was built last, so that nothing that somebody has written is built over
release       a ready nbgrader course; `autograder course DIR`

work          the folder in which a learner's own versions and points are kept
mine          `from course.mine import softmax`: the learner's version, or a stand-by
stand_bys     for each piece a version that works, to build on until the learner's does
progress      what is done, tried, and next; `autograder progress`
quiz          questions that answer every wrong choice with why

figures       one look for all pictures
diagram       the architecture, drawn by code
widgets       sliders and painters, each with a picture where nothing runs
"""

from autograder.doors import notebook

from .work import after_check

if after_check not in notebook.LISTENERS:
    notebook.LISTENERS.append(after_check)
