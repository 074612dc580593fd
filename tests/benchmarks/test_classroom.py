"""The class that is graded to be timed is configured as it was asked for."""

from traitlets.config import Config

from benchmarks.classroom import own_config


def test_it_says_how_many_answers_may_be_asked_for_to_find_a_line():
    config = Config()
    exec(own_config(0), {"get_config": lambda: config})
    assert config.SandboxedExecute.changes == 0
    assert config.Autograde.autograde_preprocessors[0].endswith("SandboxedExecute")
