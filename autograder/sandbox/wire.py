"""Messages between the judge and the sandbox: strict JSON, and the bytes of tensors behind it.

Whatever comes from the sandbox may have been written by a learner's code. So a message has a size
limit before it is read, only plain values, tensors of a few kinds, and the classes named in PLAIN
are ever made of it, and nothing is unpickled. A frame is: length of the JSON (4 bytes), length of
the tensors' bytes (8 bytes), both.
"""

import dataclasses
import json
import math
import socket
import struct
import time
from typing import Any, NoReturn

import torch

from ..engine.trial import Answer, Call, Problem, StandIn, Trial

HEAD = struct.Struct(">IQ")
READ_AHEAD = 2**16
LARGEST_TEXT = 2**21  # bytes of JSON
LARGEST_BODY = 2**26  # bytes of tensors
LARGEST_ANSWER = 2**23  # of them from the sandbox: the judge keeps many answers at once
LARGEST_ARRAY = 2**21  # and of one tensor; what is right has a fifth of that
MOST_PARTS = 100_000  # lists and dicts in a message
DEEPEST = 40  # lists in lists
LONGEST_DICT = 2000  # keys that are made to collide take the square of their number

PLAIN = {kind.__name__: kind for kind in (Answer, Call, Problem, StandIn, Trial)}
NEVER_SENT = ("digest", "raises")  # what is expected, and functions, stay with the judge
DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        torch.bool,
        torch.uint8,
        torch.int8,
        torch.int16,
        torch.int32,
        torch.int64,
        torch.float16,
        torch.bfloat16,
        torch.float32,
        torch.float64,
        torch.complex64,
        torch.complex128,
    )
}


class GarbledError(Exception):
    """A message that is none."""


class TooLongError(GarbledError):
    """A message with more in it than is taken."""


# --- Values to bytes and back ---------------------------------------------------------------------


def pack(value: Any) -> bytes:
    """A value as one frame."""
    tensors = []
    text = json.dumps(plain(value, tensors), allow_nan=False, separators=(",", ":")).encode()
    body = b"".join(map(bytes_of, tensors))
    return HEAD.pack(len(text), len(body)) + text + body


def bytes_of(tensor: torch.Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def plain(value: Any, tensors: list[torch.Tensor], depth: int = 0) -> Any:
    """A value as JSON can hold it; what JSON does not know becomes {kind: …}."""
    if depth > DEEPEST:
        raise ValueError("too deep")
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return int(value) if abs(value) < 2**63 else {"int": str(value)}
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"float": str(float(value))}
    if isinstance(value, torch.Tensor):
        tensors.append(value)
        return {"tensor": [str(value.dtype).removeprefix("torch."), *value.shape]}
    if isinstance(value, torch.dtype):
        return {"dtype": str(value).removeprefix("torch.")}
    if isinstance(value, list):
        return [plain(x, tensors, depth + 1) for x in value]
    if isinstance(value, tuple):
        return {"tuple": [plain(x, tensors, depth + 1) for x in value]}
    if isinstance(value, dict):
        pairs = value.items()
        return {
            "dict": [[plain(k, tensors, depth + 1), plain(v, tensors, depth + 1)] for k, v in pairs]
        }
    if type(value).__name__ in PLAIN:
        fields = [f.name for f in dataclasses.fields(value) if f.name not in NEVER_SENT]
        values = [plain(getattr(value, name), tensors, depth + 1) for name in fields]
        return {type(value).__name__: dict(zip(fields, values))}
    raise TypeError(f"{type(value).__name__} is not sent")


def opened(frame: bytes, most: int) -> Any:
    """The value in a whole frame; GarbledError if a Line with this limit would not take it."""
    text_length, body_length = lengths(frame[: HEAD.size], most)
    text, body = frame[HEAD.size :][:text_length], frame[HEAD.size + text_length :]
    return unpack(text, body[:body_length])


def lengths(head: bytes, most: int) -> tuple[int, int]:
    """How long the two parts of a frame are that begins so."""
    text_length, body_length = HEAD.unpack(head)
    if text_length > LARGEST_TEXT or body_length > most:
        raise TooLongError(f"too long: {text_length + body_length} bytes")
    return text_length, body_length


def unpack(text: bytes, body: bytes) -> Any:
    """The value in a frame's two parts; GarbledError if it is not what `pack` makes."""
    if text.count(b"[") + text.count(b"{") > MOST_PARTS:
        raise TooLongError("too many parts")
    try:
        described = json.loads(text, parse_constant=refuse)
        reader = Reader(body)
        value = reader.value(described)
    except GarbledError:
        raise
    except Exception as error:  # whatever can be wrong with it, it is no message
        raise GarbledError(type(error).__name__) from None
    if reader.used != len(body):
        raise GarbledError("more bytes than tensors")
    return value


def refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


class Reader:
    """Makes values of what JSON gave, and tensors of the bytes behind it, from first to last."""

    def __init__(self, body: bytes):
        self.body, self.used = body, 0

    def value(self, described: Any, depth: int = 0) -> Any:
        if depth > DEEPEST:
            raise GarbledError("too deep")
        if isinstance(described, list):
            return [self.value(x, depth + 1) for x in described]
        if not isinstance(described, dict):
            return described
        [(kind, content)] = described.items()
        if kind == "tensor":
            return self.tensor(*content)
        if kind == "tuple":
            return tuple(self.value(x, depth + 1) for x in content)
        if kind == "dict":
            if len(content) > LONGEST_DICT:
                raise TooLongError("too many keys")
            return {self.value(k, depth + 1): self.value(v, depth + 1) for k, v in content}
        if kind == "float":
            return {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}[content]
        if kind == "int":
            return int(content[:40])
        if kind == "dtype":
            return DTYPES[content]
        return PLAIN[kind](**{name: self.value(x, depth + 1) for name, x in content.items()})

    def tensor(self, dtype: str, *shape: int) -> torch.Tensor:
        kind = DTYPES[dtype]
        if len(shape) > 16 or not all(type(n) is int and n >= 0 for n in shape):
            raise GarbledError("no shape")
        if math.prod(n or 1 for n in shape) > LARGEST_BODY:
            raise GarbledError("a side that is too long")  # of nothing, there can be any number
        count = math.prod(shape)
        size = count * kind.itemsize
        if size > len(self.body) - self.used:
            raise GarbledError("a tensor without its bytes")
        piece = bytearray(self.body[self.used : self.used + size])
        self.used += size
        if count == 0:
            return torch.empty(shape, dtype=kind)
        flat = torch.frombuffer(piece, dtype=torch.uint8)
        if kind is torch.bool:
            flat = flat.ne(0)  # a byte that is neither 0 nor 1 makes a tensor that is neither
        return flat.view(kind).reshape(shape)


# --- Frames over a socket -------------------------------------------------------------------------


class ClosedError(Exception):
    """The other side is gone."""


class LateError(Exception):
    """Nothing whole came in time."""


class Connection:
    """One end of the socket between judge and child.

    Args:
        most: bytes of tensors that are received in one message.
    """

    def __init__(self, sock: socket.socket, most: int = LARGEST_BODY):
        self.socket, self.most = sock, most
        self.read_ahead = memoryview(b"")

    def send(self, value: Any, deadline: float | None = None) -> None:
        self.send_frame(pack(value), deadline)

    def send_frame(self, frame: bytes, deadline: float | None = None) -> None:
        view = memoryview(frame)
        try:
            while view:
                self.wait_until(deadline)
                view = view[self.socket.send(view[: 2**20]) :]
        except TimeoutError:
            raise LateError from None
        except OSError:
            raise ClosedError from None

    def receive(self, deadline: float | None = None) -> Any:
        """The next value; a slow drip of bytes does not move the deadline."""
        text_length, body_length = lengths(self.exactly(HEAD.size, deadline), self.most)
        text = self.exactly(text_length, deadline)
        return unpack(text, self.exactly(body_length, deadline))

    def exactly(self, count: int, deadline: float | None) -> bytes:
        """So many bytes. Of short messages several are read at once."""
        data = bytearray(count)
        view = memoryview(data)
        while True:
            got = min(len(view), len(self.read_ahead))
            view[:got], self.read_ahead = self.read_ahead[:got], self.read_ahead[got:]
            view = view[got:]
            if not view:
                return bytes(data)
            try:
                self.wait_until(deadline)
                self.read_ahead = memoryview(self.socket.recv(max(READ_AHEAD, len(view))))
            except TimeoutError:
                raise LateError from None
            except OSError:
                raise ClosedError from None
            if not self.read_ahead:
                raise ClosedError

    def wait_until(self, deadline: float | None) -> None:
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            raise LateError
        self.socket.settimeout(left)

    def close(self) -> None:
        self.socket.close()
