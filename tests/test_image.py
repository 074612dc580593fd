"""The images for Docker, Binder and dev containers: what can be seen of them without building one.

`python -m tests.image FOLDER` does what the Dockerfile does, PyTorch included.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from .image import ROOT, copied, copy, stages
from .test_packages import PYTHONS

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
PACKAGES, COURSE = stages(DOCKERFILE)
DEVCONTAINER = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text("utf-8"))
BINDER = ROOT / ".binder"


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def files(stage):
    """{where it goes: the file in the repository}"""
    return {str(target): file for what in stage.of("COPY") for file, target in copied(what)}


def test_a_lesson_that_changes_builds_neither_pytorch_nor_the_engine_again():
    assert set(files(PACKAGES)) == {
        "constraints.txt",
        "pyproject.toml",
        "autograder/pyproject.toml",
    }
    engine = next(n for n, (_, what) in enumerate(COURSE.steps) if "pip install" in what)
    before = [what for word, what in COURSE.steps[:engine] if word == "COPY"]
    assert before == ["autograder autograder"]


def test_the_image_holds_all_that_the_course_is_built_from():
    there = files(COURSE)
    tool = project()["tool"]["setuptools"]
    places = tool["package-dir"]
    for package in tool["packages"]:
        folder = places.get(package, package.replace(".", "/"))
        for pattern in ("*.py", *tool["package-data"].get(package, ())):
            for file in (ROOT / folder).glob(pattern):
                assert str(file.relative_to(ROOT)) in there, file
    for file in (ROOT / "autograder").rglob("*"):
        if file.is_file() and file.suffix in (".py", ".j2", ".toml", ".md"):
            assert str(file.relative_to(ROOT)) in there, file
    assert {"README.md", *project()["project"]["license-files"]} <= set(there)


def test_it_holds_no_tests_no_history_and_nothing_that_was_left_lying_about():
    for name in files(COURSE):
        assert not re.search(r"(^|/)(tests|\.git|\.venv|__pycache__)/|\.ipynb$", name), name


def test_what_is_run_in_it_is_not_run_as_root():
    assert COURSE.of("USER") == ["$NB_USER"]
    last = [word for word, _ in COURSE.steps].index("USER")
    assert [what for word, what in COURSE.steps[last:] if word == "CMD"]
    [line] = [what for what in PACKAGES.of("RUN") if "useradd" in what]
    assert '--uid "$NB_UID"' in line


def test_it_opens_the_first_lesson_where_the_line_that_starts_it_says():
    [line] = re.findall(r"^#   (docker run .*)", DOCKERFILE, re.M)
    [port] = COURSE.of("EXPOSE")
    assert f"--publish 127.0.0.1:{port}:{port} " in line
    assert DEVCONTAINER["forwardPorts"] == [int(port)]
    user = DEVCONTAINER["remoteUser"]
    assert f'--volume "$PWD:/home/{user}/work" ' in line
    assert COURSE.of("WORKDIR")[-1].replace("$NB_USER", user) == f"/home/{user}/work"
    [[*_, command]] = map(json.loads, COURSE.of("CMD"))
    [opened] = re.findall(r"--LabApp\.default_url=/lab/tree/(\S+)", command)
    assert (ROOT / opened).is_file()
    assert "--ip=0.0.0.0" in command  # a port that is published asks from outside


@pytest.mark.skipif(sys.platform != "linux", reason="another sed")
def test_the_first_layer_asks_for_the_packages_of_both_and_not_for_the_engine(tmp_path):
    copy(PACKAGES.of("COPY")[0], tmp_path)
    [line] = [what for what in PACKAGES.of("RUN") if "uv pip install" in what]
    subprocess.run(["sh", "-c", line.partition("&&")[0]], cwd=tmp_path, check=True)
    asked = tomllib.loads((tmp_path / "pyproject.toml").read_text("utf-8"))["project"]
    expected = project()["project"]["dependencies"]
    expected.remove("autograder-engine")
    assert asked["dependencies"] == expected


def test_its_python_is_one_that_the_course_is_made_for():
    [version] = re.findall(r"FROM python:([\d.]+)-slim", DOCKERFILE)
    assert version in PYTHONS
    assert f"python{version}/site-packages/course/jupyter" in " ".join(COURSE.of("ENV"))
    assert (BINDER / "runtime.txt").read_text().strip() == f"python-{version}"


def test_a_dev_container_is_made_of_the_first_layer_and_of_the_folder_that_one_works_in():
    build = DEVCONTAINER["build"]
    place = ROOT / ".devcontainer"
    assert (place / build["dockerfile"]).resolve() == ROOT / "Dockerfile"
    assert (place / build["context"]).resolve() == ROOT
    assert build["target"] == PACKAGES.name
    assert f"ARG NB_USER={DEVCONTAINER['remoteUser']}\n" in DOCKERFILE
    assert "--editable ./autograder --editable ." in DEVCONTAINER["postCreateCommand"]
    home = f"/home/{DEVCONTAINER['remoteUser']}/.local/bin"
    assert DEVCONTAINER["remoteEnv"]["PATH"].startswith(f"{home}:")


@pytest.mark.parametrize("name", ["postBuild", "start"])
def test_what_binder_runs_can_be_run(name):
    assert os.access(BINDER / name, os.X_OK)
    assert subprocess.run(["sh", "-n", BINDER / name], check=False).returncode == 0


def test_binder_installs_both_parts_of_the_course_in_the_versions_that_were_tested(tmp_path):
    uv = tmp_path / "uv"
    uv.write_text('#!/bin/sh\necho "$@"\n')
    uv.chmod(0o755)
    known = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "NB_PYTHON_PREFIX": "/srv/python"}
    run = subprocess.run([BINDER / "postBuild"], env=known, capture_output=True, text=True)
    assert "--python /srv/python/bin/python" in run.stdout
    end = "--constraint constraints.txt --editable ./autograder --editable ."
    assert run.stdout.strip().endswith(end)


def test_binder_starts_what_it_is_told_to_with_jupyterlab_as_learners_have_it():
    known = {"PATH": os.environ["PATH"], "REPO_DIR": str(ROOT)}
    command = [BINDER / "start", "sh", "-c", 'echo "$JUPYTER_CONFIG_PATH"']
    run = subprocess.run(command, env=known, capture_output=True, text=True, check=True)
    assert (Path(run.stdout.strip()) / "jupyter_server_config.py").is_file()


def test_behind_a_hub_the_hub_says_where_to_listen(monkeypatch):
    from traitlets.config import Config

    text = (ROOT / "course" / "jupyter" / "jupyter_server_config.py").read_text("utf-8")
    for address, ip in ((None, "127.0.0.1"), ("http://0.0.0.0:8888/user/ana/", None)):
        if address:
            monkeypatch.setenv("JUPYTERHUB_SERVICE_URL", address)
        config = Config()
        exec(compile(text, "jupyter_server_config.py", "exec"), {"get_config": lambda c=config: c})
        assert config.get("ServerApp", {}).get("ip") == ip
        assert config.ServerApp.terminado_settings["shell_command"]
