"""The folder of boundaries or of a segmentation network: weights, and a record that says what they were made of.

Weights are written first and the record last, so that a folder with a record is whole. The record tells the same
training asked for once more from another one; the state of one that was cut off lies beside them until it has ended.
"""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from recam_core import ranks
from recam_core.atomic_write import write_json
from recam_core.checkpoint.tensor_file import load_tensors, write_tensors
from recam_core.errors import UserError
from recam_core.file_reader import file_sha256
from recam_core.records import opened_record
from recam_core.train.state import STATE_FILE, load_state, refuse_foreign_weights


@dataclass(frozen=True)
class TrainedFolder:
    """A kind of folder.

    Attributes:
        what: is trained, for people, such as "boundaries" or "a segmentation network".
        form, version: of the record.
        record, weights: names of the two files.
        sha: how the record calls the check sum of the weights.
        command: that makes such a folder.
    """

    what: str
    form: str
    version: int
    record: str
    weights: str
    sha: str
    command: str

    def finished(self, out: Path, made_by: str) -> dict[str, Any] | None:
        """The record of a finished training that is the very one asked for; None where none is finished.

        One whose weights are gone or damaged is let go of, and made anew.

        Args:
            out: the folder.
            made_by: of all that decides the result, wherever it lies.

        Raises:
            UserError: there is a finished training of something else.
        """

        def there() -> dict[str, Any] | None:
            record, weights = out / self.record, out / self.weights
            if load_state(out) is not None or not record.exists():
                return None
            with opened_record(record) as values:
                if values.get("made_by") == made_by:
                    if weights.is_file() and file_sha256(weights) == values.get(self.sha):
                        return dict(values)
                    record.unlink()
                    weights.unlink(missing_ok=True)
                    return None
            raise UserError(
                f"{out} holds {self.what} already, made with other settings, from other data or by an older "
                "version; choose another folder or delete it."
            )

        return ranks.on_first(there)

    def cut_off(self, out: Path, identity: str) -> dict[str, Any] | None:
        """The state of a training that was cut off, or None for a fresh start.

        Args:
            out: the folder.
            identity: of all that decides the result.

        Raises:
            UserError: there is a finished training, or one of other settings, or the weights of something else.
        """
        ranks.check_same(identity, "training")

        def found() -> dict[str, Any] | None:
            state = load_state(out)
            if state is None and (out / self.record).exists():
                raise UserError(f"{out} holds {self.what} already; choose another folder or delete it.")
            if state is not None and state.get("identity") != identity:
                raise UserError(
                    f"{out} holds another training that was cut off, of other settings, data or an older version; "
                    f"choose another folder, or delete {out / STATE_FILE} to start afresh."
                )
            if state is None:
                refuse_foreign_weights(out / self.weights)
            return state

        return ranks.on_first(found)

    def finish(self, out: Path, values: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> dict[str, Any]:
        """Write the weights and the record (its form and check sum besides ``values``), and drop the state.

        Raises:
            UserError: they cannot be written.
        """

        def written() -> dict[str, Any]:
            record = {"format": self.form, "format_version": self.version, **values}
            record[self.sha] = write_tensors(out / self.weights, tensors)
            write_json(out / self.record, record)
            shutil.rmtree((out / STATE_FILE).parent, ignore_errors=True)
            return record

        return ranks.on_first(written)

    @contextmanager
    def opened(self, folder: Path) -> Iterator[dict[str, Any]]:
        """The record of a finished training. Raises UserError where there is none, or it cannot be read; so does what
        the caller does not find in it."""
        if not (folder / self.record).is_file():
            raise UserError(
                f"{folder} does not hold {self.what}: it has no {self.record}. `{self.command}` makes such a folder."
            )
        with opened_record(folder / self.record) as values:
            if values["format"] != self.form or int(values["format_version"]) > self.version:
                raise UserError(f"{folder / self.record} was written by another version of this program.")
            yield dict(values)

    def load(self, folder: Path, network: nn.Module) -> None:
        """Give a network the weights. Raises UserError where they are damaged, or do not fit."""
        load_tensors(network, folder / self.weights, f"Make it anew with `{self.command}`.")
