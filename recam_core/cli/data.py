"""``python -m recam_core data``: look at, check, download and write data sets."""

import argparse
import sys
import time
from pathlib import Path

from recam_core.atomic_write import write_json
from recam_core.data.check import (
    CheckReport,
    Summary,
    by_kind,
    check_dataset,
    settle_background,
    settle_drawn,
    summarise,
    summed_up,
)
from recam_core.data.download import SOURCES, Source, download, find_source, is_here, kept_bytes
from recam_core.data.folder import export_folder
from recam_core.data.found_sets import LAYOUTS, FoundSet, find_sets
from recam_core.data.mask_turns import DRAWN, DRAWN_FILE
from recam_core.data.sample import Fault
from recam_core.data.spec import KINDS, open_dataset
from recam_core.data.zip_upload import unpack_set
from recam_core.errors import UserError
from recam_core.folders import data_root
from recam_core.progress import Cancelled, terminal
from recam_core.words import counted, megabytes

#: Faults are printed so many seconds apart, all that came meanwhile at once: each time, the bar is drawn again.
_EVERY = 1.0


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Register ``data`` and what it can do."""
    forms = "\n".join(f"  {kind.form:<24} {kind.what}" for kind in KINDS.values())
    parser = subparsers.add_parser(
        "data",
        help="check, describe, download and write data sets",
        description="Data sets are named by a specification:\n" + forms + "\nSPLIT.fit and SPLIT.select are four "
        "fifths and one fifth of a split.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    check = actions.add_parser("check", help="read everything and count the faults; exit status 1 if there is any")
    _add_spec(check)
    check.add_argument("--all", action="store_true", help="list every fault, not only the first few of each kind")
    check.set_defaults(run=run_check)

    info = actions.add_parser("info", help="counts, classes, companions and sizes")
    _add_spec(info)
    info.set_defaults(run=run_info)

    settle = actions.add_parser("settle", help="write down a choice that the files of a data set leave open")
    settle.add_argument("spec", metavar="SPEC", help="the data set, for example folder:ROOT")
    settle.add_argument(
        "--background", choices=("yes", "no"), help="whether value 0 in its masks is background, or void (classes.txt)"
    )
    settle.add_argument(
        "--masks-drawn-on",
        choices=DRAWN,
        help=f"photographs as their files store them, or turned upright as EXIF data say ({DRAWN_FILE})",
    )
    settle.set_defaults(run=run_settle)

    fetch = actions.add_parser("download", help="fetch and verify a public data set; without a name, list them")
    fetch.add_argument("name", nargs="?", metavar="NAME", help=f"which one: {', '.join(SOURCES)}")
    fetch.add_argument(
        "--to", type=Path, metavar="DIR", help="folder to put it into (default: the folder of served ones, RECAM_DATA)"
    )
    fetch.set_defaults(run=run_download)

    listing = actions.add_parser("list", help="list the data sets in the folder of served ones (RECAM_DATA)")
    listing.add_argument("folder", nargs="?", type=Path, metavar="DIR", help="look in this folder instead")
    listing.add_argument("--json", type=Path, metavar="FILE", help="also write the list to FILE")
    listing.set_defaults(run=run_list)

    unpack = actions.add_parser("unpack", help="check a zip of a data set, and unpack it to the folder of served ones")
    unpack.add_argument("zip", type=Path, metavar="ZIP", help="of VOC's, COCO's or a folder's layout, or of pictures")
    unpack.add_argument("--name", default="", metavar="NAME", help="of the new folder (default: as in the zip)")
    unpack.set_defaults(run=run_unpack)

    export = actions.add_parser(
        "export", aliases=["draw"], help="write a data set as a plain folder (images, masks, labels, classes, split)"
    )
    export.add_argument("spec", metavar="SPEC", help="the data set, for example scenes@val")
    export.add_argument("--to", required=True, type=Path, metavar="DIR", help="a new or empty folder")
    export.add_argument("--count", type=int, metavar="N", help="only the first N pictures")
    export.set_defaults(run=run_export)


def _add_spec(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("spec", metavar="SPEC", help="the data set, for example voc:ROOT@train")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the result to FILE")


def run_check(args: argparse.Namespace) -> int:
    dataset = open_dataset(args.spec)
    with terminal("check") as progress:
        listing = _Listing()
        try:
            report = check_dataset(dataset, progress, listing.add if args.all else None)
        finally:
            listing.print()
    print(describe_check(report, every=args.all))
    if args.json:
        write_json(args.json, report.as_json())
    return 1 if report.faults else 0


def run_settle(args: argparse.Namespace) -> int:
    dataset = open_dataset(args.spec)
    if args.background is None and args.masks_drawn_on is None:
        raise UserError("Say what to settle: --background yes or no, or --masks-drawn-on stored or upright.")
    if args.background is not None:
        settle_background(dataset, args.background == "yes")
    if args.masks_drawn_on is not None:
        settle_drawn(dataset, args.masks_drawn_on)
    classes = open_dataset(args.spec).classes
    print(f"Written. {args.spec} is {'with' if classes.has_background else 'without'} a background class.")
    return 0


def run_info(args: argparse.Namespace) -> int:
    dataset = open_dataset(args.spec)
    with terminal("info") as progress:
        summary = summarise(dataset, progress)
    print(describe_summary(summary))
    if args.json:
        write_json(args.json, summary.as_json())
    return 0


def run_download(args: argparse.Namespace) -> int:
    to = args.to or data_root()
    if args.name is None:
        print("\n".join(describe_source(name, find_source(name), to) for name in SOURCES))
        return 0
    source = find_source(args.name)
    try:
        with terminal("download", in_bytes=True) as progress:
            folder = download(source, to, progress)
    except (KeyboardInterrupt, Cancelled):
        if not kept_bytes(source, to):
            raise
        print(f"Stopped. What was fetched is kept in {to}; the same command goes on with it.", file=sys.stderr)
        return 130
    print(f"{args.name} is in {folder}. Open it as {source.spec.format(to)}")
    return 0


def run_list(args: argparse.Namespace) -> int:
    folder = args.folder or data_root()
    if args.folder is not None and not folder.is_dir():
        raise UserError(f"There is no folder {folder}.")
    found = find_sets(folder)
    for one in found.sets:
        print(describe_found(one))
    if not found.sets:
        print(f"No data sets in {folder}.")
    if not found.is_complete:
        print(f"{folder} has too many folders to look at; there may be more data sets in it.")
    if args.json:
        rows = [
            {"path": str(one.path), "layout": one.layout, "pictures": one.pictures, "problem": one.problem}
            | {"specs": [one.spec(split) for split in one.splits]}
            for one in found.sets
        ]
        write_json(args.json, rows)
    return 0


def run_unpack(args: argparse.Namespace) -> int:
    with terminal("unpack") as progress:
        folder, left_out = unpack_set(args.zip, data_root(), args.name, progress)
    if left_out:
        print(f"{left_out} files of the zip are no pictures, masks or texts, and were left out.")
    for one in find_sets(folder, is_one_set=True).sets:
        print(describe_found(one))
    return 0


def run_export(args: argparse.Namespace) -> int:
    dataset = open_dataset(args.spec)
    with terminal("export") as progress:
        count = export_folder(dataset, args.to, args.count, progress)
    print(f"{count} pictures are in {args.to}. Open them as folder:{args.to}")
    return 0


class _Listing:
    """Faults as they are found, printed above a progress bar without drawing it anew for every line."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._printed = time.monotonic()

    def add(self, fault: Fault) -> None:
        self._lines.append(str(fault))
        if time.monotonic() - self._printed > _EVERY:
            self.print()

    def print(self) -> None:
        from tqdm import tqdm

        if self._lines:
            tqdm.write("\n".join(self._lines))  # print would tear the progress bar
        self._lines, self._printed = [], time.monotonic()


def describe_source(name: str, source: Source, to: Path) -> str:
    """What can be downloaded, under which terms, and whether it is in ``to`` already."""
    size = f"{source.size / 1e9:.1f} GB to fetch" if source.size else "size known to the server"
    lines = [f"{name}: {source.title}; {size}, {source.disk_bytes / 1e9:.1f} GB of room needed"]
    lines += [f"  {source.about}", f"  Terms: {source.terms}", f"  {source.checked}"]
    lines += [f"  {archive.url}" for archive in source.archives]
    if is_here(source, to):
        lines.append(f"  It is here: {source.spec.format(to)}")
    elif kept := kept_bytes(source, to):
        lines.append(f"  {megabytes(kept)} of it were fetched before; downloading goes on from there.")
    return "\n".join(lines)


def describe_found(found: FoundSet) -> str:
    """A data set that was found, and the specifications that open it."""
    lines = [f"{found.path}: {LAYOUTS[found.layout]}, {found.pictures} pictures"]
    lines += [f"  {found.problem}"] if found.problem else [f"  {found.spec(split)}" for split in found.splits]
    return "\n".join(lines)


def describe_check(report: CheckReport, every: bool = False) -> str:
    """The result in words and a table; ``every`` for faults that were all listed before."""
    lines = [] if every else summed_up(report.faults, "; --all lists each")
    lines += [f"{report.spec}: {report.pictures} pictures, {'with' if report.has_masks else 'without'} masks"]
    lines += _per_class(report.pictures_per_class)
    lines += report.notes
    count = len(report.faults)
    if count and every:
        lines += [f"{len(group.faults):>9}  {group.kind}" for group in by_kind(report.faults)]
    lines.append("No fault found." if not count else f"{counted(count, 'fault')} found.")
    return "\n".join(lines)


def describe_summary(summary: Summary) -> str:
    """The summary in words and tables."""
    lines = [
        f"{summary.spec}: {summary.pictures} pictures, {'with' if summary.has_masks else 'without'} masks",
        f"{len(summary.classes)} classes, {'with' if summary.has_background else 'without'} a background class, "
        f"{summary.classes_per_picture:.2f} a picture",
    ]
    lines += _per_class(summary.pictures_per_class)
    if summary.pairs:
        lines.append("most frequent companions (pictures with both, share of the rarer class)")
        lines += [f"  {count:>7}  {share:>4.0%}  {one} + {other}" for one, other, count, share in summary.pairs]
    for name, (height, width) in summary.sizes.items():
        lines.append(f"{name} width x height: {width} x {height}")
    if summary.broken:
        lines.append(f"{summary.broken} pictures have no readable label; 'data check' says why.")
    lines += summary.notes
    return "\n".join(lines)


def _per_class(counts: dict[str, int]) -> list[str]:
    return ["pictures with each class", *(f"  {count:>7}  {name}" for name, count in counts.items())]
