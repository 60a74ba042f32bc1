"""Tags and notes that people put on pictures, kept in one file that several sessions and processes share."""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from recam_core.errors import UserError

#: Longest tag and note, in characters.
LONGEST_TAG, LONGEST_NOTE = 60, 2000
#: Rows of a book that are read; seconds that one question to it may take. Neither is reached by hand.
MOST_ROWS, _PATIENCE = 200_000, 5.0
#: Steps of SQLite's machine between two looks at the clock.
_STEPS = 10_000
#: Seconds that a writer waits for another one.
_WAIT = 10.0
#: What tells a book of tags from any other database.
_MARKS = ("application_id", "user_version")
_APPLICATION, _VERSION = 0x52634C62, 1
_TABLE = """
CREATE TABLE tags (
    data TEXT NOT NULL, picture TEXT NOT NULL, truth TEXT NOT NULL, predicted TEXT NOT NULL,
    tag TEXT NOT NULL, note TEXT NOT NULL, made TEXT NOT NULL,
    PRIMARY KEY (data, picture, truth, predicted, tag)
) WITHOUT ROWID
"""


@dataclass(frozen=True)
class Tagged:
    """One tag on one picture, or on one cell of the confusion matrix within it.

    Attributes:
        data: specification of the data set.
        picture: id of the picture.
        tag: a word or two.
        note: any text.
        truth, predicted: names of the two classes of the cell; "" where the tag is on the whole picture.
        made: when it was last written, UTC, in ISO 8601.
    """

    data: str
    picture: str
    tag: str
    note: str = ""
    truth: str = ""
    predicted: str = ""
    made: str = ""


class TagBook:
    """All tags of one file. Every call opens the file anew, so one book may be used from any thread and process."""

    def __init__(self, path: str | Path):
        """Open the book at ``path``; the file is made with the first tag.

        Raises:
            UserError: the file is something else than a book of tags.
        """
        self.path = Path(path)
        if self.path.exists():
            with self._open():
                pass

    def add(self, entries: Sequence[Tagged]) -> None:
        """Write tags, all or none; one that is there already gets the new note.

        Raises:
            UserError: an empty or a too long tag, or the file cannot be written to.
        """
        made = datetime.now(timezone.utc).isoformat(timespec="seconds")
        rows = [(e.data, e.picture, e.truth, e.predicted, *_checked(e), made) for e in entries]
        with self._open(write=True) as connection:
            connection.executemany("INSERT OR REPLACE INTO tags VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def remove(self, entries: Sequence[Tagged]) -> None:
        """Take tags away; notes and times need not match, and what is not there is no fault.

        Raises:
            UserError: the file cannot be written to.
        """
        if not self.path.exists():
            return
        rows = [(e.data, e.picture, e.truth, e.predicted, e.tag.strip()) for e in entries]
        with self._open(write=True) as connection:
            connection.executemany(
                "DELETE FROM tags WHERE data = ? AND picture = ? AND truth = ? AND predicted = ? AND tag = ?", rows
            )

    def entries(self, data: str | None = None, tag: str | None = None, picture: str | None = None) -> list[Tagged]:
        """The tags, by data set, picture, cell and tag; of one data set, tag or picture if one is given.

        Raises:
            UserError: the file is damaged.
        """
        if not self.path.exists():
            return []
        wanted = {"data": data, "tag": tag, "picture": picture}
        wanted = {name: value for name, value in wanted.items() if value is not None}
        where = " AND ".join(f"{name} = ?" for name in wanted) or "1"
        query = f"SELECT data, picture, tag, note, truth, predicted, made FROM tags WHERE {where}"
        with self._open() as connection:
            query += f" ORDER BY data, picture, truth, predicted, tag LIMIT {MOST_ROWS}"
            rows = connection.execute(query, [*wanted.values()])
            # SQLite keeps any value in any column: a row that no page can show costs itself alone.
            return [Tagged(*texts) for row in rows if (texts := _texts(row)) is not None]

    def tags(self, data: str | None = None) -> dict[str, int]:
        """Each tag and on how many pictures it is, most frequent first.

        Raises:
            UserError: the file is damaged.
        """
        pictures: dict[str, set[tuple[str, str]]] = {}
        for entry in self.entries(data):
            pictures.setdefault(entry.tag, set()).add((entry.data, entry.picture))
        return {tag: len(found) for tag, found in sorted(pictures.items(), key=lambda item: (-len(item[1]), item[0]))}

    @contextmanager
    def _open(self, write: bool = False) -> Iterator[sqlite3.Connection]:
        """A connection whose changes are written together when the block ends well."""
        try:
            if write:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.path, timeout=_WAIT, isolation_level=None)) as connection:
                connection.text_factory = bytes
                connection.execute("PRAGMA trusted_schema = OFF")
                until = time.monotonic() + _PATIENCE
                connection.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
                # A writer takes its lock at once: two that read first and then write would wait for each other.
                connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
                self._check(connection, write)
                yield connection
                connection.execute("COMMIT")  # closing without it undoes everything
        except UnicodeEncodeError as error:
            raise UserError(f"A tag cannot hold such text: {error.object!a}; rename the picture.") from error
        except (sqlite3.OperationalError, OverflowError) as error:
            raise UserError(f"Cannot use the tags in {self.path}: {error}. Try again, or check the folder.") from error
        except sqlite3.DatabaseError as error:
            raise UserError(f"{self.path} is no book of tags, or it is damaged; move it away to begin anew.") from error
        except OSError as error:
            raise UserError(f"Cannot write {self.path}: {error.strerror or error}.") from error

    def _check(self, connection: sqlite3.Connection, write: bool) -> None:
        """Make sure that the file is a book of tags; a writer makes it one if it is empty."""
        application, version = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in _MARKS)
        if application == _APPLICATION and version == _VERSION:
            # A view or a trigger in the place of the table would run what its maker wrote, without an end perhaps.
            if _schema(connection) != [(b"table", b"tags", _one_line(_TABLE))]:
                raise sqlite3.DatabaseError("another table")
            return
        if application == _APPLICATION:
            raise UserError(f"The tags in {self.path} were written by another version of this program.")
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if application or tables:
            raise UserError(f"{self.path} is a database of another program; name another file for tags.")
        connection.execute(_TABLE if write else _TABLE.replace("CREATE", "CREATE TEMPORARY"))
        if write:
            for name, value in zip(_MARKS, (_APPLICATION, _VERSION), strict=True):
                connection.execute(f"PRAGMA {name} = {value}")


def _schema(connection: sqlite3.Connection) -> list[tuple[bytes, bytes, str]]:
    """Kind, name and definition of what a database holds, but for what SQLite keeps for itself."""
    found = connection.execute("SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite@_%' ESCAPE '@'")
    return [(kind, name, _one_line((sql or b"").decode("utf-8", "replace"))) for kind, name, sql in found.fetchmany(9)]


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _texts(row: Sequence[object]) -> list[str] | None:
    """The texts of a row; None where a value is none."""
    try:
        return [value.decode("utf-8") for value in row]  # type: ignore[attr-defined]
    except (AttributeError, UnicodeDecodeError):
        return None


def _checked(entry: Tagged) -> tuple[str, str]:
    """(tag, note), trimmed."""
    tag, note = entry.tag.strip(), entry.note.strip()
    if not tag:
        raise UserError("A tag needs at least one letter.")
    if len(tag) > LONGEST_TAG or "\n" in tag:
        raise UserError(f"A tag is one line of at most {LONGEST_TAG} characters; put the rest into the note.")
    if len(note) > LONGEST_NOTE:
        raise UserError(f"A note has at most {LONGEST_NOTE} characters; this one has {len(note)}.")
    return tag, note
