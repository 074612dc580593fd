"""Whatever is done to a book of records after it was written, it shows."""

import errno
import hashlib
import json
import os

import pytest

from autograder import aside
from autograder.grading import chain

KEY, OTHER = b"k" * 32, b"o" * 32


@pytest.fixture
def book(tmp_path):
    """A book of five records."""
    path = tmp_path / "01_attention.jsonl"
    write(path, "abcde")
    return path


def write(path, names, key=KEY):
    for name in names:
        chain.append(path, {"student": name, "points": 1.5}, key)


def lines_of(path):
    return path.read_bytes().splitlines(keepends=True)


def found(path, key=KEY):
    return chain.look(path, key).problems


def students(path):
    return "".join(json.loads(line)["student"] for line in lines_of(path))


def old_book(path, names):
    """As it was written before there were seals."""
    last = b""
    for name in names:
        before = hashlib.sha256(last).hexdigest() if last else ""
        last = json.dumps({"student": name, "before": before}, sort_keys=True).encode()
        with open(path, "ab") as file:
            file.write(last + b"\n")


def test_what_was_written_is_as_it_was_written(book):
    assert students(book) == "abcde"
    findings = chain.look(book, KEY)
    assert findings.problems == []
    assert list(findings.remarks) == []
    assert findings.lines == 5
    assert chain.counted(findings).startswith(
        "5 lines, as they were written. The last one's seal: "
    )


@pytest.mark.parametrize("number", [1, 3, 5])
@pytest.mark.parametrize("also", ["", "f"])
def test_a_changed_line_is_named(book, number, also):
    lines = lines_of(book)
    lines[number - 1] = lines[number - 1].replace(b"1.5", b"9.5")
    book.write_bytes(b"".join(lines))
    write(book, also)  # and no later line makes it good
    assert found(book) == [f"Line {number} was changed after it was written."]


def test_also_a_change_that_means_nothing(book):
    book.write_bytes(book.read_bytes().replace(b": 1.5", b":  1.5", 1))
    assert found(book) == ["Line 1 was changed after it was written."]


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        (slice(0, 4), "1 line is missing at the end."),
        (slice(0, 0), "5 lines are missing at the end."),
        (slice(1, 5), "1 line is missing before line 1."),
    ],
)
def test_cut_lines_are_missing(book, kept, said):
    book.write_bytes(b"".join(lines_of(book)[kept]))
    assert found(book) == [said]


def test_a_cut_in_the_middle_and_one_in_a_line(book):
    lines = lines_of(book)
    book.write_bytes(b"".join(lines[:2] + lines[4:]))
    assert found(book) == ["2 lines are missing before line 3."]
    book.write_bytes(b"".join(lines)[:-30])
    assert found(book) == ["1 line is missing at the end."]


@pytest.mark.parametrize("kept", [0, 3])
def test_a_cut_shows_also_after_more_was_written(book, kept):
    book.write_bytes(b"".join(lines_of(book)[:kept]))
    write(book, "fg")
    assert found(book) == [f"{5 - kept} lines are missing before line {kept + 1}."]


def test_a_book_that_is_gone(book):
    book.unlink()
    assert found(book) == ["5 lines are missing at the end."]


def test_lines_that_were_exchanged_or_doubled(book):
    lines = lines_of(book)
    book.write_bytes(b"".join([*lines[:2], lines[3], lines[2], lines[4]]))
    assert found(book)
    book.write_bytes(b"".join([*lines[:2], lines[1], *lines[2:]]))
    assert found(book) == ["Line 3 was changed after it was written."]


@pytest.mark.parametrize("line", [b"nonsense", b'{"student": "x", "before": ""}', b"[]"])
def test_lines_that_somebody_else_added(book, line):
    with open(book, "ab") as file:
        file.write(line + b"\n")
    assert found(book) == ["Line 6 was changed after it was written."]


def test_whoever_has_no_key_can_add_nothing(book):
    """Also if all seals, and the head, are made with another key."""
    book.unlink()
    chain.head_path(book).unlink()
    write(book, "abcde", OTHER)
    [sentence] = found(book)
    assert "another key" in sentence


def test_the_records_of_another_assignment(book, tmp_path):
    other = tmp_path / "02_multi_head.jsonl"
    other.write_bytes(book.read_bytes())
    chain.head_path(other).write_bytes(chain.head_path(book).read_bytes())
    assert found(other)


@pytest.mark.parametrize("later", ["", "f"])
def test_the_head_is_gone_or_was_changed(book, later):
    head = chain.head_path(book)
    for text in (None, b"", head.read_bytes().replace(b'"lines": 5', b'"lines": 2')):
        head.unlink() if text is None else head.write_bytes(text)
        write(book, later)
        assert "lines may be missing" in " ".join(found(book))


def test_a_cut_of_which_the_head_knows_nothing_any_more(book):
    chain.head_path(book).unlink()
    book.write_bytes(b"".join(lines_of(book)[:3]))
    write(book, "fg")
    [sentence] = found(book)
    assert sentence.startswith("When line 4 was written, the file that counts the lines was gone")


# --- Killed, and full disks -----------------------------------------------------------------------


def test_killed_before_the_head_was_moved(book):
    head = chain.head_path(book).read_bytes()
    write(book, "f")
    chain.head_path(book).write_bytes(head)
    assert found(book) == []
    write(book, "g")
    assert found(book) == []
    assert students(book) == "abcdefg"


def test_killed_before_anything_was_written(tmp_path):
    path = tmp_path / "x.jsonl"
    chain.write_head(path, chain.Sealer(KEY, "x"), 0, "")
    path.write_bytes(b"")
    assert found(path) == []
    write(path, "a")
    assert found(path) == []


@pytest.mark.parametrize("length", [1, 40, -1])
def test_killed_while_a_line_was_being_written(book, length):
    head = chain.head_path(book).read_bytes()
    write(book, "f")
    line = lines_of(book)[-1].rstrip(b"\n")
    whole = book.read_bytes()
    cut = len(whole) - len(line) - 1 + (len(line[:length]) if length > 0 else len(line) - 1)
    book.write_bytes(whole[:cut])
    chain.head_path(book).write_bytes(head)
    findings = chain.look(book, KEY)
    assert findings.problems == []
    assert "a run was killed while it wrote it" in " ".join(findings.remarks)
    write(book, "g")
    assert students(book) == "abcdeg"
    findings = chain.look(book, KEY)
    assert (findings.problems, findings.unfinished) == ([], False)


def test_a_line_that_lacks_only_its_end_is_kept(book):
    book.write_bytes(book.read_bytes()[:-1])
    assert found(book) == []
    write(book, "f")
    assert students(book) == "abcdef"
    assert found(book) == []


def test_a_full_disk_leaves_no_half_line(book, monkeypatch):
    before, real = book.read_bytes(), os.write

    def full(descriptor, data):
        if len(data) > 50:
            return real(descriptor, data[:50])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(aside.os, "write", full)
    with pytest.raises(OSError, match="No space left") as caught:
        write(book, "f")
    assert caught.value.filename == str(book)
    assert book.read_bytes() == before
    monkeypatch.undo()
    write(book, "f")
    assert students(book) == "abcdef"
    assert found(book) == []


# --- Other times, other keys ----------------------------------------------------------------------


def test_a_book_from_before_there_were_seals(tmp_path):
    path = tmp_path / "01_attention.jsonl"
    old_book(path, "abc")
    findings = chain.look(path, KEY)
    assert findings.problems == []
    assert list(findings.remarks) == ["3 of them were written by a version that had no seals yet."]
    write(path, "de")
    assert found(path) == []
    assert chain.look(path, KEY).unsealed == 3


@pytest.mark.parametrize("later", ["", "d"])
def test_a_change_in_it_shows_as_before(tmp_path, later):
    path = tmp_path / "01_attention.jsonl"
    old_book(path, "abc")
    write(path, later)
    path.write_bytes(path.read_bytes().replace(b'"b"', b'"x"'))
    assert found(path) == ["Line 2 was changed after it was written."]


def test_half_a_line_that_it_left_behind_is_no_change(tmp_path):
    path = tmp_path / "01_attention.jsonl"
    half = b'{"student": "a", "be'
    line = {"student": "b", "before": hashlib.sha256(half).hexdigest()}
    path.write_bytes(half + b"\n" + json.dumps(line, sort_keys=True).encode() + b"\n")
    write(path, "c")
    assert found(path) == []


def test_seals_cannot_be_taken_off(book):
    lines = [json.loads(line) for line in lines_of(book)]
    for line in lines:
        del line["seal"], line["by"]
    book.write_text("".join(json.dumps(line, sort_keys=True) + "\n" for line in lines))
    assert found(book)


def test_a_new_key_goes_on_with_the_book(book):
    assert "another key now" in found(book, OTHER)[0]
    write(book, "fg", OTHER)
    findings = chain.look(book, OTHER)
    assert findings.problems == []
    assert "5 of them were sealed with a key that the course no longer has" in " ".join(
        findings.remarks
    )
    book.write_bytes(book.read_bytes().replace(b'"c"', b'"x"'))
    assert found(book, OTHER) == ["Line 3 was changed after it was written."]


def test_without_a_key(book):
    assert "The course has no key" in found(book, None)[0]


def test_the_seals_say_nothing_of_the_key(book):
    text = book.read_text() + chain.head_path(book).read_text()
    assert KEY.decode() not in text
    assert KEY.hex() not in text
