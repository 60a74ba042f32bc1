"""Charts of the theory: what is drawn is what was computed, in either light, and names are no markup."""

import json

import numpy as np
import plotly.graph_objects as go
import pytest
import torch

from recam_core.data.sample import ClassList
from recam_core.experiments.figure1 import HeadSettings
from recam_core.experiments.figure1_heads import figure1_heads
from recam_core.experiments.pooled_vectors import LabelledVectors
from recam_core.theory.losses import descend, surface
from recam_core.theory.negatives import NegativeCurve, NegativePoint
from recam_core.theory.weights import ClassCosines, cosine_matrix
from recam_core.views.charts.cosines import cosine_chart, cosines_csv
from recam_core.views.charts.figure1 import figure1_chart, figure1_confusion_chart
from recam_core.views.charts.logit_gradients import (
    QUANTITIES,
    descent_chart,
    gradient_bars,
    logit_map_chart,
    logit_surface_chart,
)
from recam_core.views.charts.negatives import negatives_chart, negatives_csv, negatives_now_chart
from recam_core.views.charts.style import DARK, LIGHT, Palette

NAMES = ("<b>cat</b>", "dog", "%{x}")
PALETTES = pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])


def written(figure: go.Figure) -> str:
    """The figure as the browser gets it, checked to hold no name as markup."""
    text = figure.to_json()
    assert json.loads(text)
    assert "<b>cat</b>" not in text
    return text


@PALETTES
def test_gradients_and_descent(palette: Palette) -> None:
    values = {"bce": np.array([-0.5, 0.25, 0.1]), "sce": np.array([-0.4, 0.3, 0.1])}
    bars = gradient_bars(NAMES, values, palette)
    written(bars)
    for trace, loss in zip(bars.data, values, strict=True):
        np.testing.assert_array_equal(trace.y, values[loss])
    ways = {loss: descend(loss, [1.0, 0.5, 0.0], [1, 0, 0], steps=7) for loss in ("bce", "sce")}
    lines = descent_chart(NAMES, ways, [0, 1], palette)
    written(lines)
    np.testing.assert_array_equal(lines.data[3].y, ways["sce"].logits[:, 1])


@PALETTES
@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.parametrize("loss", ["bce", "sce"])
def test_maps_and_surfaces_hold_the_quantity(palette: Palette, quantity: str, loss: str) -> None:
    found = surface(6, 21, 0.2)
    expected = {"on_q": found.on_q, "on_p": found.on_p, "loss": found.loss}[quantity][loss]
    way = np.array([[1.0, 1.0], [2.0, 0.5]])
    flat = logit_map_chart(found, loss, quantity, palette, at=(1, 1), paths={loss: way})
    deep = logit_surface_chart(found, loss, quantity, palette, at=(1, 1))
    for figure in (flat, deep):
        written(figure)
        np.testing.assert_array_equal(figure.data[0].z, expected)
    assert flat.data[0].zmin <= expected.min()
    assert flat.data[0].zmax >= expected.max()
    np.testing.assert_array_equal(flat.data[1].z, found.careless)
    np.testing.assert_array_equal(np.isfinite(deep.data[1].z), found.careless)
    np.testing.assert_array_equal(flat.data[2].x, way[:, 0])
    assert len(logit_surface_chart(found, loss, quantity, palette, at=(99, 1)).data) == 2  # beyond the surface


@PALETTES
def test_negatives(palette: Palette) -> None:
    quantiles = {"bce": (0.1, 0.2, 0.3, 0.4, 0.5), "sce": (0.0, 0.1, 0.2, 0.3, 0.4)}
    points = tuple(NegativePoint(epoch, 9, quantiles, {"bce": 0.1, "sce": 0.4}) for epoch in (0.5, 1.0))
    curve = NegativeCurve("fc2", "sce", points)
    figure = negatives_chart(curve, NAMES[0], palette)
    written(figure)
    assert [tuple(trace.y) for trace in figure.data if trace.hovertemplate] == [(0.3, 0.3), (0.2, 0.2)]
    now = negatives_now_chart(dict.fromkeys(NAMES, points[0]), palette)
    written(now)
    assert tuple(now.data[2].x) == (0.3, 0.3, 0.3)
    assert len(negatives_csv({"=run": curve}).splitlines()) == 5
    assert "'=run" in negatives_csv({"=run": curve})


@PALETTES
def test_cosines(palette: Palette) -> None:
    found = ClassCosines(NAMES, {"fc1": cosine_matrix(np.random.default_rng(0).normal(size=(3, 5)))})
    figure = cosine_chart(found, "fc1", NAMES[0], palette, (0, 2), reach=0.7)
    written(figure)
    drawn, squares = figure.data
    assert (drawn.zmin, drawn.zmax) == (-0.7, 0.7)
    assert np.isnan(np.diag(drawn.z)).all()
    for row, column in squares.customdata:
        assert row != column
    assert len(squares.customdata) == 6
    # Anything else that is not a way to drag has Streamlit let the matrix be dragged out of its frame.
    assert figure.layout.dragmode is None
    assert {(shape.x0 + 0.5, shape.y0 + 0.5) for shape in figure.layout.shapes} == {(2, 0), (0, 2)}
    assert len(cosines_csv(found).splitlines()) == 4


@PALETTES
def test_figure1(palette: Palette) -> None:
    y = torch.arange(30) % 3
    vectors = LabelledVectors(torch.eye(3)[y] + 0.1, y, torch.arange(30))
    settings = HeadSettings(epochs=2, rates=(0.1,), seeds=(0, 1), group=2)
    found = figure1_heads(vectors, vectors, ClassList(NAMES), settings, source="x", what="pictures", specs=("a", "b"))
    figure = figure1_chart(found, palette)
    written(figure)
    for trace, loss in ((figure.data[0], "bce"), (figure.data[2], "sce")):
        assert tuple(trace.y) == tuple(100 * found.row(scope, loss).mean for scope in ("all", "group"))
    matrix = figure1_confusion_chart(found, palette)
    written(matrix)
    assert len(matrix.data[1].x) == 2  # both cells of the group of two
