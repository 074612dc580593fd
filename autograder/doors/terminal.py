"""The command `autograder`: one sub-command for each thing it does."""

import argparse
import contextlib
import os
import sys
from functools import partial
from pathlib import Path

from ..engine.broken_course import BrokenCourseError
from ..engine.course import CourseNotFoundError, current, load, use
from . import doctor

RIGHT, WRONG, COULD_NOT = 0, 1, 2  # exit codes
NOBODY_LISTENS = 141  # what a shell says of any command that SIGPIPE has ended


def main(arguments=None):
    """Run the command; gives its exit code."""
    try:
        try:
            return run(arguments)
        finally:
            sys.stdout.flush()  # here, and not at Python's end, where nobody could catch it
    except BrokenPipeError:  # as with `… | head`: nobody reads the rest
        let_go_of_output()
        return NOBODY_LISTENS


def let_go_of_output():
    """What is still to be written goes nowhere, also what Python writes at its end."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            os.dup2(nowhere, stream.fileno())


def run(arguments):
    parser = parser_for(arguments)
    options = parser.parse_args(arguments)
    if not hasattr(options, "run"):
        parser.print_help()
        return COULD_NOT
    try:
        if options.of:
            use(options.of)
        return options.run(options)
    except (CourseNotFoundError, BrokenCourseError) as error:
        return complain(str(error))
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "nbgrader":  # left out on Colab and Kaggle
            raise
        return complain("This needs nbgrader, which is not installed: pip install nbgrader")
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return COULD_NOT


# --- The commands ---------------------------------------------------------------------------------


def parser_for(arguments):
    """The parser of the whole command. The course that `arguments` name may add to it."""
    parser = argparse.ArgumentParser(
        prog="autograder", description="Checks and grades what people build by hand in a course."
    )
    parser.add_argument(
        "--course",
        dest="of",
        metavar="NAME",
        help="whose exercises: a course that is installed, or the folder of its package",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    course = course_in(arguments)
    add_check(commands)
    if course is None or not course.for_students:
        for add in (add_audit, add_book, add_course, add_release):
            add(commands)
        for add in (add_grade, add_records, add_report, add_learn):
            add(commands)
    about = "say what this machine has, what is missing, and what to do about each"
    add_command(commands, "doctor", about, lambda options: doctor.main())
    add_own_commands(commands, course)
    return parser


def add_command(commands, word, about, run):
    """A sub-command that calls `run` with its options; gives its parser."""
    sentence = f"{about[:1].upper()}{about[1:]}."
    command = commands.add_parser(word, help=about, description=sentence)
    command.set_defaults(run=run)
    return command


def add_check(commands):
    about = "check the exercises that files define"
    check = add_command(commands, "check", about, check_files)
    check.add_argument(
        "files", metavar="FILE", nargs="*", help="files or folders (default: exercises/)"
    )
    check.add_argument("--exercise", metavar="ID", help="check only this one, LESSON.NAME")
    check.add_argument("--seed", type=int, metavar="N", help="draw the same inputs again")
    check.add_argument("--device", default="cpu", metavar="D", help="cpu (default), cuda, mps, …")
    check.add_argument("--json", action="store_true", help="one JSON object per line")


def add_audit(commands):
    about = "show how well right and wrong answers are told apart, for every exercise"
    audit = add_command(commands, "audit", about, run_audit)
    audit.add_argument("exercises", metavar="ID", nargs="*", help="only these exercises")
    audit.add_argument(
        "--seeds", type=at_least_one, default=3, metavar="N", help="how many (default 3)"
    )
    audit.add_argument("--markdown", action="store_true", help="as a table for the documentation")
    audit.add_argument(
        "--unseen", metavar="FOLDER", help="what is said of the wrong answers in a folder of yours"
    )
    audit.add_argument("--seed", type=int, default=1, help="with --unseen: of what is drawn")
    audit.add_argument("--say", action="store_true", help="with --unseen: write all of it out")


def at_least_one(text):
    """A number of seeds, for argparse: without one, nothing would be asked."""
    if not text.strip().isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def add_book(commands):
    about = "print what goes wrong in each exercise, as a document to read"
    book = add_command(commands, "book", about, write_book)
    book.add_argument("exercises", metavar="ID", nargs="*", help="only these exercises")
    book.add_argument("--output", metavar="FILE", help="write it there (default: print it)")


def add_course(commands):
    about = "make a ready nbgrader course in a new folder"
    course = add_command(commands, "course", about, make_course)
    course.add_argument("folder", metavar="DIR", help="a folder that is not there yet, or empty")
    course.add_argument("--lessons", default="", metavar="1-3", help="which (default: all)")
    course.add_argument(
        "--id", default="", metavar="NAME", help="of the term, for example autumn_2026"
    )
    course.add_argument(
        "--due",
        action="append",
        default=[],
        metavar="LESSON=TIME",
        help="when one is due: 1=2026-10-12, or '1=2026-10-12 18:00 Europe/Berlin'; repeat it",
    )
    course.add_argument(
        "--edition",
        default="",
        metavar="DIR",
        help="hand out the students' edition that `autograder release` has made in DIR",
    )


def add_release(commands):
    about = "make the edition for students, without the answers, in a new folder"
    release = add_command(commands, "release", about, release_edition)
    release.add_argument("folder", metavar="DIR", help="a folder that is not there yet, or empty")
    release.add_argument("--lessons", default="", metavar="1-3", help="which (default: all)")


def add_grade(commands):
    grade = add_command(commands, "grade", "grade what a class has handed in", grade_class)
    ask_which_class(grade)
    grade.add_argument(
        "--jobs", type=int, metavar="N", help="processes (default: one per processor)"
    )
    grade.add_argument(
        "--scheduler", metavar="ADDRESS", help="of a Dask cluster that does the grading"
    )
    grade.add_argument("--student", default="*", metavar="ID", help="only this one")
    grade.add_argument("--regrade", action="store_true", help="also what is graded already")
    grade.add_argument(
        "--resume", action="store_true", help="go on with a run that was stopped, if there is one"
    )
    grade.add_argument("--dry-run", action="store_true", help="only say who would be graded")
    grade.add_argument("--json", action="store_true", help="one JSON object per submission")
    grade.add_argument(
        "--trust", action="store_true", help="even where learners' code cannot be shut in"
    )


def add_records(commands):
    about = "say whether the records of grading are as they were written"
    ask_which_class(add_command(commands, "records", about, look_at_records))


def add_report(commands):
    about = "write a page about what a class has understood, and what not yet"
    report = add_command(commands, "report", about, report_on_class)
    ask_which_class(report)
    report.add_argument("--output", metavar="FILE", help="(default: reports/ASSIGNMENT.html)")


def add_learn(commands):
    about = "write the skeleton of a known mistake from wrong answers of a class that have no name"
    learn = add_command(commands, "learn", about, learn_from_class)
    ask_which_class(learn)
    learn.add_argument("--exercise", metavar="ID", help="only its answers")
    learn.add_argument(
        "--group", type=int, metavar="N", help="as the report numbers them (default: the largest)"
    )
    learn.add_argument(
        "--into", metavar="FOLDER", help="write there (default: the folder of the course in use)"
    )


def ask_which_class(command):
    command.add_argument("assignment", metavar="ASSIGNMENT", help="its name, as in source/")
    command.add_argument("--course", default=".", metavar="DIR", help="its folder (default: here)")


def add_own_commands(commands, course):
    """The sub-commands of the course in use, if there is one."""
    for word, command in course.commands.items() if course else ():
        own = add_command(commands, word, command.about, partial(run_own_command, command))
        for name, what in command.arguments.items():
            own.add_argument(name.lower(), metavar=name, help=what)


def run_own_command(command, options):
    given = [getattr(options, name.lower()) for name in command.arguments]
    return load(command.function)(*given)


def course_in(arguments):
    """The course in use, or the one that arguments name; None if there is none."""
    first = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    first.add_argument("--course", dest="of")
    first.add_argument("rest", nargs=argparse.REMAINDER)
    try:
        named = first.parse_known_args(arguments)[0].of
    except argparse.ArgumentError:  # the whole parser says what is wrong
        named = None
    try:
        return use(named) if named else current()
    except (CourseNotFoundError, BrokenCourseError):  # who needs it says what is wrong
        return None


# --- What they do ---------------------------------------------------------------------------------


def check_files(options):
    """Check files, report on each of their exercises, and say by the exit code how it went."""
    try:
        wanted = None if options.exercise is None else current().find(options.exercise).id
    except KeyError as error:
        return complain(error.args[0])
    trouble = device_trouble(options.device)
    if trouble:
        return complain(trouble)
    paths, missing = python_files(options.files or ["exercises"])
    codes = [complain(f"There is no file called {name}.") for name in missing]
    reports = []
    for path in paths:
        found, code = check_path(path, wanted, options, alone=len(paths) == 1)
        reports += found
        codes.append(code)
    return told(reports, max(codes, default=RIGHT), options)


def told(reports, code, options):
    """Say how many are right; gives the exit code.

    Args:
        code: is there anything that could not be checked?
    """
    if not reports:
        return code or complain("There was nothing to check.")
    right = sum(report.passed for report in reports)
    if not options.json:
        print(f"\n{right} of {len(reports)} exercises are right.")
    return code or (RIGHT if right == len(reports) else WRONG)


def check_path(path, wanted, options, alone):
    """(Reports on the exercises in a file, each of them shown at once; could all be checked?)

    Args:
        wanted: the only exercise that is asked for, or None.
        alone: is it the only file?
    """
    from ..engine.files import exercises_defined
    from .workers import check_file

    try:
        source = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return [], complain(f"{path} cannot be read: {error.strerror}.")
    exercises = [wanted] if wanted else exercises_defined(source)
    if not exercises:
        return nothing_in(path, source, options, alone)
    reports = []
    for report in check_file(str(path), exercises, options.seed, options.device):
        reports.append(report)
        show(report, options)
    return reports, COULD_NOT if any(report.unchecked for report in reports) else RIGHT


def nothing_in(path, source, options, alone):
    """The same for a file in which no exercise is found."""
    from ..engine.files import is_it, names_defined, near_names
    from .workers import failure

    broken = syntax_error(source, path)
    if broken:
        report = failure(str(path), None, broken)
        show(report, options)
        return [report], RIGHT
    if not alone:  # there are files beside exercises that hold none
        return [], RIGHT
    near = is_it(near_names(names_defined(source)))
    return [], complain(f"{path}: The file defines none of the exercises.{near}")


def show(report, options):
    if options.json:
        print(report.as_json(), flush=True)
    else:
        print(f"\n{report.file}\n{report.text}", flush=True)


def syntax_error(source, path):
    """A sentence if this is no Python."""
    from ..engine.advice import on_notebook_line

    try:
        compile(source, str(path), "exec")
    except SyntaxError as error:
        line = f", line {error.lineno}" if error.lineno else ""
        said = on_notebook_line(error.text or "")
        if said:
            return f"This is no Python yet{line}: {said}"
        return f"This is no Python yet: {error.msg}{line}."
    except ValueError as error:
        return f"This is no Python yet: {error}."
    return None


def complain(sentence):
    print(sentence, file=sys.stderr)
    return COULD_NOT


def python_files(names):
    """The Python files among and in what was named, and what does not exist."""
    paths, missing = [], []
    for name in names:
        path = Path(name)
        if path.is_dir():
            paths += sorted(path.glob("*.py"))
        elif path.is_file():
            paths.append(path)
        else:
            missing.append(name)
    return paths, missing


def device_trouble(device):
    """A sentence if torch cannot compute on this device. Nothing is computed there: a worker that
    is forked later could not use a GPU that this process had begun to use."""
    import torch

    try:
        kind = torch.device(device).type
    except RuntimeError:
        return f"There is no device called {device!r}: try cpu, cuda or mps."
    here = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if not here.get(kind, False):
        return (
            f"This machine has no {kind} that torch can use; `autograder doctor` says what it has."
        )
    return None


def make_course(options):
    from ..grading.nbgrader.new_course import main as course

    return course(options)


def release_edition(options):
    from ..grading.nbgrader.edition import main as release

    return release(options)


def grade_class(options):
    from ..sandbox import warm

    if not options.dry_run and not options.scheduler:
        try:
            warm.shared()  # it is ready when all else has been imported
        except CourseNotFoundError:  # which course it is, the configuration says
            pass
        except OSError as error:  # a full disk, most likely
            return complain(f"The sandbox could not be started: {error.strerror or error}.")
    from ..grading.runs.command import main as grade

    return grade(options)


def report_on_class(options):
    from ..grading.report.facts import main as report

    return report(options)


def learn_from_class(options):
    from ..grading.report.learn import main as learn

    return learn(options)


def look_at_records(options):
    from ..grading.records import main as look

    return look(options)


def run_audit(options):
    if options.unseen:
        from ..audit.unseen import main as look

        return look(options)
    from ..audit.matrix import main as audit

    return audit(options)


def write_book(options):
    from ..audit.book import main as write

    return write(options)


if __name__ == "__main__":
    sys.exit(main())
