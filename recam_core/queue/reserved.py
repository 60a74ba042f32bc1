"""The folder that a job will fill, with a run or another result: taken at once, so that nobody else takes the name."""

import shutil
import time
from pathlib import Path

from recam_core.errors import UserError
from recam_core.queue.kinds import KINDS

#: Says which training a folder without a run belongs to.
MARK_FILE = ".training"
#: As :mod:`recam_core.train.state` names it, without loading torch.
_STATE = "state/last.pt"
#: Seconds within which a folder that was just made gets its training.
_FRESH = 60.0


def reserve(out: Path, training_id: str) -> None:
    """Make the folder for a training.

    Raises:
        UserError: it is there already, or cannot be made.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.mkdir()  # of two that try at once, one succeeds
        try:
            (out / MARK_FILE).write_text(training_id, encoding="utf-8")
        except BaseException:
            # On a full disk a folder can be made, but nothing written into it; it must not keep the name.
            shutil.rmtree(out, ignore_errors=True)
            raise
    except FileExistsError as error:
        raise UserError(f"There is a run named '{out.name}' already; choose another name.") from error
    except OSError as error:
        raise UserError(f"Cannot write {out}: {error.strerror or error}.") from error


def reclaim(out: Path, trainings: Path) -> None:
    """Remove the folder of a training that was cut off before it stood in the queue, or that the queue has forgotten.

    It holds nothing but the mark, if that, and has not changed for a minute.

    Args:
        out: of a run; any other folder stays as it is.
        trainings: the folder of the queue.
    """
    try:
        held = {path.name for path in out.iterdir()} if not out.is_symlink() else None
        if held is None or not held <= {MARK_FILE} or time.time() - out.stat().st_mtime < _FRESH:
            return
        training = owner(out)
        if not (training and (trainings / training).exists()):
            shutil.rmtree(out)
    except OSError:
        return  # there is none, or it is not ours to remove


def is_finished(out: Path) -> bool:
    """Whether the result is there whole; a state beside it says that its training was about to clear up."""
    return has_record(out) and not (out / _STATE).exists()


def has_record(out: Path) -> bool:
    """Whether a result was written there, if perhaps it is to be cleared up still."""
    return any((out / kind.result).is_file() for kind in KINDS.values())


def owner(out: Path) -> str:
    """The id of the training that will fill, or is filling, the folder; "" for any other folder."""
    try:
        return (out / MARK_FILE).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def release(out: Path, training_id: str) -> None:
    """Let a folder be a run like any other."""
    if owner(out) == training_id:
        (out / MARK_FILE).unlink(missing_ok=True)


def discard(out: Path, training_id: str) -> None:
    """Delete what a training left of a run that it did not finish; a finished one, and one of others, stays."""
    if out.is_symlink() or owner(out) != training_id:
        return
    if has_record(out):
        release(out, training_id)
    else:
        shutil.rmtree(out, ignore_errors=True)
