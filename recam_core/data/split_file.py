"""Splits that are lists of ids in text files."""

from collections.abc import Sequence
from pathlib import Path

from recam_core.data.photo_folder import is_text
from recam_core.errors import UserError


def list_splits(folder: Path) -> list[str]:
    """Names of the splits: the .txt files of a folder, without their ending; none if there is no folder."""
    return sorted(path.stem for path in folder.glob("*.txt") if is_text(path.stem)) if folder.is_dir() else []


def choose_split(split: str | None, available: Sequence[str], default: str, where: str) -> str:
    """The split asked for, else ``default``, else the only one that there is.

    Raises:
        UserError: it does not exist; the message lists those that do.
    """
    listed = ", ".join(available) if available else "none"
    if split is None:
        if default in available:
            return default
        if len(available) == 1:
            return available[0]
        raise UserError(f"There is no split '{default}' in {where}. Name a split after an '@'; there are: {listed}.")
    if split not in available:
        raise UserError(f"There is no split '{split}' in {where}. There are: {listed}.")
    return split
