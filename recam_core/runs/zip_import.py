"""Unpacking a run from a zip that came from elsewhere: checked first, and unpacked whole or not at all."""

import hashlib
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from recam_core.atomic_write import sweep, temporary_folder, write_json
from recam_core.checkpoint.places import runs_folder
from recam_core.checkpoint.run_folder import INFO_FILE, METRICS_FILE, WEIGHTS_FILE, RunInfo, read_info
from recam_core.errors import UserError
from recam_core.guest_room import room_for
from recam_core.records import RecordError, read_rows
from recam_core.retrain.named_run import check_run_name
from recam_core.runs.folder_lock import locked
from recam_core.runs.weights_header import check_weights
from recam_core.runs.zip_rules import LARGEST_ZIP, check_entries
from recam_core.theory.negatives import NEGATIVES_FILE, read_negatives
from recam_core.zip_entries import opened_zip, unpack_entry

_LONGEST_TEXT = 2_000


def import_run(file: str | Path | BinaryIO, name: str = "") -> Path:
    """Unpack a run's zip among the user's own runs.

    Args:
        file: the zip, by path or as a seekable stream.
        name: what to call the run; by default as its record does.

    Returns:
        The new run's folder.

    Raises:
        UserError: it is no zip of a run, is damaged or hostile, its name is taken, the disk is full, or it is more than
            a guest may keep. Nothing is
            left behind then.
    """
    folder = runs_folder()
    temporary: Path | None = None
    try:
        with opened_zip(file, LARGEST_ZIP, "export the run again") as (archive, size):
            entries = check_entries(archive.infolist(), size)
            folder.mkdir(parents=True, exist_ok=True)
            needed = sum(entry.file_size for entry in entries.values())
            if shutil.disk_usage(folder).free < needed:
                raise UserError(f"The run needs {needed >> 20} MB, and the disk has less; free some room first.")
            sweep(folder, own=True)
            with room_for(needed, len(entries)):
                temporary = temporary_folder(folder, "import")
                for plain, entry in entries.items():
                    unpack_entry(archive, entry, temporary / plain)
        info = _check_run(temporary)
        with locked(folder):
            info.name = check_run_name(name or info.name, folder)
            write_json(temporary / INFO_FILE, asdict(info))
            temporary.chmod(0o755)
            os.rename(temporary, folder / info.name)
        return folder / info.name
    except OSError as error:
        raise UserError(f"The run cannot be unpacked to {folder}: {error.strerror or error}.") from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _check_run(folder: Path) -> RunInfo:
    """The record of an unpacked run whose files fit together."""
    try:
        info = read_info(folder)
    except UserError as error:
        # The folder is a temporary one, whose name helps nobody.
        raise UserError(str(error).replace(str(folder / INFO_FILE), f"{INFO_FILE} in the zip")) from error
    _check_texts(asdict(info))
    check_weights(folder / WEIGHTS_FILE, info)
    digest = hashlib.sha256()
    with (folder / WEIGHTS_FILE).open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    if digest.hexdigest() != info.weights_sha256:
        raise UserError("The weights are not those that the record was written for; export the run again.")
    if (folder / METRICS_FILE).exists():
        _check_curves(folder / METRICS_FILE)
    if (folder / NEGATIVES_FILE).exists() and read_negatives(folder) is None:
        raise UserError(f"{NEGATIVES_FILE} in the zip is no curve of gradients.")
    return info


def _check_texts(value: Any) -> None:
    """Refuse texts that no page can show, and texts or numbers that are out of all proportion."""
    if isinstance(value, dict):
        for name, one in value.items():
            _check_texts(name)
            _check_texts(one)
    elif isinstance(value, list):
        for one in value:
            _check_texts(one)
    elif isinstance(value, str):
        odd = any(0xD800 <= ord(letter) <= 0xDFFF or ord(letter) < 32 for letter in value)
        if odd or len(value) > _LONGEST_TEXT:
            raise UserError(f"{INFO_FILE} in the zip holds a text that cannot be shown: {value[:60]!a}.")
    elif isinstance(value, (int, float)) and value == value and not abs(value) < 1 << 63:
        raise UserError(f"{INFO_FILE} in the zip holds a number that is out of range.")


def _check_curves(file: Path) -> None:
    try:
        read_rows(file)
    except RecordError as error:
        raise UserError(str(error).replace(str(file), f"{METRICS_FILE} in the zip")) from error
