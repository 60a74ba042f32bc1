"""Which run a run started from, and which runs started from it."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from recam_core.checkpoint.old_records import split_command
from recam_core.home import ROOT
from recam_core.checkpoint.run_folder import INFO_FILE, RunInfo, read_info
from recam_core.errors import UserError
from recam_core.runs.listed import ListedRun, list_runs
from recam_core.typed_path import typed_path


def find_parent(info: RunInfo) -> Path | None:
    """The folder of the run that a run started from; None if it started from none.

    The weights tell, where the record names them: the parent may have another name by now. Older records name the
    parent only: then the folder that they name counts, or else the one run of that name with the same classes.

    Raises:
        UserError: it is not here any more.
    """
    if info.parent is None:
        return None
    runs = list_runs().runs
    at = _folder_of(info.init)
    if info.parent_sha256:
        found = [run.path for run in runs if run.info.weights_sha256 == info.parent_sha256]
        if not found and at is not None and (at / INFO_FILE).is_file():
            found = [at] if read_info(at).weights_sha256 == info.parent_sha256 else []
    elif at is not None and (at / INFO_FILE).is_file():
        found = [at]
    else:
        found = [run.path for run in runs if run.path.name == info.parent and run.info.classes == info.classes]
        found = found if len(found) == 1 else []
    if not found:
        raise UserError(
            f"The run {info.name} started from the run {info.parent}, which is not here"
            + (" (or its weights were changed)" if info.parent_sha256 else "")
            + "; give the folder where it lies."
        )
    return found[0]


def children_of(run: ListedRun, runs: Sequence[ListedRun]) -> list[ListedRun]:
    """The runs that started from ``run``: they work without it, but cannot be made again."""
    return [other for other in runs if other.key != run.key and _is_child(other.info, run)]


def _is_child(info: RunInfo, run: ListedRun) -> bool:
    if info.parent_sha256:
        return info.parent_sha256 == run.info.weights_sha256
    return info.parent == run.path.name and info.classes == run.info.classes


def _folder_of(text: str) -> Path | None:
    """The folder that a record names, absolute; None where it names none, or none that leads anywhere."""
    path = typed_path(text) if text else None
    return path if path is None or path.is_absolute() else ROOT / path


def again_command(run: ListedRun, out: str) -> str:
    """The command line that makes a run again from its record, into the folder ``out``."""
    verb = "retrain" if run.info.method == "heads" else "train"
    return shlex.join(["python", "-m", "recam_core", verb, "--from", run.name, "--out", out])


def rewritten(command: str, old: Path, new: Path) -> str:
    """The command with another folder in place of ``old``, written as it was (relative, if so)."""
    words = split_command(command)
    changed = [renamed(word, old, new) for word in words]
    return command if changed == words else shlex.join(changed)


def renamed(word: str, old: Path, new: Path) -> str:
    """The folder ``new`` for a word that means ``old``, typed as that was; any other word as it is."""
    if not word or word.startswith("-"):
        return word
    path, typed = Path(word), typed_path(word)
    if typed is None:
        return word
    whole = typed if typed.is_absolute() else ROOT / typed
    # Both lie in one folder, so what stands before the name stays as it was typed.
    return str(path.with_name(new.name)) if path.name == old.name and whole.resolve() == old.resolve() else word
