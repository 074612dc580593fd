"""`python -m autograder`: the command, where it is not installed."""

import sys

from .doors.terminal import main

sys.exit(main())
