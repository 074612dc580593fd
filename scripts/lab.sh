#!/bin/sh
# Open JupyterLab in the folder notebooks/: sh scripts/lab.sh .venv/bin [options of jupyter lab]
bin=$1
shift
# Jupyter refuses to run as root, which is what people are in a container, unless told twice.
[ "$(id -u)" -ne 0 ] || set -- --allow-root "$@"
# Nobody wants to be asked about news in the middle of the first sentence.
settings=$bin/../share/jupyter/lab/settings
mkdir -p "$settings"
[ -f "$settings/overrides.json" ] || cat >"$settings/overrides.json" <<'END'
{"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": false}}
END
echo "Opening JupyterLab on notebooks/; Ctrl-C twice ends it ..."
PATH="$PWD/$bin:$PATH" exec "$bin/jupyter" lab --LabApp.default_url=/lab/tree/notebooks "$@"
