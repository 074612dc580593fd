"""How JupyterLab starts for learners; whatever is said on its command line counts for more."""

import os

c = get_config()  # noqa: F821

if "JUPYTERHUB_SERVICE_URL" not in os.environ:  # a hub says where to listen, and reads the log
    # Of what a server logs, only the address: one line, the last one, that can be copied as it is.
    c.Application.log_level = "CRITICAL"
    c.ServerApp.ip = "127.0.0.1"
# Not a login shell: that sets its PATH anew on many systems, and `autograder` would not be found.
c.ServerApp.terminado_settings = {"shell_command": [os.environ.get("SHELL") or "/bin/sh"]}
