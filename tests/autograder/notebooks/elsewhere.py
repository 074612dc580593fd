"""A notebook as other programs save it: the same text, and much else around it.

What each of them writes was seen in notebooks that people have published.
"""

import copy
import json
import uuid

TIME = "2026-11-26T12:00:00.000000Z"


def as_colab(notebook, keeps_marks=True, minor=0):
    """As Colab saves it, of the oldest format: ids stand in the metadata alone; or of the newest,
    where they stand in both places.

    Args:
        keeps_marks: is nbgrader's own metadata still there?
    """
    saved = copy.deepcopy(notebook)
    view = {
        "cell_type": "markdown",
        "metadata": {"id": "view-in-github", "colab_type": "text"},
        "source": ['<a href="https://colab.research.google.com/github/OWNER/NAME">Open</a>'],
    }
    saved["cells"] = [view, *(colab_cell(cell, keeps_marks, minor) for cell in saved["cells"])]
    colab = {"provenance": [], "toc_visible": True, "include_colab_link": True}
    spec = {"name": "python3", "display_name": "Python 3"}
    saved["metadata"] = {"colab": colab, "kernelspec": spec, "language_info": {"name": "python"}}
    saved["nbformat_minor"] = minor
    # keys in another order, and what it does not escape
    return json.dumps(dict(reversed(saved.items())), indent=2, ensure_ascii=False)


def colab_cell(cell, keeps_marks, minor):
    own = cell["id"] if minor == 5 else cell.pop("id")
    metadata = cell["metadata"] if keeps_marks else {}
    if cell["cell_type"] == "code":
        metadata |= {
            "outputId": str(uuid.uuid4()),
            "colab": {"base_uri": "https://localhost:8080/"},
        }
        user = {"displayName": "A Learner", "userId": "0123456789"}
        metadata["executionInfo"] = {"status": "ok", "timestamp": 1, "elapsed": 5, "user": user}
        cell["execution_count"] = 7
        cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["hello\n"]}]
    cell["metadata"] = metadata | {"id": own}
    return cell


def as_kaggle(notebook):
    """As Kaggle saves it: no ids, much about when a cell was run, all on one line."""
    saved = copy.deepcopy(notebook)
    for cell in saved["cells"]:
        del cell["id"]
        cell["metadata"] |= {"_uuid": uuid.uuid4().hex, "_cell_guid": str(uuid.uuid4())}
        if cell["cell_type"] == "code":
            cell["metadata"] |= {"trusted": True, "execution": {"iopub.status.busy": TIME}}
            cell["execution_count"] = 7
        cell["source"] = "".join(cell["source"])  # one text, and no list of lines
    kaggle = {"accelerator": "none", "dataSources": [], "isInternetEnabled": True}
    saved["metadata"] |= {"kaggle": kaggle}
    saved["nbformat_minor"] = 4
    return json.dumps(saved, separators=(",", ":"))


def as_vscode(notebook):
    """As VS Code saves a notebook of an older format."""
    saved = copy.deepcopy(notebook)
    for cell in saved["cells"]:
        del cell["id"]
        if cell["cell_type"] == "code":
            cell["metadata"] |= {"vscode": {"languageId": "python"}}
    saved["metadata"] |= {"orig_nbformat": 4, "vscode": {"interpreter": {"hash": "0" * 64}}}
    saved["nbformat_minor"] = 2
    return json.dumps(saved, indent=1)


def as_jupytext(notebook):
    """As it comes out of a Python file with which it is paired: other ids, no outputs."""
    saved = copy.deepcopy(notebook)
    for cell in saved["cells"]:
        cell["id"] = uuid.uuid4().hex[:8]
    saved["metadata"] |= {"jupytext": {"cell_metadata_filter": "-all", "main_language": "python"}}
    return json.dumps(saved, indent=1)


PROGRAMS = {
    "colab": as_colab,
    "colab, of the newest format": lambda notebook: as_colab(notebook, minor=5),
    "colab, without nbgrader's marks": lambda notebook: as_colab(notebook, keeps_marks=False),
    "kaggle": as_kaggle,
    "vscode": as_vscode,
    "jupytext": as_jupytext,
}
