"""``python -m recam_core tags``: tags and notes on pictures, as the Confusions page keeps them."""

from __future__ import annotations

import argparse
from pathlib import Path

from recam_core.cli.options import write_table
from recam_core.errors import UserError
from recam_core.words import counted


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Register ``tags``."""
    parser = subparsers.add_parser(
        "tags",
        help="list, put and take away tags and notes on pictures",
        description="Tags and notes on pictures, kept beside the runs; the Confusions page of the app has the same.",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="print the tags")
    listing.add_argument("--data", metavar="SPEC", help="of this data set only")
    listing.add_argument("--tag", help="only this one")
    listing.add_argument("--csv", type=Path, metavar="FILE", help="write them to FILE")
    listing.set_defaults(run=_list)
    for action, words in (("add", "put a tag on pictures"), ("remove", "take a tag away from pictures")):
        one = actions.add_parser(action, help=words)
        one.add_argument("data", metavar="SPEC", help="the data set, such as scenes@val")
        one.add_argument("tag", metavar="TAG", help="a word or two")
        one.add_argument("pictures", nargs="+", metavar="PICTURE", help="ids")
        one.add_argument("--truth", default="", metavar="CLASS", help="the tag is about pixels of this class ...")
        one.add_argument("--taken-for", default="", metavar="CLASS", help="... that were given to this one")
        if action == "add":
            one.add_argument("--note", default="", help="any text")
        one.set_defaults(run=_add if action == "add" else _remove)


def _list(arguments: argparse.Namespace) -> int:
    from recam_core.analysis.csv_tables import tags_csv
    from recam_core.analysis.tags import TagBook
    from recam_core.folders import tags_file

    entries = TagBook(tags_file()).entries(arguments.data, arguments.tag)
    for entry in entries:
        about = f" ({entry.truth} taken for {entry.predicted})" if entry.truth else ""
        note = f": {' '.join(entry.note.split())}" if entry.note else ""
        print(f"{entry.data}  {entry.picture}  {entry.tag}{about}{note}")
    if not entries:
        print("There are no such tags.")
    write_table(arguments.csv, tags_csv(entries))
    return 0


def _add(arguments: argparse.Namespace) -> int:
    from recam_core.analysis.tags import TagBook, Tagged
    from recam_core.data.sample import picture_index
    from recam_core.data.spec import open_dataset
    from recam_core.folders import tags_file
    from recam_core.scores.metrics import value_names

    dataset = open_dataset(arguments.data)
    for picture in arguments.pictures:
        picture_index(dataset, picture)  # refuses one that is not there
    if bool(arguments.truth) != bool(arguments.taken_for):
        raise UserError("--truth and --taken-for go together; leave both out to tag whole pictures.")
    names = value_names(dataset.classes)
    unknown = next((name for name in (arguments.truth, arguments.taken_for) if name and name not in names), None)
    if unknown is not None:
        raise UserError(f"There is no class {unknown!r}; there are {', '.join(names)}.")
    entries = [
        Tagged(dataset.spec, picture, arguments.tag, arguments.note, arguments.truth, arguments.taken_for)
        for picture in dict.fromkeys(arguments.pictures)
    ]
    TagBook(tags_file()).add(entries)
    print(f"Tagged {counted(len(entries), 'picture')} of {dataset.spec}.")
    return 0


def _remove(arguments: argparse.Namespace) -> int:
    from recam_core.analysis.tags import TagBook
    from recam_core.folders import tags_file

    # The data set may be gone by now, so its name is taken as it stands.
    book = TagBook(tags_file())
    there = [
        entry
        for entry in book.entries(arguments.data, arguments.tag)
        if entry.picture in arguments.pictures
        and (entry.truth, entry.predicted) == (arguments.truth, arguments.taken_for)
    ]
    book.remove(there)
    print(f"Took {len(there)} tag{'' if len(there) == 1 else 's'} away.")
    return 0
