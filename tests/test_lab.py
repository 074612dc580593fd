"""What `make lab` opens: the first lesson, and terminals in which the course's command is found."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
import websocket

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 120  # seconds


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """All that it says until it is there, while it runs; as from a shell that knows nothing."""
    home = tmp_path_factory.mktemp("home")
    (home / ".profile").write_text("PATH=/usr/bin:/bin\n")  # as many systems' own do
    known = {"HOME": str(home), "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh"}
    log = (home / "log").open("w")
    bin = os.path.relpath(Path(sys.executable).parent, ROOT)
    command = ["sh", "scripts/lab.sh", bin, "--no-browser", "--port=0"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=known, stdout=log, stderr=log, start_new_session=True
    )
    until = time.monotonic() + PATIENCE
    while "token=" not in (said := (home / "log").read_text()) and time.monotonic() < until:
        assert process.poll() is None, said
        time.sleep(0.2)
    yield said
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    log.close()


@pytest.fixture
def address(lab):
    """(where it listens, its token)"""
    return re.search(r"http://(127\.0\.0\.1:\d+)/.*token=(\w+)", lab).groups()


def asked(address, path, data=None):
    host, token = address
    headers = {"Authorization": f"token {token}"}
    request = urllib.request.Request(f"http://{host}{path}", data, headers)
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return answer.read().decode()


def test_the_one_address_that_it_says_comes_last_and_leads_to_the_first_lesson(lab):
    *_, last = lab.split()
    assert "/lab/tree/notebooks/00_start.ipynb?token=" in last
    assert lab.count("http://") == 1
    assert "WARNING" not in lab


def test_what_makes_assignments_is_hidden_and_there_is_no_news(address):
    page = asked(address, "/lab")
    assert re.search(r'"disabledExtensions": \[[^]]*"@jupyter/nbgrader:create-assignment"', page)
    news = asked(address, "/lab/api/settings/@jupyterlab/apputils-extension:notification")
    settings = json.loads(news)["schema"]["properties"]
    assert settings["fetchNews"]["default"] == "false"
    assert settings["checkForUpdates"]["default"] is False


def test_a_terminal_in_it_finds_the_command(address):
    host, token = address
    name = json.loads(asked(address, "/api/terminals", b"{}"))["name"]
    link = websocket.create_connection(
        f"ws://{host}/terminals/websocket/{name}?token={token}", timeout=PATIENCE
    )
    link.send(json.dumps(["stdin", "command -v autograder; echo so'me'thing\r"]))
    heard = ""
    while "something" not in heard:
        kind, *data = json.loads(link.recv())
        heard += data[0] if kind == "stdout" else ""
    link.close()
    assert f"{Path(sys.executable).parent}/autograder" in heard
