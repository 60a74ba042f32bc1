"""Packing a run into a zip that another machine can import."""

import io
import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from recam_core.atomic_write import replacing_file
from recam_core.checkpoint.run_folder import INFO_FILE, METRICS_FILE, WEIGHTS_FILE, read_info
from recam_core.errors import UserError
from recam_core.runs.listed import ListedRun
from recam_core.runs.weights_header import check_weights
from recam_core.theory.negatives import NEGATIVES_FILE


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
