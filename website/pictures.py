"""Pictures that lie inside outputs, taken out into files; and explorers as HTML."""

import base64
import hashlib
import html
import json
import math
import re
import struct

PNG = re.compile(r'src="data:image/png;base64,([^"]+)"')
ONE = "Here one thing moves at a time; in the notebook all of them do."
NOTEBOOK = re.compile(r"(?<=href=['\"])(\d\d_\w+)\.ipynb")
FOLDER = "_static/pictures"  # as pages see it
WIDE = 720  # pixels: what is wider isn't shrunk to a phone's width, and is pushed sideways there


def as_files(text, folder):
    """HTML whose pictures are files in a folder; pages load them when they are about to be seen.
    Links to other lessons lead to their pages."""
    text = NOTEBOOK.sub(r"\1.html", text)
    return PNG.sub(lambda found: attributes(found[1], folder), text)


def attributes(image, folder):
    """An <img>'s attributes for a picture in base64, which is written into a folder."""
    name, (width, height) = written(image, folder), size_of(image)
    wide = ' class="wide"' * (width > WIDE)
    return f'src="{FOLDER}/{name}" width="{width}" height="{height}" loading="lazy"{wide}'


def written(image, folder):
    """The name of a picture's file, which tells one picture from another."""
    content = base64.b64decode(image)
    name = hashlib.sha256(content).hexdigest()[:16] + ".png"
    (folder / name).write_bytes(content)
    return name


def size_of(image):
    """(width, height), which a PNG tells in its first bytes."""
    return struct.unpack(">II", base64.b64decode(image[:32])[16:24])


def explorer(explored, folder):
    """The controls of an explorer above the picture of its first choices.

    Without JavaScript the controls stay hidden, and the picture is what there is.
    """
    pictures = [as_files(picture, folder) for picture in explored["pictures"]]
    first = explored["shown"][",".join("0" for _ in explored["choices"])]
    every = math.prod(len(values) for _, values in explored["choices"])
    note = "" if len(explored["shown"]) == every else f'<p class="note" hidden>{ONE}</p>'
    controls = "".join(control(name, values) for name, values in explored["choices"])
    return (
        f'<div class="explorer"><div class="controls" hidden>{controls}</div>'
        f'<div class="shown">{pictures[first]}</div>{note}'
        f"{for_script({'pictures': pictures, 'shown': explored['shown']})}</div>"
    )


def painter(painted, picture, folder):
    """A mask to paint, which the page's JavaScript puts in the place of the picture."""
    return f'<div class="painter">{as_files(picture, folder)}{for_script(painted)}</div>'


def for_script(data):
    """Data beside an element, for the script that makes it move."""
    text = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
    return f'<script type="application/json">{text}</script>'


def control(name, values):
    """A slider for numbers, a list for words."""
    label = html.escape(name)
    if len(values) > 2 and all(map(is_number, values)):
        names = html.escape(json.dumps(values))
        return (
            f'<label>{label} <input type="range" min="0" max="{len(values) - 1}" value="0" '
            f'data-names="{names}" aria-valuetext="{html.escape(values[0])}">'
            f'<span class="chosen" aria-hidden="true">{html.escape(values[0])}</span></label>'
        )
    options = "".join(
        f'<option value="{number}">{html.escape(value)}</option>'
        for number, value in enumerate(values)
    )
    return f"<label>{label} <select>{options}</select></label>"


def is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True
