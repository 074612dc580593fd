"""What is said of a file that is no notebook."""

import pytest

from autograder.notebooks import submission


def test_wherever_a_notebook_is_cut_off_it_ends_in_the_middle():
    whole = '{"cells": [{"a": null, "b": [true, -1.5e3], "c": "d\\u00e9\\n"}], "nbformat": 4}'
    for length in range(1, len(whole)):
        with pytest.raises(submission.UnreadableError, match="ends in the middle"):
            submission.parsed(whole[:length])
    with pytest.raises(submission.UnreadableError, match="is not JSON from line 2 on"):
        submission.parsed('{"cells": [],\n wrong: 4, "nbformat": 4}')
