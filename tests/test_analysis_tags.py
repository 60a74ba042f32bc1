"""Tags on pictures: they outlive the program, are shared safely, and a foreign file is left alone."""

import multiprocessing
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

from recam_core.analysis import tags
from recam_core.analysis.tags import LONGEST_NOTE, LONGEST_TAG, TagBook, Tagged
from recam_core.errors import UserError

CELL = Tagged("scenes@val", "0001", "co-occurrence", "rails", truth="train", predicted="boat")
WHOLE = Tagged("scenes@val", "0002", "bad mask")


def plain(entries):
    return [(e.data, e.picture, e.tag, e.note, e.truth, e.predicted) for e in entries]


def test_tags_survive_a_restart(tmp_path):
    path = tmp_path / "deep" / "tags.db"
    assert TagBook(path).entries() == []
    assert not path.exists()
    TagBook(path).add([WHOLE, CELL])
    book = TagBook(path)
    assert plain(book.entries()) == plain([CELL, WHOLE])
    assert all(entry.made.startswith("20") and entry.made.endswith("+00:00") for entry in book.entries())
    book.add([Tagged("scenes@val", "0002", " bad mask ", "the wing is missing")])
    assert [entry.note for entry in book.entries(picture="0002")] == ["the wing is missing"]
    book.add([Tagged("photos", "0002", "bad mask")])
    assert book.tags() == {"bad mask": 2, "co-occurrence": 1}
    assert book.tags("photos") == {"bad mask": 1}
    assert len(book.entries("scenes@val")) == 2
    assert len(book.entries(tag="bad mask")) == 2
    book.remove([WHOLE, WHOLE])
    assert len(TagBook(path).entries("scenes@val")) == 1
    assert len(TagBook(path).entries("photos")) == 1


def test_hostile_words_are_only_words(tmp_path):
    book = TagBook(tmp_path / "tags.db")
    hostile = Tagged("d'; DROP TABLE tags; --", "../../etc/passwd", "=1+1", "<script>\n\0", "a\tb", '"')
    book.add([hostile])
    assert plain(book.entries("d'; DROP TABLE tags; --")) == plain([hostile])
    with pytest.raises(UserError, match="cannot hold such text"):
        book.add([Tagged("d", "lone \udcff", "x")])
    assert len(book.entries()) == 1


@pytest.mark.parametrize(
    "entry",
    [
        Tagged("d", "p", ""),
        Tagged("d", "p", " \n "),
        Tagged("d", "p", "x" * (LONGEST_TAG + 1)),
        Tagged("d", "p", "two\nlines"),
        Tagged("d", "p", "x", "y" * (LONGEST_NOTE + 1)),
    ],
)
def test_a_bad_tag_is_refused_and_nothing_is_written(tmp_path, entry):
    book = TagBook(tmp_path / "tags.db")
    with pytest.raises(UserError):
        book.add([WHOLE, entry])
    assert book.entries() == []


def write_many(path, worker):
    book = TagBook(path)
    for number in range(15):
        book.add([Tagged("d", f"{worker}-{number}", "t")])
        book.entries()
    book.remove([Tagged("d", f"{worker}-0", "t")])


def test_threads_and_processes_write_at_once_and_nothing_is_lost(tmp_path):
    path = tmp_path / "tags.db"
    context = multiprocessing.get_context("spawn")
    others = [context.Process(target=write_many, args=(path, f"process{number}")) for number in range(2)]
    for other in others:
        other.start()
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(write_many, path, f"thread{number}") for number in range(4)]:
            done.result(60)
    for other in others:
        other.join(60)
        assert other.exitcode == 0
    found = {entry.picture for entry in TagBook(path).entries()}
    workers = [*(f"thread{n}" for n in range(4)), *(f"process{n}" for n in range(2))]
    assert found == {f"{worker}-{number}" for worker in workers for number in range(1, 15)}


def test_a_writer_that_fails_halfway_leaves_no_trace(tmp_path):
    book = TagBook(tmp_path / "tags.db")
    book.add([WHOLE])
    nameless = Tagged("photos", "caf\udce9.jpg", "blurred")  # no database holds the name of this file
    for rows in ([CELL, nameless], [Tagged("photos", "1", "one"), CELL, nameless, Tagged("photos", "2", "two")]):
        with pytest.raises(UserError, match="cannot hold such text"):
            book.add(rows)
        with pytest.raises(UserError, match="cannot hold such text"):
            book.remove([WHOLE, nameless])
        assert plain(book.entries()) == plain([WHOLE])


def test_foreign_and_damaged_files_are_refused_and_left_alone(tmp_path, monkeypatch):
    foreign = tmp_path / "photos.db"
    connection = sqlite3.connect(foreign)
    connection.execute("CREATE TABLE photos (id)")
    connection.commit()
    connection.close()
    before = foreign.read_bytes()
    with pytest.raises(UserError, match="another program"):
        TagBook(foreign)
    text = tmp_path / "notes.txt"
    text.write_text("not a database, but long enough to be looked at as if it were one" * 20)
    with pytest.raises(UserError, match="no book of tags"):
        TagBook(text)
    assert foreign.read_bytes() == before
    empty = tmp_path / "empty.db"
    empty.touch()
    assert TagBook(empty).entries() == []
    TagBook(empty).add([WHOLE])
    assert len(TagBook(empty).entries()) == 1
    monkeypatch.setattr(tags, "_VERSION", 2)
    with pytest.raises(UserError, match="another version"):
        TagBook(empty)


def test_a_place_that_cannot_be_written_to_is_told(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="Cannot write"):
        TagBook(tmp_path / "file" / "tags.db").add([WHOLE])
    book = TagBook(tmp_path / "tags.db")
    book.add([WHOLE])
    monkeypatch.setattr(tags, "_WAIT", 0.05)
    holder = sqlite3.connect(book.path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(UserError, match="Try again"):
            book.add([CELL])
    finally:
        holder.close()
    book.add([CELL])
    assert len(book.entries()) == 2
