"""What had to be put right in a submission, in sentences for whoever grades it."""

from nbformat.notebooknode import NotebookNode

from .plan import Plan, asked_of, copies_of, missing_setup, the_one

MOST_NAMES = 3


def remarks(notebook: NotebookNode, plan: Plan) -> list[str]:
    """Sentences on a notebook as it was handed in, before it is put back into the plan."""
    name = f"{plan.notebook}.ipynb"
    if not notebook.cells:  # that has been said
        return []
    copies = copies_of(notebook, plan)
    told = [*of_copies(copies), *of_absent(plan, copies), *of_changed(notebook, plan, copies)]
    told += of_forged(notebook, copies)
    if missing_setup(notebook, plan):
        told.append("lacked the imports of its first cell, which was put back")
    return [f"{name} {each}." for each in told]


def of_copies(copies):
    for name, numbers in copies.items():
        if len(numbers) > 1:
            times = "twice" if len(numbers) == 2 else f"{len(numbers)} times"
            yield f"has the cell {listed([name])} {times}; the last one that was changed counts"


def of_absent(plan, copies):
    absent = [cell for cell in plan.cells if cell.grade_id not in copies]
    scored = [cell.grade_id for cell in absent if cell.grade or cell.task]
    answers = [c.grade_id for c in absent if c.solution and c.grade_id not in scored]
    if answers:
        yield f"lacks {listed(answers)}, where an answer belongs"
    if scored:
        yield f"lacked {listed(scored)}, which was put back"


def of_changed(notebook, plan, copies):
    """Only of checks: other locked cells may hold hidden tests, which the learner's copy lacks."""
    changed = []
    for name, numbers in copies.items():
        planned = plan.cell(name)
        text = notebook.cells[the_one(notebook, numbers, planned)].source
        if planned.locked and asked_of(planned.source) and text.strip() != planned.source.strip():
            changed.append(name)
    if changed:
        yield f"had other text in {listed(changed)}, which is locked; it is as it was again"


def of_forged(notebook, copies):
    marks = [cell.metadata.get("nbgrader", {}) for cell in notebook.cells]
    names = [mark["grade_id"] for mark in marks if mark and not mark.get("by_id")]
    forged = [name for name in names if name not in copies]
    if forged:
        yield f"has cells that the assignment has not ({listed(forged)}); they earn nothing"


def listed(names):
    """Some names, in a sentence; they may be anything."""
    names = list(dict.fromkeys(names))
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(f"`{repr(name[:60])[1:-1]}`" for name in names[:MOST_NAMES]) + more
