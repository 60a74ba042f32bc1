"""What is exported is what the viewer shows: its panes, each cut where the viewer cuts it."""

from types import SimpleNamespace

import numpy as np
import pytest

from app import export_panel
from app.map_cache import Inference
from recam_core.data.sample import ClassList
from recam_core.maps.activation_maps import ActivationMaps

CLASSES = ClassList(("cat", "dog"))


@pytest.fixture
def exported(monkeypatch):
    """``exported(view)`` gives (title, threshold) of each exported pane of two methods, the second without its own."""
    maps = ActivationMaps("one", (8, 8), np.array([0]), np.zeros((1, 2, 2), np.uint8))
    monkeypatch.setattr(export_panel, "maps_of", lambda *arguments: maps)
    methods = [
        SimpleNamespace(key="scenes/bce", title="BCE-CAM", threshold=0.6, rule="fc1"),
        SimpleNamespace(key="run/mine", title="mine", threshold=None, rule="sum"),
    ]

    def give(view, classes=CLASSES):
        panes = export_panel.panes_to_export(methods, None, (0,), classes, Inference(), view)
        return [(pane.title, pane.threshold) for pane in panes]

    return give


def test_each_pane_is_cut_where_the_viewer_cuts_it(exported):
    assert exported({}) == [("BCE-CAM", 0.6), ("mine", 0.6)]
    assert exported({"cut": "own", "thresholds": {"run/mine": 0.1}}) == [("BCE-CAM", 0.6), ("mine", 0.1)]
    assert exported({"cut": "all", "threshold": 0.3, "thresholds": {"run/mine": 0.1}}) == [
        ("BCE-CAM", 0.3),
        ("mine", 0.3),
    ]
    assert exported({"cut": "none", "threshold": 0.3}) == [("BCE-CAM", None), ("mine", None)]
    assert exported({}, ClassList(("cat", "dog"), has_background=False)) == [("BCE-CAM", None), ("mine", None)]


def test_hidden_panes_stay_out(exported):
    assert exported({"hidden": ["scenes/bce"]}) == [("mine", 0.6)]
