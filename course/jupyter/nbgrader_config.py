"""Nothing: a learner grades no class. Without this file nbgrader complains at the start."""
