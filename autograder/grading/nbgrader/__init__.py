"""What nbgrader has of ours: its steps, its gradebook, its exports.

plugins    what nbgrader_config.py names in the place of nbgrader's own steps
classroom  a course's folder and gradebook, as nbgrader's configuration describes them
gradebook  scores and comments as the gradebook wants them
stale      does source/ say something else than the gradebook?
scores     who has how many points
exports    the same for Canvas, Moodle and spreadsheets
archives   unpacks what zip_collect was given, whoever packed it
"""
