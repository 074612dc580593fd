#!/bin/sh
# Make a virtual environment with everything in it: sh scripts/setup.sh .venv
# Whatever goes wrong ends in a sentence that says what to do.
set -u

venv=$1

stop() {
    printf '\nSet-up stopped: %s\n' "$1" >&2
    exit 1
}

# "3.9", "3.11", or nothing if this is no Python that runs.
version_of() {
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null
}

# The first Python from 3.11 to 3.14, for which the course is made; a newer one rather than none.
find_python() {
    newer=""
    for candidate in python3 python3.13 python3.12 python3.11 python3.14 python; do
        case $(version_of "$candidate") in
            3.1[1-4]) echo "$candidate"; return ;;
            3.1[5-9] | 3.[2-9][0-9]) newer=${newer:-$candidate} ;;
        esac
    done
    echo "$newer"
}

python=${PYTHON:-$(find_python)}
[ -n "$python" ] || stop "Python 3.11 or newer is needed, and python3 is $(version_of python3 || echo "not there").
  Debian, Ubuntu: sudo apt install python3 python3-venv
  macOS:          brew install python@3.12
  If you have one already: make setup PYTHON=/path/to/python3.12"

version=$(version_of "$python")
case $version in
    "") stop "PYTHON=$python is no Python that can be run." ;;
    2.* | 3.? | 3.10) stop "PYTHON=$python is Python $version; 3.11 or newer is needed." ;;
    3.1[1-4]) ;;
    *) echo "Note: this is Python $version; the course is made for 3.11 to 3.14." ;;
esac

"$python" -c 'import venv, ensurepip' 2>/dev/null || stop "$python has no venv module.
  Debian, Ubuntu: sudo apt install python3-venv
  and then say make again."

# What is there may be of a Python that has gone since, or of a folder that was moved.
if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1 ||
    [ "$(version_of "$venv/bin/python")" != "$version" ] ||
    { [ -f "$venv/.ready" ] && ! grep -qxF "$(pwd -P)" "$venv/.ready"; }; then
    echo "Making $venv with Python $version ..."
    "$python" -m venv --clear "$venv" || stop "the virtual environment could not be made; see above."
fi

log=$venv/setup.log
echo "Installing PyTorch, JupyterLab and the rest: some minutes the first time ..."
echo "(what happens in detail: tail -f $log)"
"$venv/bin/python" -m pip install --disable-pip-version-check \
    --constraint constraints.txt --editable ./autograder --editable '.[dev]' >"$log" 2>&1 &
pip=$!
trap 'kill "$pip" 2>/dev/null; stop "interrupted; make goes on from here the next time."' INT TERM
while kill -0 "$pip" 2>/dev/null; do
    printf '.'
    sleep 2
done
echo
if ! wait "$pip"; then
    tail -n 5 "$log" >&2
    if grep -q 'No space left' "$log"; then
        stop "the disk is full; PyTorch alone can need several gigabytes."
    elif grep -qiE 'NewConnectionError|NameResolution|name resolution|unreachable|timed out|ProxyError|SSLError' "$log"; then
        stop "the packages could not be fetched. Is there a network, and does a proxy have to be set?"
    else
        stop "pip could not install the packages; all it said is in $log"
    fi
fi
pwd -P >"$venv/.ready"
