"""Notebooks as they come in: broken on the way, saved by the wrong program, edited without care.

Each is made of one that earns everything. It says what it loses, and what is said about it.
"""

import copy
import io
import json
import re
import zipfile
from dataclasses import dataclass

CHECKS = {
    "check_softmax": 8,
    "check_scaled_dot_product_attention": 11,
    "check_causal_mask": 4,
    "check_padding_mask": 6,
    "check_self_attention": 7,
    "quiz_attention": 9,
}
ALL = tuple(CHECKS)
MASK = ("check_causal_mask",)  # nothing else is built on it
QUIZ = ("quiz_attention",)
NAME = "01_attention.ipynb"
BROKEN = []


@dataclass
class Broken:
    """A broken submission.

    Args:
        make: gives what stands in the file, as text, bytes, or as what is written as JSON.
        lost: the cells that earn nothing; all others earn all.
        says: what the sentences about it contain; "" if there is nothing to be said.
        learner: what the learner is told about the first cell that is lost, as a pattern.
    """

    make: object
    lost: tuple = ()
    says: str = ""
    learner: str = ""

    @property
    def name(self):
        return self.make.__name__

    def content(self, notebook):
        """The bytes of the file."""
        made = self.make(copy.deepcopy(notebook))
        if made is not None and not isinstance(made, str | bytes):
            made = json.dumps(made, indent=1)
        return made.encode("utf-8") if isinstance(made, str) else made


def broken(lost=(), says="", learner=""):
    def note(make):
        BROKEN.append(Broken(make, lost, says, learner))
        return make

    return note


# --- Pieces ---------------------------------------------------------------------------------------


def named(cell):
    marks = cell.get("metadata", {}).get("nbgrader", {})
    return marks.get("grade_id")


def place(notebook, name):
    [number] = [n for n, cell in enumerate(notebook["cells"]) if named(cell) == name]
    return number


def cell(notebook, name):
    return notebook["cells"][place(notebook, name)]


def code(source, **metadata):
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": "own",
        "metadata": metadata,
        "outputs": [],
        "source": source,
    }


def text(a_cell):
    return "".join(a_cell["source"])


def edit(notebook, old, new, name="causal_mask"):
    """The notebook with another text in an answer."""
    found = cell(notebook, name)
    assert old in text(found)
    found["source"] = text(found).replace(old, new)
    return notebook


def before(notebook, source, name="causal_mask"):
    """The notebook with a cell before an answer."""
    notebook["cells"].insert(place(notebook, name), code(source))
    return notebook


def after(notebook, source, name="check_causal_mask"):
    notebook["cells"].insert(place(notebook, name) + 1, code(source))
    return notebook


def answers(notebook):
    [found] = [c for c in notebook["cells"] if text(c).lstrip("# ").startswith("Put the letter")]
    return found


def written(notebook):
    return json.dumps(notebook, indent=1, ensure_ascii=False)


def without_cells(**changed):
    return {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5} | changed


# --- Files that are no notebooks, or were cut off -------------------------------------------------


@broken(ALL, "is empty")
def empty(_):
    return ""


@broken(ALL, "is empty")
def white_space(_):
    return " \n\t\r\n"


@broken(ALL, "is empty")
def nothing_but_zeros(_):
    return bytes(5000)


@broken(ALL, "is not JSON from line 1 on")
def a_letter_to_the_teacher(_):
    return "I could not open the notebook, sorry!\nYours, B."


@broken(ALL, "is not JSON from line 1 on")
def a_script(notebook):
    return "\n\n".join(text(c) for c in notebook["cells"] if c["cell_type"] == "code")


@broken(ALL, "is a picture")
def a_picture(_):
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256))


@broken(ALL, "is a zip archive")
def a_zip(notebook):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr(NAME, written(notebook))
    return held.getvalue()


@broken(ALL, "is a PDF")
def a_pdf(_):
    return b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n"


@broken(ALL, "is a web page")
def a_login_page(_):
    return "\n<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head></html>"


@broken(ALL, "is not JSON")
def binary(_):
    return bytes(range(256)) * 40


@broken(ALL, "ends in the middle")
def cut_off_at_once(notebook):
    return written(notebook)[:12]


@broken(ALL, "ends in the middle")
def cut_off_in_the_first_answer(notebook):
    whole = written(notebook)
    return whole[: whole.index("keepdim=True")]


@broken(ALL[2:], r"ends in the middle.*; \d+ of its cells were saved")
def cut_off_in_the_third_answer(notebook):
    whole = written(notebook)
    return whole[: whole.index("query = position[:, None]")]


@broken(ALL[3:], r"ends in the middle.*; \d+ of its cells were saved")
def cut_off_between_two_cells(notebook):
    whole = written(notebook)
    begins = whole.rindex("  {", 0, whole.index("def padding_mask"))
    return whole[:begins]


@broken((), r"ends in the middle.*; \d+ of its cells were saved")
def cut_off_before_the_last_bracket(notebook):
    return written(notebook).rstrip()[:-1]


@broken((), r"is not JSON from line \d+ on.*; \d+ of its cells were saved")
def zeros_behind_the_end(notebook):
    return written(notebook).encode() + bytes(4096)


@broken((), r"is not JSON from line \d+ on.*; \d+ of its cells were saved")
def a_comma_too_many(notebook):
    return written(notebook).replace('"nbformat"', ', "nbformat"')


@broken(MASK, r"merge that was never finished \(<<<<<<<, line \d+\).*; \d+ of its cells were saved")
def a_merge_never_finished(notebook):
    whole = written(notebook)
    line = next(line for line in whole.splitlines() if "return key <= query" in line)
    theirs = line.replace("<=", "<")
    both = f"<<<<<<< HEAD\n{line}\n=======\n{theirs}\n>>>>>>> origin/main"
    return whole.replace(line, both)


@broken((), r"nested too deep.*; \d+ of its cells were saved")
def metadata_nested_too_deep(notebook):
    return written(notebook).replace('"metadata": {}', '"metadata": ' + "[" * 10**5, 1)


@broken(ALL, "nested too deep")
def nothing_but_brackets(_):
    return "[" * 10**6


@broken((), r"is not JSON.*; \d+ of its cells were saved")
def a_number_of_ten_thousand_digits(notebook):
    return written(notebook).replace('"nbformat_minor": 5', '"nbformat_minor": ' + "5" * 10**4)


@broken(ALL, "is larger than 50 MB")
def sixty_megabytes(_):
    return b"{" + b" " * 60 * 2**20 + b"}"


@broken(ALL, "too many parts")
def millions_of_empty_lists(notebook):
    return '{"cells": [' + "[]," * 2_000_000 + "[]]}"


# --- Encodings and line ends ----------------------------------------------------------------------


@broken()
def byte_order_mark(notebook):
    return b"\xef\xbb\xbf" + written(notebook).encode()


@broken()
def utf_16(notebook):
    return written(notebook).encode("utf-16")


@broken()
def utf_16_without_its_mark(notebook):
    return written(notebook).encode("utf-16-le")


@broken()
def windows_1252(notebook):
    return written(edit(notebook, "Let every", "Für jede – »")).encode("cp1252", "replace")


@broken()
def windows_line_ends(notebook):
    for each in notebook["cells"]:
        each["source"] = text(each).replace("\n", "\r\n")
    return written(notebook).replace("\n", "\r\n")


@broken()
def old_mac_line_ends(notebook):
    for each in notebook["cells"]:
        each["source"] = text(each).replace("\n", "\r")
    return written(notebook).replace("\n", "\r")


@broken()
def line_breaks_within_texts(notebook):
    return written(notebook).replace("\\n", "\n")


@broken()
def half_a_character(notebook):
    return before(notebook, "half = '\ud83d'")


# --- The format -----------------------------------------------------------------------------------


def as_format_3(notebook):
    for each in notebook["cells"]:
        if each["cell_type"] == "code":
            each["input"] = each.pop("source")
            each["language"] = "python"
            each["prompt_number"] = each.pop("execution_count")
    notebook["cells"].insert(
        0, {"cell_type": "heading", "level": 1, "metadata": {}, "source": ["Attention"]}
    )
    sheets = [{"cells": notebook.pop("cells"), "metadata": {}}]
    return notebook | {"worksheets": sheets, "nbformat": 3, "nbformat_minor": 0}


@broken((), "says 3 where the number of its format, 4, belongs")
def format_3(notebook):
    return as_format_3(notebook)


@broken((), "says 2 where")
def format_2(notebook):
    return as_format_3(notebook) | {"nbformat": 2}


@broken((), "says 3 where")
def cells_on_two_worksheets(notebook):
    made = as_format_3(notebook)
    cells = made["worksheets"][0]["cells"]
    return made | {"worksheets": [{"cells": cells[:40]}, None, {"cells": cells[40:]}]}


@broken((), "says 5 where")
def format_5(notebook):
    return notebook | {"nbformat": 5}


@broken((), "says 'four' where")
def format_in_words(notebook):
    return notebook | {"nbformat": "four"}


@broken((), "says nothing where")
def no_format(notebook):
    del notebook["nbformat"], notebook["nbformat_minor"]
    return notebook


@broken()
def a_format_of_tomorrow(notebook):
    return notebook | {"nbformat_minor": 99}


@broken((), "was written for 'R'; its cells were run as Python")
def a_kernel_of_another_language(notebook):
    spec = {"display_name": "R", "language": "R", "name": "ir"}
    return notebook | {"metadata": {"kernelspec": spec, "language_info": {"name": "R"}}}


@broken()
def a_kernel_that_nobody_has(notebook):
    spec = {"display_name": "my env", "language": "python", "name": "conda-env-mine-py"}
    return notebook | {"metadata": {"kernelspec": spec}}


@broken()
def no_kernel(notebook):
    return notebook | {"metadata": {}}


@broken()
def metadata_null(notebook):
    return notebook | {"metadata": None}


@broken()
def metadata_a_list(notebook):
    return notebook | {"metadata": ["python3"]}


@broken(ALL, "is JSON, and no notebook")
def a_list(notebook):
    return notebook["cells"]


@broken(ALL, "is JSON, and no notebook")
def null(_):
    return "null"


@broken(ALL, "has no cells")
def no_cells(_):
    return without_cells()


@broken(ALL, "has no list of cells")
def cells_null(_):
    return without_cells(cells=None)


@broken(ALL, "has no list of cells")
def cells_a_text(_):
    return without_cells(cells="print(1)")


@broken((), r"has no list of cells.*; 99 of its cells were saved")
def cells_by_name(notebook):
    return without_cells(cells={str(n): c for n, c in enumerate(notebook["cells"])})


@broken(ALL, "has 5 entries that are no cells.*has no cells")
def cells_of_wrong_types(_):
    return without_cells(cells=[1, None, "print(1)", ["x"], True])


@broken((), "has an entry that is no cell")
def a_number_among_the_cells(notebook):
    notebook["cells"].insert(3, 17)
    return notebook


@broken()
def types_of_cells_that_there_are_not(notebook):
    for kind in (["code"], {"a": 1}, None, 5, "spreadsheet"):
        notebook["cells"].insert(1, code("x = 1") | {"cell_type": kind})
    return notebook


@broken()
def the_type_of_an_answer_is_missing(notebook):
    del cell(notebook, "causal_mask")["cell_type"]
    return notebook


@broken((), "has 10099 cells; at most 1000 are read")
def ten_thousand_cells(notebook):
    middle = place(notebook, "causal_mask")
    notebook["cells"][middle:middle] = [code(f"x = {n}") for n in range(10_000)]
    return notebook


@broken((), "has a cell of more than 100,000 characters")
def a_cell_of_five_megabytes(notebook):
    return before(notebook, "numbers = [" + "1234567, " * 600_000 + "]")


@broken()
def twenty_five_megabytes_of_outputs(notebook):
    picture = {"image/png": "iVBORw0KGgo" + "A" * 5 * 2**20}
    shown = {"output_type": "display_data", "data": picture, "metadata": {}}
    for name in ALL[:5]:
        cell(notebook, name)["outputs"] = [shown]
    return notebook


@broken()
def outputs_of_wrong_types(notebook):
    for name, outputs in zip(ALL, (None, "nothing", 7, [None], {"a": []}, [["text"]])):
        cell(notebook, name)["outputs"] = outputs
    return notebook


@broken()
def texts_line_by_line(notebook):
    for each in notebook["cells"]:
        each["source"] = text(each).splitlines(keepends=True)
    return notebook


@broken()
def texts_in_nested_lists(notebook):
    found = cell(notebook, "causal_mask")
    lines = text(found).splitlines(keepends=True)
    found["source"] = [lines[:3], [[lines[3]], [], None, lines[4:]]]
    return notebook


@broken(MASK, "has an entry that is no cell.*lacks `causal_mask`", "defines `causal_mask`")
def a_number_in_place_of_a_text(notebook):
    cell(notebook, "causal_mask")["source"] = 5
    return notebook


@broken(MASK, "", "defines `causal_mask`")
def no_text(notebook):
    del cell(notebook, "causal_mask")["source"]
    return notebook


# --- What nbgrader knows of a cell ----------------------------------------------------------------


@broken()
def marks_lost_but_ids_kept(notebook):
    for each in notebook["cells"]:
        each["metadata"] = {}
    return notebook


@broken((), "lacks `softmax`, .* and 2 more, where an answer.*lacked `check_softmax`, .*back")
def marks_and_ids_lost(notebook):
    for each in notebook["cells"]:
        del each["metadata"], each["id"]
    return notebook


@broken()
def marks_null(notebook):
    for each in notebook["cells"]:
        each["metadata"] = None
    return notebook


@broken()
def marks_in_a_list(notebook):
    for each in notebook["cells"]:
        each["metadata"] = [each["metadata"]]
    return notebook


@broken()
def the_same_id_everywhere(notebook):
    for each in notebook["cells"]:
        each["id"] = "a"
    return notebook


@broken()
def ids_of_wrong_types(notebook):
    for number, each in enumerate(notebook["cells"]):
        each["id"] = [number, None, {"a": 1}, ""][number % 4]
    return notebook


@broken((), "has the cell `causal_mask` twice; the last one that was changed counts")
def an_answer_copied(notebook):
    notebook["cells"].insert(0, copy.deepcopy(cell(notebook, "causal_mask")))
    return notebook


@broken((), "has the cell `causal_mask` 3 times")
def an_answer_copied_and_its_copies_emptied(notebook):
    spare = cell(notebook, "causal_mask") | {"source": ""}
    return notebook | {"cells": [spare, *notebook["cells"], spare]}


@broken((), "has the cell `causal_mask` twice")
def an_answer_begun_twice_and_right_the_second_time(notebook):
    first = copy.deepcopy(cell(notebook, "causal_mask"))
    first["source"] = "def causal_mask(length, device=None):\n    return torch.ones(length, length)"
    notebook["cells"].insert(place(notebook, "causal_mask"), first)
    return notebook


@broken((), "has the cell `check_causal_mask` 3 times")
def a_check_copied(notebook):
    spare = cell(notebook, "check_causal_mask")
    return notebook | {"cells": [spare, *notebook["cells"], spare]}


@broken((), "lacked `check_causal_mask`, which was put back")
def a_check_deleted(notebook):
    del notebook["cells"][place(notebook, "check_causal_mask")]
    return notebook


@broken((), "lacked `check_softmax`, .*and 4 more, which was put back")
def all_checks_deleted(notebook):
    gone = {*ALL, "lookup_and_mask"}
    return notebook | {"cells": [c for c in notebook["cells"] if named(c) not in gone]}


@broken(MASK, "lacks `causal_mask`, where an answer belongs", "defines `causal_mask`")
def an_answer_deleted(notebook):
    del notebook["cells"][place(notebook, "causal_mask")]
    return notebook


@broken(
    tuple(name for name in ALL if name not in MASK),
    "lacks `softmax`, .*lacked `check_softmax`, .*imports of its first cell",
)
def everything_deleted_but_one_answer(notebook):
    return notebook | {"cells": [cell(notebook, "causal_mask")]}


LATER = "A check counts where it stands"


@broken(tuple(ALL), "", LATER)
def last_things_first(notebook):
    cells = notebook["cells"]
    first = next(n for n, c in enumerate(cells) if text(c).startswith("# Run this cell first"))
    return notebook | {"cells": [cells.pop(first), *reversed(cells)]}


@broken(MASK, "", LATER)
def a_check_above_its_answer(notebook):
    cells = notebook["cells"]
    cells.insert(2, cells.pop(place(notebook, "check_causal_mask")))
    return notebook


@broken()
def an_answer_split_into_a_helper_and_the_rest(notebook):
    edit(notebook, "key <= query", "no_later(key, query)")
    return before(notebook, "def no_later(key, query):\n    return key <= query")


@broken(MASK, "", "There is no `causal_mask` here, though a cell above")
def a_definition_split_in_its_middle(notebook):
    found = cell(notebook, "causal_mask")
    head, body = text(found).split("    position =")
    found["source"] = head.split('    """')[0]
    notebook["cells"].insert(place(notebook, "causal_mask") + 1, code("    position =" + body))
    return notebook


@broken((), "lacked `check_causal_mask`, which was put back")
def an_answer_merged_with_its_check(notebook):
    found = cell(notebook, "causal_mask")
    found["source"] = text(found) + "\n\n\ncheck(causal_mask)"
    del notebook["cells"][place(notebook, "check_causal_mask")]
    return notebook


@broken((), "lacks `causal_mask`.*had other text in `check_causal_mask`, which is locked")
def a_check_merged_with_its_answer(notebook):
    found = cell(notebook, "check_causal_mask")
    found["source"] = text(cell(notebook, "causal_mask")) + "\n\n\ncheck(causal_mask)"
    del notebook["cells"][place(notebook, "causal_mask")]
    return notebook


@broken((), "had other text in `check_causal_mask`, which is locked; it is as it was again")
def a_check_edited(notebook):
    cell(notebook, "check_causal_mask")["source"] = "check(softmax)  # this one is right"
    return notebook


@broken()
def points_changed(notebook):
    for name, points in zip(ALL, (1000, -5, "8", None, 1e308, [1])):
        cell(notebook, name)["metadata"]["nbgrader"]["points"] = points
    return notebook


@broken()
def marks_of_another_version(notebook):
    for name in ALL:
        cell(notebook, name)["metadata"]["nbgrader"]["schema_version"] = 99
    return notebook


@broken((), r"has cells that the assignment has not \(`extra`\); they earn nothing")
def a_cell_of_its_own_points(notebook):
    marks = copy.deepcopy(cell(notebook, "check_softmax")["metadata"])
    marks["nbgrader"] |= {"grade_id": "extra", "points": 100}
    notebook["cells"].append(code("100", **marks))
    return notebook


@broken()
def an_answer_turned_into_markdown(notebook):
    found = cell(notebook, "causal_mask")
    found["cell_type"] = "markdown"
    del found["outputs"], found["execution_count"]
    return notebook


@broken()
def an_answer_turned_into_a_raw_cell(notebook):
    cell(notebook, "causal_mask")["cell_type"] = "raw"
    return notebook


@broken()
def an_answer_in_words_turned_into_code(notebook):
    cell(notebook, "lookup_and_mask")["cell_type"] = "code"
    return notebook


# --- Code as people leave it ----------------------------------------------------------------------


@broken(MASK, "", "There is no `causal_mask` here, though a cell above")
def a_syntax_error(notebook):
    return edit(notebook, "device=device)", "device=device")


@broken(MASK, "", "There is no `causal_mask` here, though a cell above")
def marks_of_a_merge_in_the_code(notebook):
    both = "<<<<<<< HEAD\n    return key <= query\n=======\n    return query >= key\n>>>>>>> mine"
    return edit(notebook, "    return key <= query", both)


@broken()
def indented_by_tabs(notebook):
    found = cell(notebook, "causal_mask")
    found["source"] = text(found).replace("    ", "\t")
    return notebook


@broken(MASK, "", "There is no `causal_mask` here, though a cell above")
def tabs_and_spaces(notebook):
    return edit(notebook, "    key = position", "\tkey = position")


@broken(MASK, "", "There is no `causal_mask` here, though a cell above")
def smart_quotes(notebook):
    return edit(notebook, '"""', "“““")


@broken(MASK, "", "There is no `causal_mask` here, though a cell above")
def spaces_that_do_not_break(notebook):
    return edit(notebook, "    position =", "\xa0   position =")


@broken()
def names_from_all_over_the_world(notebook):
    edit(notebook, "position", "位置")
    return edit(notebook, "query = ", "Ærø = ſ = query = ")


@broken()
def the_cell_is_timed(notebook):
    found = cell(notebook, "causal_mask")
    found["source"] = "%%time\n" + text(found)
    return notebook


@broken(MASK, "", "There is no `causal_mask` here, though a cell above")
def the_cell_is_timed_many_times(notebook):
    found = cell(notebook, "causal_mask")
    found["source"] = "%%timeit -n 1 -r 1\n" + text(found)
    return notebook


@broken()
def a_package_is_installed_first(notebook):
    return before(notebook, "!pip install einops")


@broken()
def a_package_is_installed_in_the_answer(notebook):
    found = cell(notebook, "causal_mask")
    found["source"] = "!pip install einops\nlisted = !ls\n" + text(found)
    return notebook


@broken()
def magics_before_the_answer(notebook):
    magics = ("%load_ext autoreload", "%matplotlib inline", "%pip install einops", "%nothing")
    for magic in (*magics, "%%bash\nls", "%%writefile mine.py\nx = 1", "%config X.y = 1"):
        before(notebook, magic)
    return notebook


@broken()
def awaits_at_the_top(notebook):
    found = cell(notebook, "causal_mask")
    found["source"] = "import asyncio\nawait asyncio.sleep(0)\n" + text(found)
    return notebook


@broken()
def asks_for_input(notebook):
    return before(notebook, 'name = input("Your name? ")')


@broken()
def raises_before_the_answer(notebook):
    return before(notebook, 'raise RuntimeError("to be continued")')


@broken()
def ends_in_its_own_way(notebook):
    return before(notebook, "import sys\n\nsys.exit()")


@broken(MASK, "", "There is no `causal_mask` here, though a cell above")
def raises_in_the_answer_before_the_definition(notebook):
    found = cell(notebook, "causal_mask")
    found["source"] = "print(undefined)\n" + text(found)
    return notebook


@broken()
def raises_in_the_answer_after_the_definition(notebook):
    found = cell(notebook, "causal_mask")
    found["source"] = text(found) + "\n\n\nprint(causal_mask(3) + undefined)"
    return notebook


@broken(MASK, "", LATER)
def wrong_where_it_belongs_and_right_later(notebook):
    right = text(cell(notebook, "causal_mask"))
    return after(edit(notebook, "return key <= query", "return None"), right)


@broken()
def right_where_it_belongs_and_wrong_later(notebook):
    return after(notebook, "def causal_mask(length, device=None):\n    return None")


@broken(MASK, "", "defines `causal_mask`")
def another_name(notebook):
    return edit(notebook, "def causal_mask", "def my_mask")


@broken(MASK, "", "defines `causal_mask`|There is no `causal_mask`")
def another_name_for_an_attempt(notebook):
    return edit(notebook, "def causal_mask", "def causal_mask_2")


@broken(MASK, "", "causal_mask")
def a_number_of_that_name(notebook):
    return after(notebook, "causal_mask = 3", name="causal_mask")


@broken((), "lacked the imports of its first cell, which was put back")
def the_first_cell_deleted(notebook):
    cells = notebook["cells"]
    kept = [c for c in cells if not text(c).startswith("# Run this cell first")]
    assert len(kept) == len(cells) - 1
    return notebook | {"cells": kept}


@broken((), "lacked the imports of its first cell, which was put back")
def the_first_cell_with_a_slip(notebook):
    [found] = [c for c in notebook["cells"] if text(c).startswith("# Run this cell first")]
    found["source"] = text(found).replace("import math", "import math math")
    return notebook


@broken(MASK, "", "NotImplementedError|not written|not yet")
def not_implemented_before_the_code(notebook):
    return edit(notebook, "    position =", "    raise NotImplementedError\n    position =")


@broken()
def not_implemented_behind_the_code(notebook):
    return edit(notebook, "<= query", "<= query\n    raise NotImplementedError")


@broken()
def prints_without_end(notebook):
    noise = "    for n in range(20_000):\n        print(n, 'x' * 100)\n    position ="
    return edit(notebook, "    position =", noise)


@broken()
def warns_on_stderr(notebook):
    noise = "    import sys, warnings\n    warnings.warn('careful')\n"
    noise += "    print('careful', file=sys.stderr)\n    position ="
    return edit(notebook, "    position =", noise)


@broken()
def shows_a_figure(notebook):
    figure = (
        "    import matplotlib.pyplot as plt\n    plt.plot([1, 2])\n    plt.show()\n    position ="
    )
    return edit(notebook, "    position =", figure)


@broken()
def backslashes_in_plain_texts(notebook):
    return edit(notebook, "    position =", "    formula = '\\d\\s \\alpha'\n    position =")


@broken()
def a_zero_in_the_code(notebook):
    return before(notebook, "x = '\0'")


@broken()
def an_expression_without_end(notebook):
    return before(notebook, "x = " + "+".join(["1"] * 20_000))


@broken()
def brackets_without_end(notebook):
    return before(notebook, "x = " + "(" * 20_000)


@broken()
def a_hundred_empty_cells(notebook):
    middle = place(notebook, "causal_mask")
    notebook["cells"][middle:middle] = [code("") for _ in range(100)]
    return notebook


# --- The quiz -------------------------------------------------------------------------------------


@broken(QUIZ, "", "not answered yet")
def no_answers(notebook):
    found = answers(notebook)
    found["source"] = re.sub(r'"\w"', '""', text(found))
    return notebook


@broken(QUIZ, "", "not answered yet")
def answers_deleted(notebook):
    notebook["cells"].remove(answers(notebook))
    return notebook


@broken(QUIZ, "", "not answered yet|there is no choice")
def answers_in_a_list(notebook):
    answers(notebook)["source"] = 'answers = ["A", "B", "C"]'
    return notebook


@broken(QUIZ, "", "not answered yet|there is no choice")
def answers_of_wrong_types(notebook):
    made = "answers = {1: None, 2: 3, 3: ['A'], 4: {}, 5: print, 6: float('nan'), 7: b'A', 8: 1j}"
    answers(notebook)["source"] = made
    return notebook


@broken(QUIZ, "", "there is no choice")
def answers_in_whole_sentences(notebook):
    answers(notebook)["source"] = 'answers = {n: "I think " * 500 for n in range(1, 10)}'
    return notebook


@broken()
def answers_in_small_letters_with_spaces(notebook):
    found = answers(notebook)
    found["source"] = re.sub(r'"(\w)"', lambda letter: f'" {letter[1].lower()}\\n"', text(found))
    return notebook
