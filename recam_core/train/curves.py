"""Loss and score curves: to ``metrics.json`` and to TensorBoard."""

from pathlib import Path
from typing import Any

from recam_core.atomic_write import write_json
from recam_core.checkpoint.run_folder import METRICS_FILE


def write_curves(run: Path, history: list[dict[str, Any]], new: dict[str, Any]) -> None:
    """Write one entry an epoch to ``metrics.json``, and what is ``new`` in the last one to TensorBoard's folder."""
    from torch.utils.tensorboard import SummaryWriter

    write_json(run / METRICS_FILE, history)
    with SummaryWriter(str(run / "tensorboard")) as writer:
        for name, value in new.items():
            writer.add_scalar(name, value, history[-1]["epoch"])
