"""Unpacking a run from a zip that came from elsewhere: checked first, and unpacked whole or not at all."""

import hashlib
import json
import os
import shutil
import tempfile
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import BadZipFile, ZipFile, ZipInfo

from recam_core.atomic_write import write_json
from recam_core.checkpoint.places import runs_folder
from recam_core.checkpoint.run_folder import INFO_FILE, METRICS_FILE, WEIGHTS_FILE, RunInfo, read_info
from recam_core.checkpoint.run_rule import check_rule
from recam_core.errors import UserError
from recam_core.retrain.named_run import check_run_name
from recam_core.runs.folder_lock import locked
from recam_core.runs.weights_header import check_weights
from recam_core.runs.zip_rules import LARGEST_ZIP, check_entries

#: What reading a zip raises for one that is damaged.
_DAMAGED = (BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, ValueError, KeyError)
_LONGEST_TEXT = 2_000


def import_run(file: str | Path | BinaryIO, name: str = "") -> Path:
    """Unpack a run's zip among the user's own runs.

    Args:
        file: the zip, by path or as a seekable stream.
        name: what to call the run; by default as its record does.

    Returns:
        The new run's folder.

    Raises:
        UserError: it is no zip of a run, is damaged or hostile, its name is taken, or the disk is full. Nothing is
            left behind then.
    """
    if isinstance(file, (str, Path)):
        path = Path(file)
        if not path.is_file():
            raise UserError(f"There is no file {path}.")
        try:
            with path.open("rb") as stream:
                return _import(stream, name)
        except OSError as error:
            raise UserError(f"Cannot read {path}: {error.strerror or error}.") from error
    return _import(file, name)


def _import(stream: BinaryIO, name: str) -> Path:
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    if size > LARGEST_ZIP:
        raise UserError(f"The zip has {size >> 20} MB; one of a run has at most {LARGEST_ZIP >> 20} MB.")
    folder = runs_folder()
    temporary: Path | None = None
    try:
        with ZipFile(stream) as archive:
            entries = check_entries(archive.infolist(), size)
            folder.mkdir(parents=True, exist_ok=True)
            needed = sum(entry.file_size for entry in entries.values())
            if shutil.disk_usage(folder).free < needed:
                raise UserError(f"The run needs {needed >> 20} MB, and the disk has less; free some room first.")
            temporary = Path(tempfile.mkdtemp(prefix=".import.", suffix=".tmp", dir=folder))
            for plain, entry in entries.items():
                _unpack(archive, entry, temporary / plain)
        info = _check_run(temporary)
        with locked(folder):
            info.name = check_run_name(name or info.name, folder)
            write_json(temporary / INFO_FILE, asdict(info))
            temporary.chmod(0o755)
            os.rename(temporary, folder / info.name)
        return folder / info.name
    except OSError as error:
        raise UserError(f"The run cannot be unpacked to {folder}: {error.strerror or error}.") from error
    except _DAMAGED as error:
        raise UserError(f"The file is no whole zip ({error}); export the run again.") from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _unpack(archive: ZipFile, entry: ZipInfo, target: Path) -> None:
    """Copy one entry; never more bytes than it was announced with, and its check sum is compared at its end."""
    with archive.open(entry) as source, target.open("xb") as sink:
        left = entry.file_size
        while block := source.read(min(1 << 20, left + 1)):
            left -= len(block)
            if left < 0:
                raise UserError("The zip holds more than it says; it is refused.")
            sink.write(block)
    if left:
        raise UserError("The zip holds less than it says; export the run again.")


def _check_run(folder: Path) -> RunInfo:
    """The record of an unpacked run whose files fit together."""
    try:
        info = read_info(folder)
    except UserError as error:
        # The folder is a temporary one, whose name helps nobody.
        raise UserError(str(error).replace(str(folder / INFO_FILE), f"{INFO_FILE} in the zip")) from error
    _check_texts(asdict(info))
    if isinstance(info.seed, bool) or not isinstance(info.seed, int) or abs(info.seed) >= 1 << 63:
        raise UserError(f"The seed in {INFO_FILE} is no number that a computer holds.")
    check_rule(info, info.rule)
    check_weights(folder / WEIGHTS_FILE, info)
    digest = hashlib.sha256()
    with (folder / WEIGHTS_FILE).open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    if digest.hexdigest() != info.weights_sha256:
        raise UserError("The weights are not those that the record was written for; export the run again.")
    if (folder / METRICS_FILE).exists():
        _check_curves(folder / METRICS_FILE)
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
        curves = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{METRICS_FILE} in the zip is damaged ({error}).") from error
    if not isinstance(curves, list) or not all(
        isinstance(row, dict) and all(map(_is_number, row.values())) for row in curves
    ):
        raise UserError(f"{METRICS_FILE} in the zip is no list of curves.")


def _is_number(value: Any) -> bool:
    """Whether a curve may have this value; whole numbers in JSON may be longer than any that a computer holds."""
    return value is None or isinstance(value, float) or (isinstance(value, int) and abs(value) < 1 << 63)
