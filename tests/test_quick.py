"""The tests that `make test-quick` chooses."""

import pytest

from tests import quick


def test_all_tests_that_follow_a_file_are_there():
    for _, tests in quick.FOLLOWED:
        for path in tests:
            assert (quick.ROOT / path).exists(), path


@pytest.mark.parametrize(
    ("path", "test"),
    [
        ("autograder/engine/compare.py", "tests/autograder/engine/test_compare.py"),
        ("course/quiz.py", "tests/course/test_quiz.py"),
        ("autograder/sandbox/__init__.py", "tests/autograder/sandbox/test_walls.py"),
        ("tests/solutions/test_attention.py", "tests/solutions/test_attention.py"),
    ],
)
def test_who_imports_what_has_changed_is_near(path, test):
    assert quick.nearest([path])[test] <= 2


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("course/checks/multi_head/multi_head_attention.py", "multi_head.MultiHeadAttention"),
        ("course/mistakes/attention/softmax.md", "attention.softmax"),
        ("course/bank/wrong/transformer.py", "transformer.Decoder"),
        ("notebooks/lessons/03_positional_encoding.md", "03_positional_encoding"),
    ],
)
def test_of_tests_for_each_exercise_those_that_have_changed(path, word):
    tests, words = quick.followed([path])
    assert tests
    assert all(name in quick.plain(word) for name in words)
    assert words
