"""What nbgrader has of ours: its steps, its gradebook, its exports.

new_course  a ready nbgrader course: `autograder course DIR`
edition     the course for students, without its answers: `autograder release DIR`
plugins     what nbgrader_config.py names instead of nbgrader's own steps
classroom   a course's folder and gradebook, as nbgrader's configuration describes them
stale       does source/ say something else than the gradebook?
scores      how many points everybody has
exports     the same for Canvas, Moodle and spreadsheets
archives    unpacks what zip_collect was given, whoever packed it
"""
