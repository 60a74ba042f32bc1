"""Runs of a tiny network on disk, for tests of what is done with runs."""

from pathlib import Path

import torch

from recam_core.atomic_write import write_json
from recam_core.checkpoint.run_folder import METRICS_FILE, RunInfo, save_run
from recam_core.model.network import CamNetwork

BACKBONE = "timm:resnet10t"


def write_run(
    path: Path, method: str = "bce", *, seed: int = 0, half: bool = True, backbone: str = BACKBONE, **record
) -> RunInfo:
    """A run folder with random weights; ``record`` are fields of its record."""
    torch.manual_seed(seed)
    network = CamNetwork(backbone, len(record.get("classes", "rgb")), 32, with_fc2=method in ("recam", "heads"))
    fields = {
        "name": path.name,
        "method": method,
        "rule": "rectified_product" if network.fc2 is not None else "fc1",
        "network": {},
        "classes": ["red", "green", "blue"],
        "has_background": True,
        "data": "tiny",
        "recipe": {"epochs": 2, "weight": 1.0},
        "seed": seed,
        "threshold": 0.3,
        "command": f"python -m recam_core train {method} --data tiny --out runs/{path.name}",
        **record,
    }
    info = save_run(path, network, RunInfo(**fields), half=half)
    write_json(path / METRICS_FILE, [{"epoch": 1, "loss": 0.7}, {"epoch": 2, "loss": 0.5}])
    return info
