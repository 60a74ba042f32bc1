"""Options that many commands have: settings of a recipe, ``--device``, where a run is written, results as files."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recam_core import ranks
from recam_core.atomic_write import replacing_file, write_json
from recam_core.cache import cache_folder
from recam_core.errors import LEFT_OUT, UserError
from recam_core.lock import hold_folder
from recam_core.progress import PIPE
from recam_core.setting import settings

if TYPE_CHECKING:
    from recam_core.data.sample import Dataset, Fault


def add_device(parser: argparse._ActionsContainer) -> None:
    """``--device``."""
    parser.add_argument("--device", default="auto", help="auto, cuda, cuda:1, mps or cpu (default: auto)")


def add_band(parser: argparse._ActionsContainer) -> None:
    """``--band``."""
    parser.add_argument(
        "--band", type=int, metavar="N", help="count only pixels within N of a contour of the ground truth"
    )


class Opened:
    """Opens data sets for a command that leaves out what cannot be read, and tells of it at its end."""

    def __init__(self) -> None:
        self._faults: dict[str, Fault] = {}
        self._datasets: dict[tuple[str, int | None], Dataset] = {}

    def open(self, spec: str, limit: int | None = None) -> Dataset:
        """A data set without the pictures that cannot be read, as far as they are among the first ``limit``.

        Raises:
            UserError: there is no such data set, or most of it cannot be read; or the processes under ``torchrun`` see
                different pictures.
        """
        from recam_core.data.readable import FEW, readable
        from recam_core.data.spec import open_dataset
        from recam_core.progress import silent, terminal
        from recam_core.words import counted

        if (spec, limit) in self._datasets:
            return self._datasets[spec, limit]
        dataset = open_dataset(spec)
        with terminal(f"reading {spec}") if len(dataset) >= FEW else nullcontext(silent) as progress:
            # Of many pictures the first rank keeps what it found, where the others on its machine find it.
            dataset, faults = ranks.after_first(partial(readable, dataset, limit, progress))
        ranks.check_same("\n".join(dataset.ids), f"pictures of {spec}")
        if faults:
            print(f"{spec}: {counted(len(faults), 'picture')} cannot be read and will be left out.", file=sys.stderr)
        self._faults |= {str(fault): fault for fault in faults}
        self._datasets[spec, limit] = dataset
        return dataset

    def status(self) -> int:
        """The exit status of the command, after what was left out is told on standard error."""
        from recam_core.data.readable import told

        if not self._faults:
            return 0
        print(told(list(self._faults.values())), file=sys.stderr)
        return LEFT_OUT if ranks.world() == 1 else 0  # torchrun takes any status for a failure


def write_results(file: Path | None, results: Any) -> None:
    """Write results to the file that ``--json`` named, if it named one."""
    if file is not None and ranks.is_first():
        write_json(file, results)
        print(f"Results written to {file}.")


def check_files(paths: Sequence[Path], endings: Sequence[str]) -> None:
    """Raise UserError for files that ``--out`` names and that cannot be written, before anything slow begins."""
    for path in paths:
        if path.suffix.lower() not in endings:
            raise UserError(f"{path}: files end in {', '.join(endings)}; the ending says what is written.")
        if path.is_dir():
            raise UserError(f"{path} is a folder; name a file in it.")


def write_files(made: Iterable[tuple[Path, bytes]]) -> None:
    """Write what was made to the files that ``--out`` named, each whole or not at all, and say how large it is."""
    for path, content in made if ranks.is_first() else ():
        with replacing_file(path) as temporary:
            temporary.write_bytes(content)
        print(f"{path}: {len(content) / 1e3:,.0f} kB")


def print_notes(dataset: Dataset) -> None:
    """Say on standard error what was decided about a data set that its files do not state."""
    from recam_core.data.check import notes_of

    for note in notes_of(dataset):
        print(f"Note on {dataset.spec}: {note}", file=sys.stderr)


def write_table(file: Path | None, table: str) -> None:
    """Write a table as CSV to the file that ``--csv`` named, if it named one."""
    if file is not None:
        with replacing_file(file) as temporary:
            temporary.write_text(table, encoding="utf-8", newline="")
        print(f"Table written to {file}.")


def add_settings(
    parser: argparse.ArgumentParser, recipe: type, but: Collection[str] = (), more: Mapping[str, str] | None = None
) -> None:
    """Add an option a setting that has one, left at None unless it is given.

    Args:
        parser: of a command.
        recipe: the dataclass whose fields they are.
        but: settings that the command asks for in its own way, or not at all.
        more: what the help says of a setting besides its meaning.
    """
    for name, known in settings(recipe).items():
        if known.flag and name not in but:
            parser.add_argument(
                known.flag,
                dest=name,
                type=known.kind,
                choices=known.choices or None,
                metavar=None if known.choices else known.flag[2:].replace("-", "_").upper(),
                help=f"{known.meaning} ({more[name]})" if more and name in more else known.meaning,
            )


def check_out(out: Path, hold: bool = True) -> None:
    """Find what is wrong with a folder before anything slow begins.

    The folders of trainings in the queue are left to them, whether they wait, run, or were cut off and may go on.

    Args:
        out: need not be there yet.
        hold: whether it is this command's until it ends, see :func:`hold_out`.

    Raises:
        UserError: the folder is one of them, another command writes there, or no folder can be made there.
    """
    from recam_core.queue.listing import writer_of

    there = next(place for place in (out.absolute(), *out.absolute().parents) if os.path.lexists(place))
    if not there.is_dir():
        raise UserError(f"Cannot write {out}: {there} is no folder. Choose another place.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UserError(f"Cannot write {out}: nothing may be written to {there}. Choose another place.")
    training = None if os.environ.get(PIPE) else writer_of(out)  # it may be the queue itself that asks
    if training is not None and training.out.resolve() == out.resolve():
        raise UserError(
            f"{out} belongs to a training in the queue ({training.state}): choose another folder, or see "
            f"`trainings resume {training.id}` and `trainings remove {training.id}`."
        )
    if hold:
        hold_out(out)


def hold_out(out: Path) -> None:
    """Be the only command that writes to a folder, until it ends. Raises UserError where another one is."""
    ranks.on_first(lambda: hold_folder(out, cache_folder() / "writing"))
