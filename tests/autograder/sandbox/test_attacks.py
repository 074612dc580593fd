"""Hostile submissions: they earn nothing, others are graded, and nothing is left running."""

import os
import re
import time
from html.parser import HTMLParser

import pytest
from nbconvert.filters.markdown_mistune import (
    IPythonRenderer,
    MarkdownWithMath,
    markdown2html_mistune,
)
from nbformat import validate

from autograder.grading.notebook_run import ATTEMPTS
from autograder.notebooks.submission import as_text, harmless

from ..conftest import LIMITS, SECRET, SHORT, descendants
from .attacks import ATTACKS, RIGHT, SEEN, UNSEEN, WRONG

LONGEST = ATTEMPTS * (SHORT.total + 5)  # seconds


def points(graded):
    return {name: result.points for name, result in graded.results.items()}


def shown_by(graded):
    """All text that anybody would see of a notebook."""
    texts = []
    for cell in graded.notebook.cells:
        for output in cell.get("outputs", ()):
            texts += [output.get("text", ""), output.get("ename", ""), output.get("evalue", "")]
            texts += [*output.get("traceback", ()), *output.get("data", {}).values()]
    said = [text for r in graded.results.values() for text in (r.text, r.comment, r.html)]
    return "\n".join([*texts, *said, *graded.events])


def nothing_runs(keeper):
    """Wait until the sandbox is alone again; what else runs belongs to nobody."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if not descendants(keeper.warm.process.pid):
            return True
        time.sleep(0.02)
    return False


def withstand(attack, keeper, run, fill):
    """Grade a hostile submission."""
    started, before = time.monotonic(), set(descendants(os.getpid()))  # of other tests, too
    answers = {name: fill(source) for name, source in (WRONG | attack.answers).items()}
    limits = SHORT if attack.waits else LIMITS
    graded = run(keeper, answers, [fill(source) for source in attack.cells], limits)
    seconds = time.monotonic() - started
    assert seconds < LONGEST
    earned = points(graded)
    most = {name: cell.max_points * attack.worth for name, cell in graded.results.items()}
    worth = {f"check_{name}": most[f"check_{name}"] for name in attack.answers}
    assert earned == dict.fromkeys(earned, 0.0) | (worth if attack.worth else {})
    assert len(earned) == 4
    # Nobody is suspected of more than of reaching around the watcher, which some of these do.
    told = [said for r in graded.results.values() for said in r.trouble]
    assert all("could reach around what watches it" in trouble for trouble in told)
    shown = shown_by(graded)
    assert re.search(attack.proof, shown), shown[-3000:]
    assert "it worked" not in shown
    assert SECRET not in shown
    assert len(shown) < 2**24
    is_harmless(graded)
    assert bool(graded.events) >= attack.ends
    assert nothing_runs(keeper)
    assert set(descendants(os.getpid())) <= {keeper.warm.process.pid, *before}
    assert graded.level == keeper.offered


class Group:
    """After every few attacks on a sandbox, and after the last, an innocent submission is graded in
    it."""

    most = 10

    def __init__(self, run):
        self.run, self.attacks = run, {}

    def withstands(self, attack, keeper, fill):
        withstand(attack, keeper, self.run, fill)
        names = self.attacks.setdefault(keeper, [])
        names.append(attack.name)
        if len(names) == self.most:
            self.innocent_is_graded(keeper)

    def innocent_is_graded(self, keeper):
        names = self.attacks.pop(keeper)
        innocent = self.run(keeper, RIGHT)
        passed = {r.grade_id for r in innocent.results.values() if r.passed}
        assert passed == set(innocent.results) - {"quiz"}, f"after {names}"
        assert len(passed) == 3
        assert innocent.level == keeper.offered


@pytest.fixture(scope="module")
def group(run):
    made = Group(run)
    yield made
    for keeper in list(made.attacks):
        made.innocent_is_graded(keeper)


@pytest.fixture(autouse=True)
def _begin_warm(keeper):
    if keeper.warm.process is None:
        keeper.warm.ready()


def is_harmless(graded):
    """Can the notebook be written, shown and stored, without doing anything to whoever looks?"""
    notebook = graded.notebook
    validate(notebook)
    as_text(notebook).encode()
    for cell in notebook.cells:
        checked = "grade_id" in cell.metadata.get("nbgrader", {})
        for output in cell.get("outputs", ()):
            kinds = set(output.get("data", {}))
            assert kinds <= {"text/plain", "image/png", "image/jpeg"} | (
                {"text/html"} if checked else set()
            )
            for kind in kinds & {"image/png", "image/jpeg"}:
                assert re.fullmatch(r"[A-Za-z0-9+/=\s]*", output["data"][kind])
    for result in graded.results.values():
        assert active(result.html) == []
        assert active(markdown2html_mistune(result.comment)) == []
        for text in (result.text, result.comment, result.html):
            assert all(c in "\n\t\r" or c.isprintable() for c in text), repr(text[:200])


class Active(HTMLParser):
    """Collects what a browser would run, or ask of others."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        if tag in ("script", "iframe", "object", "embed", "svg", "style", "form", "meta", "link"):
            self.found.append(tag)
        for name, value in attributes:
            place = re.sub(r"[\x00-\x20]", "", value or "").lower()
            if name.startswith("on") or re.match(r"(java|vb)script:|data:(?!image/)", place):
                self.found.append(f"{name}={value}")


def active(html):
    parser = Active()
    parser.feed(html)
    return parser.found


def test_each_has_a_name_of_its_own():
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)


def test_wrong_answers_are_worth_nothing(keeper, run):
    assert set(points(run(keeper, WRONG)).values()) == {0.0}


def test_right_answers_are_worth_everything(keeper, run):
    graded = run(keeper, RIGHT)
    assert all(r.passed for name, r in graded.results.items() if name != "quiz")
    assert graded.events == []


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_earns_nothing(attack, keeper, group, fill):
    group.withstands(attack, keeper, fill)


@pytest.mark.parametrize(
    "attack", [attack for attack in ATTACKS if attack.walls], ids=lambda attack: attack.name
)
def test_earns_nothing_without_namespaces(attack, plain_keeper, group, fill):
    group.withstands(attack, plain_keeper, fill)


def test_the_answers_themselves_are_worth_no_more(keeper, run):
    """What an attack's answers earn with it, they earn without it."""
    for attack in ATTACKS:
        if attack.worth:
            honest = run(keeper, WRONG | attack.answers)
            for name in attack.answers:
                result = honest.results[f"check_{name}"]
                assert result.points == result.max_points * attack.worth


def test_nobody_came_in(door):
    """The socket that attacks tried to reach saw nobody."""
    with pytest.raises(BlockingIOError):
        door.accept()


def test_the_course_is_untouched(course):
    assert (course / "gradebook.db").read_text() == SECRET
    assert (course / "gradebook.db").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("way", SEEN)
def test_ready_made_functions_that_are_seen(way, keeper, run):
    answer = f"def softmax(x, dim=-1):\n    {SEEN[way]}"
    result = run(keeper, WRONG | {"softmax": answer}).results["check_softmax"]
    assert result.points == 0
    assert result.shortcut


@pytest.mark.parametrize("way", UNSEEN)
def test_ready_made_functions_that_cannot_be_seen(way, keeper, run):
    """This is how far watching goes. What it does not see is listed for a person to look at."""
    graded = run(keeper, WRONG | {"softmax": UNSEEN[way]})
    assert not graded.results["check_softmax"].shortcut
    assert any("could reach around what watches it" in event for event in graded.events)


MARKDOWN = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    r"\`<script>alert(1)</script>\`",
    "x ``` y\n\n<img src=x onerror=alert(1)>\n\nz ``` w",
    "    `\n\n<script>alert(1)</script>`",
    "~~~\n`\n~~~\n\n<script>1</script>`",
    "<<img src=x onerror=alert(1)>",
    "<!--><script>alert(1)</script>-->",
    "<?x ><script>alert(1)</script>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java&#115;cript:alert(1))",
    "[x](javascript&colon;alert(1))",
    r"[x](javascript\:alert(1))",
    "[x](<javascript:alert(1)>)",
    "[x](<java\tscript:alert(1)>)",
    "[x](  javascript:alert(1))",
    "[x](\n&#1;javascript:alert(1))",
    "[x](`javascript:alert(1))",
    "[x]\n\n[x]: javascript:alert(1)",
    "[x]\n\n[x]:\n  java&#115;cript:alert(1)",
    "![x](javascript:alert(1))",
    "[x](vb&#115;cript:a)",
    "[x](dat&#97;:text/html;base64,PHNjcmlwdD4=)",
    "<javascript:alert(1)>",
    '![a" onerror=alert(1) x="](a.png)',
    '[a](b "t\\" onclick=alert(1)")',
    '[a](b" onclick=alert(1))',
    "$<img src=x onerror=alert(1)>$",
    "$$\n<script>alert(1)</script>\n$$",
    "| a |\n|---|\n| <img src=x onerror=alert(1)> |",
)


@pytest.mark.parametrize("text", MARKDOWN)
def test_markdown_runs_nothing(text):
    assert active(markdown2html_mistune(harmless(text))) == []


class Pictures(HTMLParser):
    """Collects where a browser would fetch something as soon as it opens the page."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name in ("src", "srcset", "poster", "background", "data", "style") or (
                name == "href" and tag != "a"
            ):
                self.found.append(value)


def fetched(markdown, attachments=None):
    parser = Pictures()
    html = IPythonRenderer(escape=False, attachments=attachments or {})
    parser.feed(MarkdownWithMath(renderer=html).render(markdown))
    return parser.found


REMOTE = (
    "![x](https://e.org/p.png)",
    "![x](//e.org/p.png)",
    "![x]( HTTPS://e.org/p.png 'title')",
    "![x](\nhttps://e.org/p.png)",
    "!![x](https://e.org/p.png)",
    "![![x](https://e.org/a.png)](https://e.org/b.png)",
    "![x][r]\n\n[r]: https://e.org/p.png",
    "![r][]\n\n[r]: //e.org/p.png",
    "![r]\n\n[r]:\n  https://e.org/p.png",
    "![a](attachment:mine.png x)\n\n[a]: https://e.org/p.png",
    "![`](attachment:mine.png)`][r]\n\n[r]: https://e.org/p.png",
    "![$](attachment:mine.png)$][r]\n\n[r]: https://e.org/p.png",
    "![x](/hub/logout)",
    "![x](../../api/x.png)",
    "![x](a/../../b.png)",
    "![x](data:image/svg+xml;base64,PHN2Zz4=)",
    "<img src=https://e.org/p.png>",
    "<img srcset='https://e.org/p.png 2x'>",
    "<svg><image href='https://e.org/p.png'/></svg>",
    "<div style='background:url(https://e.org/p.png)'>",
    "<link rel=stylesheet href=https://e.org/p.css>",
    "<base href=https://e.org/>\n\n![x](p.svg)",
    "<video poster=https://e.org/p.png>",
)


@pytest.mark.parametrize("text", REMOTE)
def test_markdown_fetches_nothing(text):
    assert fetched(harmless(text, ["mine.png"]), {"mine.png": {"image/png": "iVBORw0KGgo"}}) == []


def test_pictures_that_came_along_stay():
    text = "![a](attachment:mine.png) ![b](figures/b-1.png) ![c](attachment:none.png)"
    found = fetched(harmless(text, ["mine.png"]), {"mine.png": {"image/png": "iVBORw0KGgo"}})
    assert found == ["data:image/png;base64,iVBORw0KGgo", "figures/b-1.png"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\u202eb\u2066c\x1b[31m\x00\u200b\ufeff", "a\ufffdb\ufffdc\ufffd[31m" + 3 * "\ufffd"),
        ("می\u200cخواهم\tx\n👩\u200d🔬", "می\u200cخواهم\tx\n👩\u200d🔬"),
        (r"$\style{background:url(//e.org)}{x} \frac{a}{b}$", None),
        (r"$\href{javascript:x}{y}$", None),
        ("```mermaid\nA@{ img: 'https://e.org/p.png' }\n```", None),
    ],
)
def test_what_nobody_sees_is_marked_and_what_scripts_draw_is_text(text, expected):
    shown = harmless(text)
    if expected is None:
        assert not re.search(r"\\(style|href)|^```mermaid", shown)
        assert "frac" not in text or r"\frac{a}{b}" in shown
    else:
        assert shown == expected


def test_what_is_fetched_is_told_from_what_is_not():
    """The test's own eye."""
    assert fetched("![x](https://e.org/p.png)") == ["https://e.org/p.png"]
    assert fetched("<img srcset='a 2x'>") == ["a 2x"]
    assert fetched("[x](https://e.org/p.png)") == []


@pytest.mark.parametrize(
    "text",
    [
        "The weights add up to 1: `a < b` and $x<y$.",
        "A [paper](https://arxiv.org/abs/1706.03762), [mail](mailto:a@b.org), [above](#top).",
        "![drawn](attachment:mine.png) and [a file](figures/mine-1.png)",
        "```python\nif a <b: x[0](y)\n```",
    ],
)
def test_honest_markdown_stays(text):
    shown = harmless(text, ["mine.png"])
    assert shown.replace("< b", "<b").replace("< y", "<y") == text.replace("< b", "<b")


def test_what_runs_nothing_is_told_from_what_does():
    """The test's own eye: these would run."""
    assert active("<p onclick='x'>") == ["onclick=x"]
    assert active("<a href='java\tscript:x'>") != []
    assert active("<script>") == ["script"]
    assert active(markdown2html_mistune("[x](java&#115;cript:alert(1))")) != []
