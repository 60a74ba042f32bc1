"""What a training writes after each epoch: its state, to go on from after a kill, and its curves."""

from pathlib import Path
from typing import Any

import torch

from recam_core.atomic_write import replacing_file, write_json
from recam_core.checkpoint.run_folder import METRICS_FILE
from recam_core.errors import UserError

STATE_FILE = "state/last.pt"


def save_state(run: Path, state: dict[str, Any]) -> None:
    """Write the state of a training to its run folder, whole or not at all.

    Raises:
        UserError: the folder cannot be written to, or the disk is full; the state of the epoch before is kept.
    """
    with replacing_file(run / STATE_FILE) as temporary:
        try:
            torch.save(state, temporary)
        except RuntimeError as error:
            # torch's writer knows no OSError: a full disk is a RuntimeError with a line of its source in it.
            raise UserError(
                f"Cannot write {run / STATE_FILE}: the disk may be full. The last finished epoch before is kept."
            ) from error


def load_state(run: Path) -> dict[str, Any] | None:
    """The state of the last finished epoch, or None where there is none; read without running code.

    Raises:
        UserError: the file is damaged.
    """
    file = run / STATE_FILE
    if not file.exists():
        return None
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        # torch raises several types for damaged files, all meaning the same here.
        raise UserError(f"{file} is damaged ({type(error).__name__}); delete it to start this run again.") from error


def refuse_foreign_weights(file: Path) -> None:
    """Raise UserError where a training that begins would in the end replace weights that it did not write."""
    if file.exists():
        raise UserError(
            f"{file.parent} holds {file.name} of something else, which would be replaced; choose another folder."
        )


def write_curves(run: Path, history: list[dict[str, Any]], new: dict[str, Any]) -> None:
    """Write one entry an epoch to ``metrics.json``, and what is ``new`` in the last one to TensorBoard's folder."""
    from torch.utils.tensorboard import SummaryWriter

    write_json(run / METRICS_FILE, history)
    with SummaryWriter(str(run / "tensorboard")) as writer:
        for name, value in new.items():
            writer.add_scalar(name, value, history[-1]["epoch"])
