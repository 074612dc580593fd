"""What is written aside is there whole or not at all."""

import pytest

from autograder.aside import Exchange, create, write


def filled(folder, text="new"):
    (folder / "file").write_text(text)


@pytest.fixture
def target(tmp_path):
    place = tmp_path / "autograded" / "ada" / "lesson"
    place.mkdir(parents=True)
    filled(place, "old")
    return place


def left_in(target):
    """What lies beside it."""
    return sorted(path.name for path in target.resolve().parent.iterdir())


def test_a_file_replaces_another(tmp_path):
    path = tmp_path / "file"
    write(path, b"one")
    write(path, b"two")
    assert path.read_bytes() == b"two"
    create(path, b"three")
    assert path.read_bytes() == b"two"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_a_folder_takes_the_place_of_another(target):
    with Exchange(target) as place:
        filled(place.fresh)
        assert (target / "file").read_text() == "old"
        place.move_in()
    assert (target / "file").read_text() == "new"
    assert left_in(target) == ["lesson"]


def fails(target, moved):
    with Exchange(target) as place:
        filled(place.fresh)
        if moved:
            place.move_in()
        raise ValueError("not today")


@pytest.mark.parametrize("moved", [False, True])
def test_what_fails_leaves_the_other_where_it_was(target, moved):
    with pytest.raises(ValueError, match="not today"):
        fails(target, moved)
    assert (target / "file").read_text() == "old"
    assert left_in(target) == ["lesson"]


def test_nothing_is_left_where_there_was_nothing(tmp_path):
    target = tmp_path / "autograded" / "ada" / "lesson"
    with pytest.raises(ValueError, match="not today"):
        fails(target, moved=True)
    assert left_in(target) == []


def test_what_a_killed_run_has_left_is_no_trouble(target):
    for name in (".lesson.new", ".lesson.old"):
        (target.parent / name).mkdir()
        filled(target.parent / name, "left")
    target.rename(target.parent / "gone")
    (target.parent / "elsewhere").symlink_to(target.parent / "gone")
    with Exchange(target) as place:
        filled(place.fresh)
        place.move_in()
    assert (target / "file").read_text() == "new"
    assert left_in(target) == ["elsewhere", "gone", "lesson"]


def test_a_link_to_elsewhere_is_written_there(tmp_path):
    """What is made aside lies on the disk where it belongs."""
    elsewhere = tmp_path / "another disk"
    elsewhere.mkdir()
    (tmp_path / "autograded").symlink_to(elsewhere)
    with Exchange(tmp_path / "autograded" / "ada" / "lesson") as place:
        assert elsewhere in place.fresh.parents
        filled(place.fresh)
        place.move_in()
    assert (elsewhere / "ada" / "lesson" / "file").read_text() == "new"
