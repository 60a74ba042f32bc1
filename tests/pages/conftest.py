"""The app's pages without a browser, on checkpoints that are made here: real networks, hardly trained."""

import copy
import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from streamlit.testing.v1 import AppTest

from app import picker
from recam_core.checkpoint.run_folder import RunInfo, save_run
from recam_core.data.spec import open_dataset
from recam_core.model.network import CamNetwork

#: Training pictures of the tiny families; small, few and quickly drawn.
TINY_SCENES = "scenes:size=64,train=6,val=2@train"
BACKBONE = "tf_efficientnet_lite0"


def write_family(folder: Path, spec: str, threshold: float | None) -> None:
    """BCE, SCE and ReCAM of one random network with the classes of ``spec``."""
    classes = open_dataset(spec).classes
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
            data=TINY_SCENES if spec.startswith("scenes") else "voc:nowhere/msrc@train",
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


@pytest.fixture(scope="session")
def assets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An assets folder with both shipped families."""
    folder = tmp_path_factory.mktemp("assets")
    write_family(folder / "checkpoints" / "scenes", TINY_SCENES, 0.3)
    write_family(folder / "checkpoints" / "photos", "gallery", None)
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """The folder in which the app keeps runs."""
    return tmp_path / "runs"


@pytest.fixture
def opened(
    assets: Path, runs: Path, tmp_path: Path, repo_root: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., AppTest]:
    """``opened(**address)`` runs the app with these query parameters, on the CPU."""
    monkeypatch.setenv("RECAM_ASSETS", str(assets))
    monkeypatch.setenv("RECAM_RUNS", str(runs))
    monkeypatch.setenv("RECAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("RECAM_DEVICE", "cpu")
    monkeypatch.setattr(picker, "PICTURES_A_PAGE", 7)

    def run(**address: str) -> AppTest:
        page = AppTest.from_file(str(repo_root / "app" / "main.py"), default_timeout=300)
        for name, value in address.items():
            page.query_params[name] = value
        page.run()
        assert not page.exception
        return page

    return run
