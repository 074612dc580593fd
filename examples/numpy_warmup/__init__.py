"""NumPy, warming up: a small course of its own, which shows that the autograder knows none."""

from autograder.engine.course import Course

COURSE = Course(
    id="numpy_warmup",
    title="NumPy, warming up",
    syllabus={"arrays": ("running_mean", "one_hot", "pairwise_distances")},
    checks="numpy_warmup.checks",
    reference="numpy_warmup.answers",
    mistakes="numpy_warmup/mistakes",
    bank="numpy_warmup/bank",
    assignments="numpy_warmup.notebooks:assignments",
)
