"""What was handed in, as data.

submission      reads it, whatever it is
plan            what a notebook consists of by the gradebook; puts a submission back into it
handed_in       the files beside it, and when they came
remarks         sentences about what is missing, copied or forged in it
cell_names      which names a cell binds, and which it needs
demonstrations  which cells only show something, and what answers need of them
shortcuts       does an answer name a ready-made part after all?
characters      those that show nothing, and change what is around them
outputs         what learners' cells have shown, reduced to text and pictures
quick           leaves out what takes seconds to import
"""

from . import quick  # noqa: F401 - before anything here imports nbformat
