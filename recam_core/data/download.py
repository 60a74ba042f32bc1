"""``data download``: fetch a public data set, verify it, and only then put it in place."""

import os
import shutil
import socket
import tarfile
import tempfile
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from recam_core.errors import UserError
from recam_core.progress import ProgressFn, silent

#: Seconds without a byte after which the connection counts as lost.
TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Source:
    """Where an archive comes from.

    Attributes:
        url: of a tar archive.
        filename: its name on disk.
        md5: what it must hash to.
        base_dir: the folder inside the archive that is wanted.
        disk_bytes: room that the archive and its contents need together.
    """

    url: str
    filename: str
    md5: str
    base_dir: str
    disk_bytes: int = 0


def voc2012() -> Source:
    """PASCAL VOC 2012 trainval (17,125 photographs, 2,913 masks; 2 GB), where torchvision knows it to be."""
    from torchvision.datasets.voc import DATASET_YEAR_DICT

    entry = DATASET_YEAR_DICT["2012"]
    return Source(entry["url"], entry["filename"], entry["md5"], entry["base_dir"], disk_bytes=4_500_000_000)


#: Name on the command line -> its source. Adding a download is one entry.
SOURCES = {"voc2012": voc2012}


def find_source(name: str) -> Source:
    """Raises UserError for a name that is not in the table."""
    if name not in SOURCES:
        raise UserError(f"There is no download called '{name}'; there are: {', '.join(SOURCES)}.")
    return SOURCES[name]()


def download(source: Source, to: str | Path, progress: ProgressFn = silent) -> Path:
    """Fetch (through torchvision), verify and unpack an archive into ``to``.

    The work happens in a hidden folder inside ``to``; what appears under its final name is complete. An archive
    that lies in ``to`` already - fetched by hand - is used instead of fetching, and is kept. A folder that is
    already in place is returned as it is.

    Returns:
        the folder ``to/base_dir``.

    Raises:
        UserError: offline, timed out, wrong checksum, no room on the disk, an archive that cannot be unpacked.
    """
    to = Path(to).expanduser()
    final = to / source.base_dir
    if final.exists():
        return final
    work: Path | None = None
    try:
        to.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(to).free
        if free < source.disk_bytes:
            raise UserError(
                f"{to} has {free / 1e9:.1f} GB of room, but this data set needs {source.disk_bytes / 1e9:.1f} GB. "
                "Free some, or choose another folder."
            )
        work = Path(tempfile.mkdtemp(prefix=".download-", dir=to))
        archive = _by_hand(source, to) or _fetch(source, to, work)
        unpacked = work / "unpacked"
        _unpack(archive, unpacked, progress)
        if not (unpacked / source.base_dir).is_dir():
            raise UserError(
                f"The archive {source.filename} holds no folder {source.base_dir}; it is not the right one."
            )
        final.parent.mkdir(parents=True, exist_ok=True)
        os.replace(unpacked / source.base_dir, final)
    except OSError as error:
        raise UserError(f"Cannot write to {to}: {error.strerror or error}.") from error
    finally:
        if work is not None:
            shutil.rmtree(work, ignore_errors=True)
    return final


def _by_hand(source: Source, to: Path) -> Path | None:
    from torchvision.datasets.utils import check_integrity

    path = to / source.filename
    if not path.is_file():
        return None
    if not check_integrity(str(path), source.md5):
        raise UserError(
            f"{path} is damaged or incomplete: its MD5 sum is not {source.md5}. Delete it, or download it again."
        )
    return path


def _fetch(source: Source, to: Path, work: Path) -> Path:
    from torchvision.datasets.utils import download_url

    try:
        with _timeout(TIMEOUT_S):
            download_url(source.url, str(work), source.filename, source.md5)
    except RuntimeError as error:  # torchvision's word for a wrong checksum
        raise UserError(
            f"What came from {source.url} is damaged or incomplete: its MD5 sum is not {source.md5}. Try again; "
            + _advice(source, to)
        ) from error
    except (OSError, HTTPException, ValueError) as error:
        # URLError and timeouts are OSErrors; a full disk is one as well, but has nothing to do with the network.
        if isinstance(error, OSError) and not _is_network(error):
            raise
        raise UserError(
            f"Could not download {source.url} ({_reason(error)}). Check the connection and try again; "
            + _advice(source, to)
        ) from error
    return work / source.filename


def _advice(source: Source, to: Path) -> str:
    return (
        f"or fetch the file by hand on any machine, check that 'md5sum {source.filename}' gives {source.md5}, put it "
        f"into {to} and run the same command again."
    )


def _is_network(error: OSError) -> bool:
    return isinstance(error, (urllib.error.URLError, TimeoutError, ConnectionError, socket.gaierror))


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answered {error.code}, {error.reason}"
    reason = getattr(error, "reason", None) or error
    return "it took too long to answer" if isinstance(reason, TimeoutError) else str(reason) or type(reason).__name__


@contextmanager
def _timeout(seconds: float) -> Iterator[None]:
    """torchvision opens connections without a time limit of its own and would wait for a silent server for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _unpack(archive: Path, to: Path, progress: ProgressFn) -> None:
    if not hasattr(tarfile, "data_filter"):
        raise UserError("This Python cannot unpack archives safely; update it to 3.10.12, 3.11.4 or later.")
    to.mkdir()
    total = archive.stat().st_size
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                # The filter refuses absolute paths, '..', links that lead outside, and devices.
                tar.extract(member, to, filter="data")
                progress(min(total, member.offset_data + member.size), total, "unpacking")
    except (tarfile.TarError, EOFError) as error:
        raise UserError(f"{archive.name} cannot be unpacked ({error}).") from error
