"""Families of checkpoints for the pages: real networks, hardly trained."""

import copy
import dataclasses
import json
import shutil
from pathlib import Path

import torch

from recam_core.atomic_write import write_json
from recam_core.checkpoint.run_folder import INFO_FILE, RunInfo, save_run
from recam_core.data.sample import ClassList
from recam_core.data.spec import open_dataset
from recam_core.model.network import CamNetwork

#: Training pictures of the tiny families; small, few and quickly drawn.
TINY_SCENES = "scenes:size=64,train=6,val=2@train"
BACKBONE = "tf_efficientnet_lite0"


def write_family(folder: Path, spec: str, threshold: float | None, classes: ClassList | None = None) -> None:
    """BCE, SCE and ReCAM of one random network with these classes, or those of ``spec``."""
    classes = classes or open_dataset(spec).classes
    torch.manual_seed(0)
    network = CamNetwork(BACKBONE, len(classes), 32, with_fc2=True)
    plain = copy.deepcopy(network)
    plain.fc2, plain.spec = None, dataclasses.replace(plain.spec, has_fc2=False)
    for method, rule in (("bce", "fc1"), ("sce", "fc1"), ("recam", "rectified_product")):
        info = RunInfo(
            name=method,
            method=method,
            rule=rule,
            network={},
            classes=list(classes.names),
            has_background=classes.has_background,
            data=TINY_SCENES if spec.startswith("scenes") else "voc:nowhere/photos@train",
            recipe={"epochs": 1},
            seed=0,
            threshold=None if threshold is None else threshold + 0.05 * (method == "recam"),
            command=f"python -m recam_core train {method}",
            scores={"val": {rule: {"miou": 0.4 + 0.1 * (method == "recam"), "threshold": threshold}}},
        )
        save_run(folder / method, network if method == "recam" else plain, info, half=True)
        plain = copy.deepcopy(plain)
        with torch.no_grad():
            plain.fc1.mul_(-1)  # so that SCE is another network than BCE


def write_rowed(assets: Path, runs: Path) -> None:
    """A run ``rowed`` of one's own, whose record tells of a background row; its weights are others'."""
    shutil.copytree(assets / "checkpoints" / "scenes" / "recam", runs / "rowed")
    record = json.loads((runs / "rowed" / INFO_FILE).read_text())
    record |= {"name": "rowed", "rule": "difference"}
    record["network"]["background_row"] = True
    record["recipe"] |= {"weight": 1.0, "background": 0.2, "background_power": 2.0}
    write_json(runs / "rowed" / INFO_FILE, record)
