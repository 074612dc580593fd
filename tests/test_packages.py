"""pyproject.toml, environment.yml and constraints.txt ask for the same packages."""

import re
import tomllib
from itertools import chain
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
CONDA_NAMES = {"pytorch": "torch"}
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
NOT_FROM_PIP = {"python", "pip"}
OPTIONAL = "optional-dependencies"
PROJECTS = ("pyproject.toml", "autograder/pyproject.toml")


def project(name="pyproject.toml"):
    return tomllib.loads((ROOT / name).read_text())["project"]


def from_pyproject(*extras):
    """{package: allowed versions}, with those of these extras."""
    lines = [*project()["dependencies"], *chain(*(project()[OPTIONAL][extra] for extra in extras))]
    requirements = [Requirement(line) for line in lines]
    engine = project("autograder/pyproject.toml")["name"]
    return {r.name: r.specifier for r in requirements if r.marker is None and r.name != engine}


def from_environment():
    entries = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    requirements = [Requirement(entry) for entry in entries if isinstance(entry, str)]
    return {CONDA_NAMES.get(r.name, r.name): r.specifier for r in requirements}


def from_constraints():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def test_conda_and_pip_install_the_same_in_the_same_ranges():
    conda = from_environment()
    assert {n: s for n, s in conda.items() if n not in NOT_FROM_PIP} == from_pyproject("dev")


def test_the_engine_asks_for_a_part_of_it_in_the_same_ranges():
    engine = project("autograder/pyproject.toml")
    asked = {r.name: r.specifier for r in map(Requirement, engine["dependencies"])}
    assert asked.items() <= from_pyproject().items()
    assert engine["name"] in project()["dependencies"]
    assert engine["version"] == project()["version"]


def test_the_packages_that_the_course_is_about_are_there():
    names = {"jupyterlab", "numpy", "torch", "nbgrader", "matplotlib", "seaborn"}
    assert names <= set(from_pyproject())


@pytest.mark.parametrize("python", PYTHONS)
def test_every_package_is_pinned_once_to_a_version_that_is_allowed(python):
    allowed = from_pyproject(*project()[OPTIONAL])
    pins = {}
    for requirement in from_constraints():
        if requirement.marker is None or requirement.marker.evaluate({"python_version": python}):
            assert requirement.name not in pins, f"{requirement.name} is pinned twice"
            (specifier,) = requirement.specifier
            assert specifier.operator == "==", f"{requirement} is no pin"
            pins[requirement.name] = specifier.version
    for name, specifier in allowed.items():
        assert name in pins, f"constraints.txt does not pin {name}"
        assert specifier.contains(pins[name]), f"{name}=={pins[name]} is outside {specifier}"


@pytest.mark.parametrize("name", [".ci/run", ".github/workflows/test.yml"])
def test_where_changes_are_tested_no_extra_is_missing(name):
    lists = re.findall(r"--editable '\.\[([\w,]+)\]'", (ROOT / name).read_text())
    extras = [extra for each in lists for extra in each.split(",")]
    assert sorted([*extras, "dev"]) == sorted(project()[OPTIONAL])  # `make setup` brings that one


def test_conda_allows_the_pythons_that_pip_allows():
    conda = from_environment()["python"]
    for each in map(project, PROJECTS):
        named = [line.split()[-1] for line in each["classifiers"] if re.search(r"3\.\d+$", line)]
        assert named == PYTHONS
        assert each["requires-python"] == f">={PYTHONS[0]}"
    for version in ("3.10", *PYTHONS, "3.15"):
        assert conda.contains(version) == (version in PYTHONS)


# The one exception: its makers' own index, for uv, and for nothing but PyTorch without CUDA.
TORCH_INDEX = "https://download.pytorch.org/whl/cpu"


def test_no_file_names_a_package_registry():
    registries = re.compile(r"pypi\.org|pythonhosted|download\.pytorch|npmjs\.org|index-url")
    for path in (
        *(ROOT / name for name in PROJECTS),
        *ROOT.glob("*.yml"),
        *ROOT.glob("*.txt"),
        *filter(Path.is_file, ROOT.glob("scripts/**/*")),
        *(ROOT / ".binder").iterdir(),
        *(ROOT / ".devcontainer").iterdir(),
        ROOT / "Dockerfile",
    ):
        text = path.read_text()
        if path == ROOT / "pyproject.toml":
            text = text.replace(f'url = "{TORCH_INDEX}"\n', "", 1)
        assert not registries.search(text), f"{path.name} names a registry"


def test_uv_takes_the_engine_from_here_and_pytorch_alone_from_its_makers():
    uv = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]
    engine = project("autograder/pyproject.toml")["name"]
    assert uv["index"] == [{"name": "pytorch-cpu", "url": TORCH_INDEX, "explicit": True}]
    assert uv["sources"] == {
        engine: {"path": "autograder", "editable": True},
        "torch": [{"index": "pytorch-cpu", "marker": "sys_platform == 'linux'"}],
    }
    assert "uv.lock" in (ROOT / ".gitignore").read_text().splitlines()
