"""Import this first: it leaves out what takes seconds to import, and is not used here.

nbformat imports jsonschema, which imports a grammar of web addresses if it is installed, only to be
able to check them. No notebook is checked for that.
"""

import sys

# None is how Python is told that there is no such module.
sys.modules.setdefault("rfc3987_syntax", None)  # pyright: ignore[reportArgumentType]
