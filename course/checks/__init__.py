"""The exercises: a package a lesson, a file an exercise.

To add one, write its file, import it in its lesson's package, and name it in the syllabus of the
COURSE.
"""

from course import COURSE

LESSONS = COURSE.lessons
exercises_of, all_exercises, find = COURSE.exercises_of, COURSE.all_exercises, COURSE.find
