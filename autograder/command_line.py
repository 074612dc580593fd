"""The command `autograder`: one sub-command for each thing it does."""

import argparse
import sys

from . import doctor


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="autograder", description="The command of The Transformer by hand."
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    about = "say what this machine has, what is missing, and what to do about each"
    commands.add_parser("doctor", help=about, description=about).set_defaults(run=doctor.main)
    options = parser.parse_args(arguments)
    return options.run()


if __name__ == "__main__":
    sys.exit(main())
