"""``data download``: fetch a public data set, verify it, and only then put it in place."""

import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from recam_core.data.fetch import Archive, compare, discard, fetch, fetched_bytes
from recam_core.data.image_io import DATASET_LIMITS
from recam_core.data.msrc import convert
from recam_core.data.voc_animals import choose_animals
from recam_core.errors import UserError
from recam_core.guest import refuse_download
from recam_core.guest_room import room_for
from recam_core.lock import holding, try_lock
from recam_core.progress import ProgressFn, silent
from recam_core.zip_entries import opened_zip, plain_parts, shown, unpack_entry

#: Makes the new folder of a data set from its archives.
UnpackFn = Callable[[Sequence[Path], Path, ProgressFn], None]
#: Bytes that the annotations of one split of COCO may have, and that its photographs' archive may have.
_MOST_JSON, _LARGEST_ZIP = 1 << 30, 32 << 30


@dataclass(frozen=True)
class Source:
    """A data set that can be downloaded.

    Attributes:
        title: what it is called.
        about: what is in it, in a line.
        terms: under which terms, in a line.
        archives: the files to fetch.
        folder: where the data set lies below the folder that it is downloaded to.
        unpack: makes that folder from the archives.
        spec: what opens it, with ``{}`` for the folder that it is downloaded to.
        disk_bytes: room that archives and contents need together.
        checked: how sure it is that the right files came, in a line.
    """

    title: str
    about: str
    terms: str
    archives: tuple[Archive, ...]
    folder: str
    unpack: UnpackFn
    spec: str
    disk_bytes: int = 0
    checked: str = ""

    @property
    def size(self) -> int:
        """Bytes to fetch; 0 where only the server knows."""
        sizes = [archive.size for archive in self.archives]
        return sum(sizes) if all(sizes) else 0


def find_source(name: str) -> Source:
    """Raises UserError for a name that is not in the table."""
    if name not in SOURCES:
        raise UserError(f"There is no download called '{name}'; there are: {', '.join(SOURCES)}.")
    return SOURCES[name]


def is_here(source: Source, to: str | Path) -> bool:
    """Whether the data set is in place."""
    return (Path(to).expanduser() / source.folder).is_dir()


def kept_bytes(source: Source, to: str | Path) -> int:
    """How much an earlier try has fetched already, of all its archives."""
    return sum(fetched_bytes(archive, Path(to).expanduser()) for archive in source.archives)


def forget(source: Source, to: str | Path) -> None:
    """Delete what an earlier try has fetched.

    Raises:
        UserError: it is being fetched just now, or cannot be deleted.
    """
    to = Path(to).expanduser()
    with holding(_lock(source, to)):
        try:
            for archive in source.archives:
                discard(archive, to)
        except OSError as error:
            raise UserError(f"Cannot delete what is in {to}: {error.strerror or error}.") from error
        _lock_file(source, to).unlink(missing_ok=True)


def download(source: Source, to: str | Path, progress: ProgressFn = silent) -> Path:
    """Fetch, verify and unpack the archives of a data set into ``to``.

    What appears under its final name is complete. What was fetched lies beside it in ``.part`` files until then, so
    that a download that broke off or was cancelled goes on where it ended. An archive that lies in ``to`` under its
    own name - fetched by hand - is used instead of fetching, and is kept. A folder that is already in place is
    returned as it is.

    Args:
        source: which data set.
        to: the folder, made if need be.
        progress: called with bytes; its note says of which step. May raise Cancelled.

    Returns:
        the folder ``to/folder``.

    Raises:
        UserError: offline, timed out, wrong checksum, no room on the disk, an archive that cannot be unpacked, or
            somebody else is downloading it to the same place; also a guest who may not, or has no room for it.
    """
    refuse_download()
    to = Path(to).expanduser()
    final = to / source.folder
    if final.exists():
        return final
    try:
        to.mkdir(parents=True, exist_ok=True)
        with room_for(source.disk_bytes), holding(_lock(source, to)):
            try:
                if not final.exists():  # nobody else was a moment faster
                    _download(source, to, final, progress)
            finally:
                # Who waits for it under this name finds the data set in place, or nothing begun. Only its holder may.
                if not kept_bytes(source, to):
                    _lock_file(source, to).unlink(missing_ok=True)
    except OSError as error:
        kept = " What was fetched is kept." if kept_bytes(source, to) else ""
        raise UserError(f"Cannot write to {to}: {error.strerror or error}.{kept}") from error
    return final


def _download(source: Source, to: Path, final: Path, progress: ProgressFn) -> None:
    _refuse_full_disk(source, to)
    archives = [_by_hand(archive, to, progress) or fetch(archive, to, progress) for archive in source.archives]
    prefix = f".download-{final.name}-"
    for left in to.glob(f"{prefix}*"):  # by a kill
        shutil.rmtree(left, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=prefix, dir=to))
    try:
        ready = work / "ready"
        source.unpack(archives, ready, progress)
        final.parent.mkdir(parents=True, exist_ok=True)
        os.replace(ready, final)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    for archive in source.archives:
        discard(archive, to)


def _lock_file(source: Source, to: Path) -> Path:
    return to / f".{source.archives[0].filename}.lock"


def _lock(source: Source, to: Path) -> int:
    handle = try_lock(_lock_file(source, to))
    if handle is None:
        raise UserError(f"{source.title} is being downloaded to {to} already; wait for that to end.")
    return handle


def _refuse_full_disk(source: Source, to: Path) -> None:
    free, needed = shutil.disk_usage(to).free, source.disk_bytes - kept_bytes(source, to)
    for archive in source.archives:
        with suppress(OSError):
            needed -= (to / archive.filename).stat().st_size
    if free < needed:
        raise UserError(
            f"{to} has {free / 1e9:.1f} GB of room, but this data set needs {needed / 1e9:.1f} GB. "
            "Free some, or choose another folder."
        )


def _by_hand(archive: Archive, to: Path, progress: ProgressFn) -> Path | None:
    path = to / archive.filename
    if not path.is_file():
        return None
    compare(archive, path, progress)
    return path


# Unpacking ------------------------------------------------------------------------------------------------------------


def unpack_tar(archives: Sequence[Path], target: Path, progress: ProgressFn, inner: str) -> None:
    """Unpack a tar, and take the folder ``inner`` of it as the data set.

    Raises:
        UserError: damaged, hostile, or without that folder.
    """
    if not hasattr(tarfile, "data_filter"):
        raise UserError("This Python cannot unpack archives safely; update it to 3.10.12, 3.11.4 or later.")
    (archive,) = archives
    unpacked = target.with_name("unpacked")
    unpacked.mkdir()
    total = archive.stat().st_size
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                # The filter refuses absolute paths, '..', links that lead outside, and devices.
                tar.extract(member, unpacked, filter="data")
                progress(min(total, member.offset_data + member.size), total, "unpacking")
    except (tarfile.TarError, EOFError) as error:
        raise UserError(f"{archive.name} cannot be unpacked ({error}).") from error
    if not (unpacked / inner).is_dir():
        raise UserError(f"The archive {archive.name} holds no folder {inner}; it is not the right one.")
    os.replace(unpacked / inner, target)


def unpack_coco(archives: Sequence[Path], target: Path, progress: ProgressFn, splits: Mapping[str, int]) -> None:
    """Unpack COCO: an archive of photographs for each split, in order, and one of annotations.

    Args:
        archives: the zips.
        target: made here: ``annotations/instances_SPLIT.json`` and ``SPLIT/``.
        progress: called with bytes, after each file.
        splits: split -> how many photographs it has.

    Raises:
        UserError: a zip is damaged, hostile or another one.
    """
    (target / "annotations").mkdir(parents=True)
    for archive, (split, count) in zip(archives[:-1], splits.items(), strict=True):
        (target / split).mkdir()
        with opened_zip(archive, _LARGEST_ZIP, "download it again") as (opened, _):
            photos = {}
            for entry in opened.infolist():
                parts = plain_parts(entry, "a data set")
                if entry.is_dir():
                    continue
                if len(parts) != 2 or parts[0] != split or not parts[1].endswith(".jpg") or parts[1] in photos:
                    raise UserError(f"{shown(entry)} is no photograph of COCO's {split}; {archive.name} is refused.")
                if entry.file_size > DATASET_LIMITS.max_bytes:
                    raise UserError(f"{shown(entry)} in {archive.name} is larger than any photograph; it is refused.")
                photos[parts[1]] = entry
            if len(photos) != count:
                raise UserError(f"{archive.name} holds {len(photos):,} photographs and not {count:,}; it is refused.")
            total, done = sum(entry.file_size for entry in photos.values()), 0
            for name, entry in photos.items():
                unpack_entry(opened, entry, target / split / name)
                done += entry.file_size
                progress(done, total, f"unpacking {archive.name}")
    with opened_zip(archives[-1], _LARGEST_ZIP, "download it again") as (opened, _):
        by_place = {plain_parts(entry, "a data set"): entry for entry in opened.infolist()}
        for split in splits:
            place = ("annotations", f"instances_{split}.json")
            listed = by_place.get(place)
            if listed is None or listed.file_size > _MOST_JSON:
                raise UserError(f"{archives[-1].name} holds no {'/'.join(place)}; it is not the right archive.")
            unpack_entry(opened, listed, target.joinpath(*place))
            progress(listed.file_size, listed.file_size, f"unpacking {place[-1]}")


def _unpack_animals(archives: Sequence[Path], target: Path, progress: ProgressFn) -> None:
    voc = target.with_name("voc2012")
    unpack_tar(archives, voc, progress, inner=_VOC)
    choose_animals(voc, target, progress)


def _unpack_msrc(archives: Sequence[Path], target: Path, progress: ProgressFn) -> None:
    convert(archives[0], target, progress)


# The table ------------------------------------------------------------------------------------------------------------

_VOC = "VOCdevkit/VOC2012"
_COCO = "http://images.cocodataset.org"
_COCO_TERMS = "Annotations: Creative Commons Attribution 4.0. Photographs: the terms of Flickr; for research."
_COCO_CHECKED = (
    "COCO publishes no checksums; compared with the MD5 sums that others list, with the sizes, the number of "
    "photographs and the checksum of every file in the zips."
)


_VOC_TERMS = "Photographs: the terms of Flickr; for research."
_VOC_CHECKED = "Compared with the MD5 checksum that torchvision lists."
#: As torchvision has it, which takes long to import: a test compares them.
_VOC_TAR = Archive(
    "https://thor.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar",
    "VOCtrainval_11-May-2012.tar",
    "6cd6e144f989b92b3379bac3b3de84fd",
    1_999_639_040,
)
_MSRC = "msrc_objcategimagedatabase_v2.zip"

#: Name on the command line -> what it brings. Adding a download is one entry.
SOURCES: dict[str, Source] = {
    "msrc_v2": Source(
        title="MSRC v2",
        about="591 photographs with masks of 22 classes that cover them: what the checkpoints called Photographs were "
        "trained on.",
        terms="Microsoft Research Cambridge; for research, and the photographs are not to be passed on.",
        archives=(
            Archive(
                f"https://download.microsoft.com/download/3/3/9/339D8A24-47D7-412F-A1E8-1A415BC48A15/{_MSRC}",
                _MSRC,
                "8fcd292c7f1e69f91a2ef513746bd52c",
            ),
        ),
        folder="msrc_v2",
        unpack=_unpack_msrc,
        spec="voc:{}/msrc_v2@train",
        disk_bytes=500_000_000,
        checked="Address and MD5 checksum as other projects list them; ids, sizes and colours are checked as well.",
    ),
    "voc2012": Source(
        title="PASCAL VOC 2012",
        about="17,125 photographs with labels of 20 classes, 2,913 of them with masks and a background.",
        terms=_VOC_TERMS,
        archives=(_VOC_TAR,),
        folder=_VOC,
        unpack=partial(unpack_tar, inner=_VOC),
        spec="voc:{}@train",
        disk_bytes=4_500_000_000,
        checked=_VOC_CHECKED,
    ),
    "voc2012_animals": Source(
        title="PASCAL VOC 2012, the animals",
        about="The photographs of VOC 2012 that show cats, dogs, cows, horses or sheep, and what stands beside them: "
        "eight classes and background, as the checkpoints called Animals know them.",
        terms=_VOC_TERMS,
        archives=(_VOC_TAR,),
        folder="voc2012_animals",
        unpack=_unpack_animals,
        spec="voc:{}/voc2012_animals@train_aug",
        disk_bytes=5_000_000_000,
        checked=_VOC_CHECKED,
    ),
    "coco2017val": Source(
        title="MS COCO 2017, val",
        about="5,000 photographs with outlines of 80 classes of objects.",
        terms=_COCO_TERMS,
        archives=(
            Archive(f"{_COCO}/zips/val2017.zip", "val2017.zip", "442b8da7639aecaf257c1dceb8ba8c80", 815_585_330),
            Archive(
                f"{_COCO}/annotations/annotations_trainval2017.zip",
                "annotations_trainval2017.zip",
                "f4bbac642086de4f52a3fdda2de5fa2c",
                252_907_541,
            ),
        ),
        folder="coco2017val",
        unpack=partial(unpack_coco, splits={"val2017": 5_000}),
        spec="coco:{}/coco2017val@val2017",
        disk_bytes=2_200_000_000,
        checked=_COCO_CHECKED,
    ),
    "coco2014": Source(
        title="MS COCO 2014, train and val",
        about="123,287 photographs with outlines of 80 classes of objects: the paper's larger data set.",
        terms=_COCO_TERMS,
        archives=(
            Archive(f"{_COCO}/zips/train2014.zip", "train2014.zip", "0da8c0bd3d6becc4dcb32757491aca88", 13_510_573_713),
            Archive(f"{_COCO}/zips/val2014.zip", "val2014.zip", "a3d79f5ed8d289b7a7554ce06a5782b3", 6_645_013_297),
            Archive(
                f"{_COCO}/annotations/annotations_trainval2014.zip",
                "annotations_trainval2014.zip",
                "0a379cfc70b0e71301e0f377548639bd",
                252_872_794,
            ),
        ),
        folder="coco2014",
        unpack=partial(unpack_coco, splits={"train2014": 82_783, "val2014": 40_504}),
        spec="coco:{}/coco2014@train2014",
        disk_bytes=42_000_000_000,
        checked=_COCO_CHECKED,
    ),
}
