"""The learner's own lines are found, whatever shape their code has."""

import functools

import torch
from torch import nn

from autograder.engine.learner_lines import find_line, line_of_problem, lines
from autograder.engine.trial import Call, Trial, run


def plain(x):
    """Divides x / total."""
    total = x.sum()  # softmax is only in this comment
    return x / total


class Module(nn.Module):
    def forward(self, x):
        return self.helper(x)

    def helper(self, x):
        return x @ x @ torch.ones(3)


class Child(Module):
    def helper(self, x):
        return x / 0


class Callable:
    def __call__(self, x):
        return undefined  # noqa: F821


@functools.wraps(plain)
def decorated(x):
    return plain(x)


def test_the_lines_of_a_function():
    assert [line.text for line in lines(plain)] == [
        "total = x.sum()  # softmax is only in this comment",
        "return x / total",
    ]
    assert str(find_line(plain, r"/")).endswith("of test_learner_lines.py: `return x / total`")


def test_comments_and_missing_patterns_find_nothing():
    assert find_line(plain, "softmax") is None
    assert find_line(plain, "") is None
    assert find_line(plain, "nowhere") is None


def test_the_lines_of_a_class_and_of_what_it_inherits():
    found = [line.text for line in lines(Child)]
    assert "return x / 0" in found
    assert "return self.helper(x)" in found
    assert not any("_call_impl" in text for text in found)  # nn.Module's are torch's


def test_wrapped_partial_and_callable_objects():
    assert find_line(decorated, "total").text.startswith("total =")
    assert find_line(functools.partial(plain, 1), "total")
    assert find_line(Callable(), "undefined")
    assert lines(torch.softmax) == []
    assert lines(5) == []


def test_the_innermost_own_line_of_an_error():
    problem = run(Module, Trial([Call({"x": torch.ones(2, 3)})], {})).problem
    assert line_of_problem(Module, problem).text == "return x @ x @ torch.ones(3)"
    problem = run(Callable(), Trial([Call({"x": 1})])).problem
    assert line_of_problem(Callable(), problem).text.startswith("return undefined")


def test_an_error_at_the_call_itself_has_no_line():
    problem = run(plain, Trial([Call({"x": 1, "y": 2})])).problem
    assert "takes 1 positional argument" in problem.message
    assert line_of_problem(plain, problem) is None


def test_code_of_which_python_knows_no_lines():
    def unknown(x):
        return undefined(x)  # noqa: F821

    nowhere = b"\xff" * 8  # says of eight instructions each that they stand in no line
    unknown.__code__ = unknown.__code__.replace(co_linetable=nowhere)
    problem = run(unknown, Trial([Call({"x": 1})])).problem
    assert problem.kind == "NameError"
    assert line_of_problem(unknown, problem) is None


def test_lines_of_methods_that_are_decorated_are_those_inside():
    def decorate(method):
        @functools.wraps(method)
        def around(*given):
            return method(*given)

        return around

    class Decorated:
        @decorate
        def forward(self, x):
            return x + "inside"

    assert find_line(Decorated, "inside").text == 'return x + "inside"'
    assert not find_line(Decorated, r"method\(\*given\)")
