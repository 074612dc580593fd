"""What is sealed in a student's edition: text that opens with a secret, and with nothing else.

The edition has a folder sealed/ beside this file, with JSON that holds such texts; the full course
has none. The standard library knows no ciphers, so this puts together what it does have, in the
usual way: from a secret and a random salt scrypt makes two keys; from the first SHAKE-256 makes as
many random bytes as there are to hide; an HMAC with the second proves that nothing was changed. The
salt sees to it that no key is used twice.

A seal is only as good as its secret is hard to guess. Where guessing is easy, each guess can at
least be made to take its time.
"""

import base64
import hashlib
import hmac
import json
import secrets
from functools import lru_cache

from . import places

SLOW = 2**14  # scrypt's n: some 40 ms and 16 MB for each key
QUICK = 2  # hardly any time: for what is only kept out of sight
SALT, TAG = 16, 32  # bytes


class BrokenSealError(ValueError):
    """It was sealed with another secret, or has been changed since."""

    def __init__(self):
        super().__init__("this seal does not open: the files of the course have been changed.")


def seal(text, secret, effort):
    """A text that `unseal` opens with the same secret and effort."""
    salt = secrets.token_bytes(SALT)
    cover, proof = keys(secret, salt, effort)
    hidden = covered(text.encode(), cover)
    return base64.b64encode(salt + tag(hidden, proof) + hidden).decode()


def unseal(sealed, secret, effort):
    """The text that was sealed, or a BrokenSealError."""
    try:
        whole = base64.b64decode(sealed, validate=True)
    except ValueError:
        raise BrokenSealError from None
    salt, signed, hidden = whole[:SALT], whole[SALT : SALT + TAG], whole[SALT + TAG :]
    cover, proof = keys(secret, salt, effort)
    if not hmac.compare_digest(signed, tag(hidden, proof)):
        raise BrokenSealError
    return covered(hidden, cover).decode()


def keys(secret, salt, effort):
    """One to cover a text with, and one to prove that it is unchanged."""
    made = hashlib.scrypt(secret.encode(), salt=salt, n=effort, r=8, p=1, dklen=64)
    return made[:32], made[32:]


def covered(data, key):
    """Bytes made unreadable; covered once more they are what they were."""
    return bytes(a ^ b for a, b in zip(data, hashlib.shake_256(key).digest(len(data))))


def tag(hidden, key):
    return hmac.digest(key, hidden, "sha256")


def held(name):
    """What a file of the edition holds; {} in the full course."""
    path = places.SEALED / name
    return read(path) if path.is_file() else {}


@lru_cache
def read(path):
    return json.loads(path.read_text(encoding="utf-8"))
