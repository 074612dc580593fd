#!/bin/sh
# Open JupyterLab on the first lesson: sh scripts/lab.sh .venv/bin [options of jupyter lab]
bin=$1
shift
# Jupyter refuses to run as root, which is what people are in a container, unless told twice.
[ "$(id -u)" -ne 0 ] || set -- --allow-root "$@"
# For learners: no news in the middle of the first sentence, no button that makes assignments.
export JUPYTER_CONFIG_PATH="$PWD/course/jupyter${JUPYTER_CONFIG_PATH:+:$JUPYTER_CONFIG_PATH}"
export PATH="$PWD/$bin:$PATH"
echo "Opening JupyterLab on notebooks/00_start.ipynb; Ctrl-C twice ends it ..."
exec "$bin/jupyter" lab --LabApp.default_url=/lab/tree/notebooks/00_start.ipynb "$@"
