"""Characters that show nothing, and change what is around them or what a terminal does.

Left alone are tab and line breaks, and what writing needs: the joiners of Persian, of Indian
scripts and of emoji, and marks of direction that end with the word they stand beside.
"""

import re

UNSEEN = re.compile(
    "["
    r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # control characters; ESC is one of them
    r"\u200b\u2060-\u2065\ufeff"  # spaces and operators without any width
    r"\u2028\u2029"  # line breaks that look like none
    r"\u202a-\u202e\u2066-\u206f"  # what turns the direction of the text around it
    r"\ufff9-\ufffb\U000e0000-\U000e007f"  # notes between the lines, and tags
    r"\ud800-\udfff"  # halves of characters, which cannot be written
    "]"
)


def marked(text):
    """The text with a mark where it has such a character."""
    return UNSEEN.sub("\ufffd", text)


def left_out(text):
    """The text without them."""
    return UNSEEN.sub("", text)
