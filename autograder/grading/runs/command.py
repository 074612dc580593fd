"""`autograder grade ASSIGNMENT`: a whole class, in a sandbox, on all processors.

The same engine as nbgrader's own command with our configuration, and the same gradebook. Only this
process writes: `autograded/` whole or not at all, the gradebook with one commit a submission, then
a record. A run that was ended at any moment goes on where it was, and a regrade as a regrade.
"""

import contextlib
import fcntl
import json
import os
import shutil
import sys

from sqlalchemy.exc import OperationalError, SQLAlchemyError

from ... import aside
from ...engine.course import current, name_of
from .. import records, seeds, trouble
from ..asserts import forgeable
from ..nbgrader.classroom import Classroom
from ..trouble import CourseError, StopError
from . import unfinished
from .crew import CannotStartError, Cluster, Crew, Job, Orders, Single

GRADED, PROBLEMS, COULD_NOT = 0, 1, 2  # exit codes
WORTH_A_PROCESS = 15  # submissions: another process takes some seconds to start
WELL = 2  # the level of protection that goes without saying
REMARKABLE = ("events", "troubles")


def main(options):
    """Run the command; gives its exit code."""
    try:
        opened = contextlib.closing(Classroom(options.course, options.assignment))
        with opened as classroom, alone(classroom.root):
            return ClassRun(classroom, options).go()
    except BrokenPipeError:  # nobody reads any more what is said here
        raise
    except (CourseError, OSError, OperationalError) as error:
        print(trouble.sentence(error, options.course), file=sys.stderr)
        return COULD_NOT


@contextlib.contextmanager
def alone(root):
    """Two runs at once would write over each other's work."""
    with open(seeds.folder(root) / "lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CourseError("Another `autograder grade` is at work in this course.") from None
        yield


class ClassRun:
    """One run over an assignment."""

    def __init__(self, classroom, options):
        self.classroom, self.options = classroom, options
        self.plans = classroom.plans()
        for plan in self.plans.values():
            if plan.language != "python":
                raise CourseError(
                    f"{plan.notebook}.ipynb is written in {plan.language}; only Python is run here."
                )
        self.seed = seeds.seed_of(classroom.root, classroom.assignment)
        self.latest = records.latest(classroom.root, classroom.assignment)
        self.book = classroom.root, classroom.assignment
        self.before = unfinished.read(*self.book)
        self.begun, self.forced = unfinished.asked(self.before, options)
        self.counts = {"graded": 0, "as before": 0, "problems": 0}
        self.hidden, self.weak = [], set()
        self.handed, self.keys = {}, {}

    def go(self):
        handed = self.classroom.handed_in(self.options.student)
        if not handed:
            who = "" if self.options.student == "*" else f" by {self.options.student}"
            raise CourseError(f"Nothing was handed in{who} for {self.classroom.assignment}.")
        if self.options.resume:
            if not unfinished.can_resume(self.before, self.options):
                return self.nothing_to_resume(handed)
            handed = [each for each in handed if self.begun.covers(each.student)]
        self.say_before(handed)
        jobs = self.jobs(handed)
        if self.options.dry_run:
            for job in jobs:
                print(f"{printable(job.student)} would be graded")
            print(f"{self.counts['as before']} are graded already.")
            return GRADED
        try:
            with self.noted():
                self.grade(jobs, len(handed))
        except KeyboardInterrupt:
            self.say("Stopped. What is graded is saved; the same command goes on.")
            return COULD_NOT
        except StopError as error:
            raise CourseError(f"{error} {self.saved()}") from None
        self.sum_up()
        return PROBLEMS if self.counts["problems"] else GRADED

    @contextlib.contextmanager
    def noted(self):
        """As long as not all is done, there is a note of what this run is to do."""
        unfinished.note(*self.book, self.begun)
        try:
            yield
        except StopError:
            raise
        except CourseError:  # it could not even begin
            if not self.done:
                unfinished.put_back(*self.book, self.before)
            raise
        whole = self.options.student == "*" or self.begun.students == (self.options.student,)
        if whole and not self.counts["problems"]:
            unfinished.forget(*self.book)

    def nothing_to_resume(self, handed):
        """Say so; gives the exit code."""
        command = f"autograder grade {self.classroom.assignment}"
        if self.options.regrade:
            self.say(f"There is no regrade to resume. `{command} --regrade` begins one.")
            return COULD_NOT
        waiting = sum(1 for _ in self.jobs(handed))
        if waiting:
            verb = "submission waits" if waiting == 1 else "submissions wait"
            self.say(
                f"There is nothing to resume: no run was stopped. {waiting} {verb} to be graded; "
                f"`{command}` does that."
            )
            return COULD_NOT
        self.say("There is nothing to resume.")
        self.sum_up()
        return GRADED

    def jobs(self, handed):
        """What is to be done: one job after the other, as they are asked for."""
        for each in handed:
            files = self.classroom.other_files(each)
            seen = records.of_files([*each.notebooks.items(), *files.items()])
            key = records.key(self.plans.values(), self.seed, seen)
            record = self.latest.get(each.student, {})
            owed = self.forced or self.begun.owes(each.student, record)
            if record.get("key") == key and self.target(each.student).is_dir() and not owed:
                self.counts["as before"] += 1
                continue
            self.handed[each.student], self.keys[each.student] = (each, files), key
            folders = str(each.folder), each.within
            yield Job(each.student, each.notebooks, files, *folders, each.troubles, seen=seen)

    def target(self, student):
        return self.classroom.path(self.classroom.directory.autograded_directory, student)

    def grade(self, jobs, total):
        settings = self.classroom.settings
        least = 0 if self.options.trust else settings.minimum_level
        orders = Orders(
            self.plans,
            self.seed,
            settings.limits(),
            least,
            settings.namespaces,
            name_of(current()),
        )
        first = next(jobs, None)
        if first is None:
            return
        with self.hands(orders, total) as crew, self.progress(total) as bar:
            for done in crew.grade(chain(first, jobs)):
                if done.error.startswith("unprotected: "):
                    raise CourseError(refusal(done.error.removeprefix("unprotected: ")))
                self.finish(done)
                bar.update(self.counts["as before"] + self.done - bar.n)
            bar.update(total - bar.n)

    def hands(self, orders, total):
        """Who is to grade so many submissions."""
        if self.options.scheduler:
            try:
                return Cluster(orders, self.options.scheduler, self.say)
            except CannotStartError as error:
                raise CourseError(str(error)) from None
        count = min(self.options.jobs or processors(), -(-total // WORTH_A_PROCESS))
        return Crew(orders, count) if count > 1 else Single(orders)

    @property
    def done(self):
        return self.counts["graded"] + self.counts["problems"]

    def progress(self, total):
        from tqdm import tqdm

        quiet = self.options.json or not sys.stderr.isatty()
        return tqdm(total=total, unit="submission", disable=quiet, dynamic_ncols=True)

    def finish(self, done):
        """Write what came of a submission: files, gradebook, record, in this order."""
        handed, files = self.handed.pop(done.student)
        if done.error:
            self.counts["problems"] += 1
            self.report(done.student, [f"was not graded: {done.error.strip().splitlines()[-1]}"])
            return
        missing = [name for name in self.plans if name not in done.notebooks]
        try:
            hidden = self.save(handed, done, files, missing)
        except Exception as error:  # one whom the gradebook cannot take must not cost the others
            self.not_saved(done.student, error)
            return
        self.hidden += [(done.student, *each) for each in hidden]
        about = {name: each["record"] for name, each in done.notebooks.items()}
        record = records.record_of(
            done.student, self.classroom.assignment, self.keys.pop(done.student), self.seed, about
        )
        record |= {"missing": missing, "others": list(handed.others), "run": self.begun.run}
        try:
            records.append(*self.book, record)
        except OSError as error:
            raise StopError(trouble.of_file(error, self.classroom.root)) from None
        self.weak |= {each["protection"] for each in about.values() if each["level"] < WELL}
        self.counts["graded"] += 1
        self.tell(handed, record, missing)

    def save(self, handed, done, files, missing):
        """Files and scores: both as they were before, if one of them cannot be written."""
        with aside.Exchange(self.target(handed.student)) as place:
            self.write_files(place.fresh, done, files)
            place.move_in()
            found = {name: each["entries"] for name, each in done.notebooks.items()}
            return self.classroom.save(handed, found, missing)

    def not_saved(self, student, error):
        with contextlib.suppress(SQLAlchemyError):
            self.classroom.session.rollback()
        why = trouble.for_all(error, self.target(student))
        if why:
            raise StopError(why) from None
        self.counts["problems"] += 1
        self.report(student, [f"was not saved: {str(error).splitlines()[0]}"])

    def write_files(self, fresh, done, files):
        """Fill the folder that is to come into autograded/."""
        directory = self.classroom.directory
        for name, path in files.items():
            place = fresh / name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
        for name, each in done.notebooks.items():
            (fresh / f"{name}.ipynb").write_text(each["text"], encoding="utf-8")
        permissions = int(str(self.classroom.converter.permissions), 8)
        for path in fresh.rglob("*"):
            if path.is_file():
                path.chmod(permissions)
            elif directory.groupshared:
                path.chmod(0o2775)
        if directory.groupshared:
            fresh.chmod(0o2775)

    # --- What is said -----------------------------------------------------------------------------

    def say_before(self, handed):
        """What is worth knowing before the first submission is graded."""
        stale = self.classroom.stale(self.plans)
        if stale:
            self.say(stale)
        if self.before is not None and self.begun.run == self.before.run:
            finished = [self.latest.get(each.student, {}).get("run") for each in handed]
            self.say(
                f"Going on with the {'regrade' if self.begun.regrade else 'run'} that began "
                f"{self.begun.time} and was not finished: {finished.count(self.begun.run)} of "
                f"{len(handed)} are done."
            )

    def saved(self):
        """What a run that had to stop leaves behind."""
        count = self.counts["graded"]
        if not count:
            return "Nothing was graded."
        many = "1 submission is" if count == 1 else f"{count} submissions are"
        return f"{many} graded and saved; the same command goes on."

    def tell(self, handed, record, missing):
        said = [f"{name}.ipynb is missing" for name in missing]
        if not record["notebooks"]:  # else it is said of them
            said += [trouble.rstrip(".") for trouble in handed.troubles]
        if missing:
            said += [
                f"{name}.ipynb is there, and belongs to no assignment" for name in handed.others
            ]
        for about in record["notebooks"].values():
            said += [text.rstrip(".") for kind in REMARKABLE for text in about[kind]]
        cells = [cell for about in record["notebooks"].values() for cell in about["cells"]]
        if self.options.json:
            scores = {
                "points": sum(cell["points"] for cell in cells),
                "max_points": sum(cell["max_points"] for cell in cells),
            }
            line = {"student": handed.student, **scores, "remarks": said, **record}
            print(json.dumps(line), flush=True)
        elif said:
            self.report(handed.student, said)

    def report(self, student, sentences):
        if self.options.json and sentences:
            print(json.dumps({"student": student, "problem": sentences}), flush=True)
            return
        for sentence in sentences:
            self.say(f"{printable(student)}: {printable(sentence)}.")

    def say(self, text):
        from tqdm import tqdm

        tqdm.write(text, file=sys.stderr)

    def sum_up(self):
        if self.options.json:
            return
        counts = self.counts
        print(f"{counts['graded']} graded, {counts['as before']} were graded already.")
        if counts["problems"]:
            print(f"{counts['problems']} could not be graded; see above.")
        for protection in sorted(self.weak):
            print(f"Learners' code ran with {protection} only; `autograder doctor` says why.")
        for student, cell, before, now, own in self.hidden:
            print(
                f"{printable(student)}: {cell} now earns {now:g} (before: "
                f"{'nothing' if before is None else f'{before:g}'}), which the {own:g} "
                f"points entered by hand hide."
            )
        if text := forgeable(self.plans.values()):
            print(text)
        if counts["graded"]:
            print(
                f"Next: `nbgrader generate_feedback {self.classroom.assignment}`, "
                f"`autograder report {self.classroom.assignment}`."
            )


def chain(first, rest):
    yield first
    yield from rest


def processors():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def printable(text):
    """A student's name or words without what a terminal would obey."""
    return "".join(c if c.isprintable() else "�" for c in text)


def refusal(reason):
    return (
        f"Nothing was graded: {reason}\n`autograder doctor` says what this machine offers. To make "
        f"do with less, set c.SandboxedExecute.minimum_level in nbgrader_config.py; if you trust "
        f"everybody who has handed something in, say --trust."
    )
