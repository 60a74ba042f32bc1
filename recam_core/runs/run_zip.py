"""A run as a zip: packing one, and unpacking one from elsewhere, checked first, and whole or not at all."""

from zipfile import ZipInfo
from recam_core.file_reader import file_sha256
from recam_core.checkpoint.run_folder import INFO_FILE, METRICS_FILE, WEIGHTS_FILE
from recam_core.errors import UserError
from recam_core.theory.negatives import NEGATIVES_FILE
from recam_core.zip_entries import plain_parts, shown
import io
import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo
from recam_core.atomic_write import replacing_file
from recam_core.checkpoint.run_folder import INFO_FILE, METRICS_FILE, WEIGHTS_FILE, read_info
from recam_core.runs.listed import ListedRun
from recam_core.runs.weights_header import check_weights
import hashlib
import os
from typing import Any, BinaryIO
from recam_core.atomic_write import sweep, temporary_folder, write_json
from recam_core.folders import runs_folder
from recam_core.checkpoint.run_folder import INFO_FILE, METRICS_FILE, WEIGHTS_FILE, RunInfo, read_info
from recam_core.guest_room import room_for
from recam_core.records import RecordError, read_rows
from recam_core.retrain.named_run import check_run_name
from recam_core.runs.folder import locked
from recam_core.theory.negatives import NEGATIVES_FILE, read_negatives
from recam_core.zip_entries import opened_zip, refuse_full_disk, unpack_entry


#: The files that a run consists of, and how many bytes each may have: 1 GiB of weights is ten times the ResNet-50's.
FILES = {WEIGHTS_FILE: 1 << 30, INFO_FILE: 4 << 20, METRICS_FILE: 16 << 20, NEGATIVES_FILE: 16 << 20}
NEEDED = (WEIGHTS_FILE, INFO_FILE)
#: Bytes that a zip of one run may have.
LARGEST_ZIP = sum(FILES.values()) + (1 << 20)
#: Weights hardly shrink and records shrink tenfold: what unpacks to more than this multiple is made to fill a disk.
#: Below the bound in bytes nothing is worth such a trick.
_MOST_GROWTH, _SMALL = 40, 32 << 20
#: The files, and the folder around them.
_MOST_ENTRIES = len(FILES) + 1


def check_entries(entries: list[ZipInfo], zip_bytes: int) -> dict[str, ZipInfo]:
    """The entries of the run's files by their plain names.

    Args:
        entries: all that the zip lists.
        zip_bytes: of the whole zip.

    Raises:
        UserError: the first thing that a packed run does not have.
    """
    if len(entries) > _MOST_ENTRIES:
        raise UserError(f"The zip holds {len(entries)} entries; a packed run holds at most {_MOST_ENTRIES}.")
    found: dict[str, ZipInfo] = {}
    folders = set()
    for entry in entries:
        folder, name = _place(entry)
        folders.add(folder)
        if entry.is_dir():
            continue
        if name not in FILES:
            raise UserError(f"The zip holds {shown(entry)}, which no run has; a run is {', '.join(FILES)}.")
        if name in found:
            raise UserError(f"The zip holds {name} twice; a packed run holds one run.")
        if entry.file_size > FILES[name]:
            raise UserError(f"{name} in the zip would take {entry.file_size >> 20} MB; {FILES[name] >> 20} MB is most.")
        found[name] = entry
    if len(folders) > 1:
        raise UserError("The files in the zip lie in several folders; a packed run has them in one.")
    for name in NEEDED:
        if name not in found:
            raise UserError(f"The zip is no packed run: it has no {name}.")
    total = sum(entry.file_size for entry in found.values())
    if total > max(_SMALL, _MOST_GROWTH * zip_bytes):
        raise UserError(f"The zip would unpack to {total >> 20} MB, far more than a run of its size; it is refused.")
    return found


def _place(entry: ZipInfo) -> tuple[str, str]:
    """Folder ('' for none) and name of an entry; refuses what is not a plain file or folder in a plain place."""
    parts = plain_parts(entry, "a run")
    if len(parts) > (1 if entry.is_dir() else 2):
        raise UserError(f"{shown(entry)} in the zip does not lie where the files of a run lie; it is refused.")
    if entry.is_dir():
        return parts[0] if parts else "", ""
    return (parts[0] if len(parts) == 2 else ""), parts[-1]


def export_name(run: ListedRun) -> str:
    """The file name of a run's zip."""
    return f"{_folder_name(run)}.zip"


def export_run(run: ListedRun, file: str | Path) -> Path:
    """Write a run's zip, whole or not at all.

    Args:
        run: the run.
        file: the zip, or a folder to put it in under the run's name.

    Returns:
        The zip that was written.

    Raises:
        UserError: the run is damaged, or the file cannot be written.
    """
    file = Path(file)
    if file.is_dir():
        file = file / export_name(run)
    with replacing_file(file) as temporary, temporary.open("wb") as stream:
        write_zip(run, stream)
    return file


def zipped(run: ListedRun) -> bytes:
    """The bytes of a run's zip.

    Raises:
        UserError: the run is damaged or gone.
    """
    stream = io.BytesIO()
    write_zip(run, stream)
    return stream.getvalue()


def write_zip(run: ListedRun, stream: BinaryIO) -> None:
    """Write a run's zip to a stream: its files in a folder of its name, and nothing of this machine but the record.

    Raises:
        UserError: the run is damaged or gone.
    """
    info, folder = read_info(run.path), _folder_name(run)
    # What is packed here must pass the check where it is unpacked.
    check_weights(run.path / WEIGHTS_FILE, info)
    try:
        with ZipFile(stream, "w", allowZip64=True) as archive:
            record = json.dumps(asdict(info), indent=2) + "\n"
            archive.writestr(_entry(f"{folder}/{INFO_FILE}", ZIP_DEFLATED), record.encode("utf-8"))
            # Weights are as good as random numbers to a packer.
            for name in (METRICS_FILE, NEGATIVES_FILE, WEIGHTS_FILE):
                kind = ZIP_STORED if name == WEIGHTS_FILE else ZIP_DEFLATED
                if (run.path / name).is_file():
                    with (
                        (run.path / name).open("rb") as source,
                        archive.open(_entry(f"{folder}/{name}", kind), "w", force_zip64=True) as target,
                    ):
                        shutil.copyfileobj(source, target, 1 << 20)
    except OSError as error:
        raise UserError(f"The run {run.name} cannot be packed: {error.strerror or error}.") from error


def _folder_name(run: ListedRun) -> str:
    return run.key.replace("/", "-") if run.shipped else run.path.name


def _entry(name: str, kind: int) -> ZipInfo:
    """An entry without the time of packing, so that a run always packs into the same bytes."""
    entry = ZipInfo(name)
    entry.compress_type = kind
    entry.external_attr = 0o100644 << 16
    return entry


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
            refuse_full_disk(folder, needed, "The run needs")
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
    if file_sha256(folder / WEIGHTS_FILE) != info.weights_sha256:
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
