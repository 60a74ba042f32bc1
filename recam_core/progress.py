"""How long work reports where it stands, and how it is cancelled."""

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

#: ``progress(done, total, note)`` is called after each unit of work. It may raise :class:`Cancelled`.
ProgressFn = Callable[[int, int, str], None]


#: Kinds of steps that long work on pictures is made of.
FEATURES, WAITED_FOR, KEPT_FEATURES, MASKS, SCORES = "features", "waited for", "kept features", "masks", "scores"


class Note(str):
    """What goes on, in words, and the kind of step that it belongs to."""

    kind: str

    def __new__(cls, words: str, kind: str) -> "Note":
        """A note of a kind of step."""
        note = super().__new__(cls, words)
        note.kind = kind
        return note


def kind_of(note: str) -> str:
    """The kind of step that a note belongs to; "" where it does not say."""
    return note.kind if isinstance(note, Note) else ""


class Cancelled(Exception):
    """Raised by a progress function to stop the work; whoever does the work leaves no half-written file."""


def silent(done: int, total: int, note: str = "") -> None:
    """Report nothing."""


#: In the environment of a process that works for another one: the pipe by which that hears how far it is.
PIPE = "RECAM_PROGRESS"
#: Characters of a label and a note that go through the pipe; a line must fit into what is written at once.
_LONGEST = 150
#: What stands before the progress of work that consists of steps, each with a progress of its own.
STEPS = "steps"


def listener(label: str) -> ProgressFn:
    """A progress function that tells the process for which this one works; one that nobody hears where there is none.

    Where that process has gone, this one has no more to do: the function raises :class:`Cancelled`.

    Args:
        label: says what goes on, as it stands before a bar.
    """
    pipe = os.environ.get(PIPE)
    if not pipe:
        return silent

    def tell(done: int, total: int, note: str = "") -> None:
        line = json.dumps([label[:_LONGEST], done, total, note[:_LONGEST]]) + "\n"
        try:
            # Opened anew each time, as that fails where nobody reads; a reader that is behind misses a line.
            handle = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
            try:
                os.write(handle, line.encode("ascii"))
            finally:
                os.close(handle)
        except BlockingIOError:
            return
        except OSError as error:
            raise Cancelled from error

    return tell


def end_with_listener(patience: float = 4.0) -> None:
    """See to it that this process ends soon after the one for which it works, in the middle of a long step as well:
    whoever goes on with the work must find its folder left alone.

    Args:
        patience: seconds in which it may end by itself.
    """
    pipe = os.environ.get(PIPE)
    if pipe:
        threading.Thread(target=_watch, args=(pipe, patience), daemon=True, name="listener").start()


def _watch(pipe: str, patience: float) -> None:
    heard = time.monotonic()
    while time.monotonic() - heard < patience:
        time.sleep(min(patience, 0.5))
        with suppress(OSError):  # nobody reads, or it is gone
            os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
            heard = time.monotonic()
    os._exit(130)


@contextmanager
def terminal(label: str, in_bytes: bool = False) -> Iterator[ProgressFn]:
    """A progress bar on standard error with elapsed time, time left and a note, as a progress function; in a process
    that works for another one, a :func:`listener`.

    Args:
        label: stands before the bar.
        in_bytes: the work counts bytes, in steps told apart by the note, each of which begins where it says it does:
            what lay there before was not done in this time.
    """
    if os.environ.get(PIPE):
        yield listener(label)
        return
    from tqdm import tqdm

    unit = {"unit": "B", "unit_scale": True} if in_bytes else {}
    with tqdm(desc=label, file=sys.stderr, dynamic_ncols=True, leave=True, **unit) as bar:
        step = None

        def report(done: int, total: int, note: str = "") -> None:
            nonlocal step
            if in_bytes and note != step:
                step, bar.initial = note, done
                bar.reset(total)
            bar.total = total
            if note:
                bar.set_postfix_str(note, refresh=False)
            bar.update(done - bar.n)

        try:
            yield report
        except BaseException:
            bar.leave = bar.n > bar.initial  # where nothing was done, what went wrong stands alone
            raise


def with_pauses(progress: ProgressFn) -> tuple[ProgressFn, ProgressFn]:
    """Two progress functions for one bar: of the work itself, and of what is done in between, which only has a note."""
    at = (0, 1)

    def work(done: int, total: int, note: str) -> None:
        nonlocal at
        at = (done, total)
        progress(done, total, note)

    def pause(done: int, total: int, note: str) -> None:
        progress(*at, f"{note} {done}/{total}")

    return work, pause


#: Kinds of moments of a training.
STEP, SCORED = "step", "scored"


@dataclass(frozen=True)
class Moment:
    """Where a training stands, after each step and after each picture that is scored between its epochs.

    Attributes:
        kind: :data:`STEP` or :data:`SCORED`.
        done, total: steps of the whole training, or pictures of this scoring.
        note: in words.
        losses: of the step, the total and its parts; none of a picture.
    """

    kind: str
    done: int
    total: int
    note: str
    losses: Mapping[str, float] = field(default_factory=dict)


#: ``watch(moment)`` is all that a training tells. It may raise :class:`Cancelled`.
WatchFn = Callable[[Moment], None]


def unwatched(moment: Moment) -> None:
    """Hear of nothing."""


def on_bar(progress: ProgressFn) -> WatchFn:
    """A training on a bar of its steps; pictures that are scored in between are in the note."""
    work, pause = with_pauses(progress)

    def watch(moment: Moment) -> None:
        (work if moment.kind == STEP else pause)(moment.done, moment.total, moment.note)

    return watch
