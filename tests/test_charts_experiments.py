"""The charts of experiments, trainings and gains: what they show, what a press on them tells, and what stays text."""

import csv
import io
import json
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from recam_core.experiments.chart import Chart, Heat, Series
from recam_core.experiments.experiment import Experiment
from recam_core.experiments.protocol import REPORT, SELECT, Protocol
from recam_core.views.charts.curves import Curve, curve_chart, curves_csv
from recam_core.views.charts.dots import dot_chart
from recam_core.views.charts.gains import BETTER, WORSE, GainRow, gain_chart, gains_csv
from recam_core.views.charts.heat import heat_chart
from recam_core.views.charts.lines import line_chart
from recam_core.views.charts.scatter import scatter_chart
from recam_core.views.charts.setting_points import REFERENCE_PLACE
from recam_core.views.charts.style import DARK, LIGHT

ODD = '<b>x</b> & <a href="https://example.org">y</a> %{x}'
PARTS = (SELECT, REPORT)
PROTOCOL = Protocol("d@fit", "d@select", "d@val")
BEFORE = {"mIoU": {SELECT: 0.42, REPORT: 0.4}}


def experiment(chart: Chart, keys: tuple[str, ...], chosen: str | None) -> Experiment:
    settings = tuple(SimpleNamespace(label=key) for key in keys)
    return Experiment("lambda", "t", PROTOCOL, {}, False, {}, (), chart, "s", chosen, (), settings[0], settings)


def sweep(x: tuple[Any, ...], kind: str = "line", scale: str = "log0", spread: bool = True) -> Experiment:
    keys = tuple(f"lambda {value}" for value in x)
    y = tuple(0.4 + 0.02 * place for place in range(len(x)))
    low, high = (tuple(value + d if spread else None for value in y) for d in (-0.01, 0.02))
    series = tuple(
        Series(getattr(PROTOCOL, part), part, x, tuple(value + more for value in y), low, high, keys)
        for part, more in ((SELECT, 0.05), (REPORT, 0.0))
    )
    return experiment(Chart(kind, "lambda", "", scale, "seeds", {"mIoU": series}, reference=BEFORE), keys, keys[1])


def grid(names: tuple[str, ...] = ("soft", "none")) -> Experiment:
    rules = ("fc1", "sum", "product")
    keys = tuple(tuple(f"mask {x}, rule {y}" for x in names) for y in rules)
    values = tuple(tuple(0.3 + 0.05 * row + 0.02 * column for column in range(len(names))) for row in range(3))
    values = (*values[:-1], (None, *values[-1][1:]))
    heats = tuple(Heat(part, names, rules, values, keys) for part in (SELECT, REPORT))
    flat = tuple(key for row in keys for key in row)
    return experiment(Chart("heat", "mask", "rule", "category", "", {}, heats, BEFORE), flat, flat[2])


def trace(figure: go.Figure, name: str) -> go.Scatter:
    (found,) = [one for one in figure.data if one.name == name]
    return found


def texts(figure: go.Figure) -> list[str]:
    """Everything that Plotly may read as text; the builders' own markup aside."""
    found = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            value = list(value.values())
        if isinstance(value, list):
            for each in value:
                walk(each)
        elif isinstance(value, str):
            found.append(re.sub(r"</?b>|<br>|epoch %\{x(:[^}]*)?\}|^%\{y:[^}]*\}", "", value))

    walk(json.loads(figure.to_json()))
    return found


# Experiments ----------------------------------------------------------------------------------------------------------


def test_a_sweep_keeps_a_place_for_0_and_grows_like_a_logarithm() -> None:
    figure = line_chart(sweep((0, 0.1, 1, 10, 100)), "mIoU", None, LIGHT)
    axis = figure.layout.xaxis
    assert list(axis.ticktext) == ["0", "0.1", "1", "10", "100"]
    steps = np.diff(axis.tickvals)
    assert axis.tickvals[0] == 0
    assert (steps > 0).all()
    assert steps[2] == pytest.approx(steps[3], rel=0.1)  # a decade is as wide as the next
    assert axis.title.text == "lambda (logarithmic)"
    points = trace(figure, "settings")
    assert set(points.x) == set(axis.tickvals)
    # Without a 0 it is Plotly's own logarithmic axis, and points stand at their values.
    figure = line_chart(sweep((0.1, 1, 10)), "mIoU", None, LIGHT)
    assert figure.layout.xaxis.type == "log"
    assert set(trace(figure, "settings").x) == {0.1, 1, 10}
    figure = line_chart(sweep((1, 2, 3), scale="linear"), "mIoU", None, LIGHT)
    assert figure.layout.xaxis.type is None
    assert figure.layout.xaxis.title.text == "lambda"


def test_labels_of_a_dense_sweep_do_not_run_into_each_other() -> None:
    values = tuple(1 + place / 100 for place in range(60))
    axis = line_chart(sweep(values), "mIoU", None, LIGHT).layout.xaxis
    assert 8 < len(axis.ticktext) < 20
    assert axis.ticktext[0] == "1"


@pytest.mark.parametrize("draw", [line_chart, dot_chart])
def test_points_tell_their_setting_and_parts_rings_and_spread_are_seen(draw: Callable[..., go.Figure]) -> None:
    found = sweep((0, 1, 10), kind="line" if draw is line_chart else "bar")
    figure = draw(found, "mIoU", 2, LIGHT)
    points = trace(figure, "settings")
    along, across = (points.y, points.x) if draw is line_chart else (points.x, points.y)
    assert [place for (place,) in points.customdata] == [0, 1, 2, 0, 1, 2]
    assert list(along) == pytest.approx([0.45, 0.47, 0.49, 0.4, 0.42, 0.44])
    # Hollow on the part that chooses, full on the one that reports.
    assert list(points.marker.color) == [LIGHT.ground] * 3 + [LIGHT.methods[2]] * 3
    assert set(points.marker.line.color) == {LIGHT.methods[2]}
    # The chosen setting and the one that is looked at have rings, on both parts.
    for name, place in (("chosen", 1), ("marked", 2)):
        ring = trace(figure, name)
        assert ring.hoverinfo == "skip"  # or a press would be on the ring
        assert list(ring.y if draw is line_chart else ring.x) == pytest.approx([along[place], along[place + 3]])
    assert not [one for one in draw(found, "mIoU", None, LIGHT).data if one.name == "marked"]
    bars = trace(figure, "spread")
    error = bars.error_y if draw is line_chart else bars.error_x
    values = list(bars.y if draw is line_chart else bars.x)
    reported = values.index(pytest.approx(0.4))
    assert error.array[reported] == pytest.approx(0.02)
    assert error.arrayminus[reported] == pytest.approx(0.01)
    assert not [one for one in draw(sweep((0, 1), spread=False), "mIoU", None, LIGHT).data if one.name == "spread"]
    # The figure before, of both parts, the one that chooses dashed.
    axis = "y" if draw is line_chart else "x"
    lines = {shape.name: shape for shape in figure.layout.shapes}
    assert lines["not retrained, reports"][f"{axis}0"] == 0.4
    assert lines["not retrained, chooses"][f"{axis}0"] == 0.42
    assert lines["not retrained, chooses"].line.dash != lines["not retrained, reports"].line.dash
    # What is told of one of them.
    assert points.hovertext[4].split("<br>") == [
        "<b>lambda 1</b>",
        "mIoU: 42.00 &#37;",
        "+2.00 points to not retrained",
        "seeds: 41.00 to 44.00 &#37;",
        "on the part that reports",
    ]
    assert points.hovertext[1].endswith("on the part that chooses, which prefers it")
    assert len(set(across)) == 3


def test_a_scatter_has_its_crosses_and_they_can_be_pressed() -> None:
    keys = ("one", "two")
    title = "mean IoU of the other classes"
    series = tuple(Series("s", part, (0.1, 0.2), (0.5, 0.6), (None, None), (None, None), keys) for part in PARTS)
    reference = {"confused": {SELECT: 0.3, REPORT: 0.35}, title: {SELECT: 0.55, REPORT: 0.5}}
    chart = Chart("scatter", "confused pixels", title, "linear", "", {title: series}, reference=reference)
    figure = scatter_chart(experiment(chart, keys, "two"), title, 0, LIGHT)
    crosses = trace(figure, "not retrained")
    assert sorted(zip(crosses.x, crosses.y, strict=True)) == [(0.3, 0.55), (0.35, 0.5)]
    assert {place for (place,) in crosses.customdata} == {REFERENCE_PLACE}
    assert crosses.marker.symbol == "cross"
    assert "confused pixels: 10.00 &#37;" in trace(figure, "settings").hovertext[0]


def test_cells_of_a_grid_can_be_pressed_wherever_they_are_hit() -> None:
    found = grid()
    figure = heat_chart(found, found.chart.heats[1], 1, LIGHT)
    presses, (heat,) = trace(figure, "settings"), [one for one in figure.data if one.type == "heatmap"]
    assert heat.hoverinfo == "skip"  # it reports no presses
    assert presses.marker.symbol == "square"
    cells = {(x, y): place for x, y, (place,) in zip(presses.x, presses.y, presses.customdata, strict=True)}
    assert cells == {(0, 0): 0, (1, 0): 1, (0, 1): 2, (1, 1): 3, (0, 2): 4, (1, 2): 5}
    assert figure.layout.hoverdistance == -1  # the nearest one, however wide a cell is
    assert heat.z[1][0] == pytest.approx(35)
    assert heat.z[2][0] is None
    assert (heat.zmin, heat.zmax) == (pytest.approx(30), pytest.approx(42))  # of both parts
    rings = {(shape.x0, shape.y0, shape.line.color) for shape in figure.layout.shapes}
    assert rings == {(-0.5, 0.5, LIGHT.methods[1]), (0.5, -0.5, LIGHT.text)}
    assert presses.text[2] == "35.0"
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1]  # rows from top to bottom
    assert "not measured" in presses.hovertext[4]
    wide = grid(tuple(f"mask {place}" for place in range(20)))
    assert "text" not in trace(heat_chart(wide, wide.chart.heats[0], None, DARK), "settings").mode


# Curves ---------------------------------------------------------------------------------------------------------------

CURVES = [Curve("total", (0.5, 1.0, 1.5), (1.0, 0.5, 0.25)), Curve("of the watched pictures", (1.0,), (0.7,))]


def test_all_curves_have_one_tooltip_and_the_whole_way() -> None:
    figure = curve_chart(CURVES, LIGHT, until=15, kept="one")
    layout = figure.layout
    assert layout.hovermode == "x unified"
    assert list(layout.xaxis.range) == [0, 15]
    assert layout.uirevision == "one"
    assert len({(one.line.color, one.line.dash) for one in figure.data}) == 2
    # A curve without values in between says of which epoch its value is.
    assert ["epoch" in one.hovertemplate for one in figure.data] == [False, True]
    log = curve_chart(CURVES, LIGHT, until=15, kept="one", log=True).layout
    assert (log.yaxis.type, layout.yaxis.type) == ("log", "linear")
    assert log.uirevision == layout.uirevision
    assert log.yaxis.uirevision != layout.yaxis.uirevision
    # Without a way to go, the axis is theirs; more of them than colours are told apart, too.
    many = curve_chart([Curve(str(n), (1.0, 2.0), (n, n)) for n in range(9)], DARK)
    assert list(many.layout.xaxis.range) == [1, 2]
    assert len({(one.line.color, one.line.dash) for one in many.data}) == 6
    assert curve_chart([Curve("one", (), ())], DARK, percent=True).data


def test_curves_as_a_table() -> None:
    rows = list(csv.reader(io.StringIO(curves_csv(CURVES))))
    assert rows[0] == ["curve", "epoch", "value"]
    assert rows[1][0] == "total"
    assert [float(value) for value in rows[1][1:]] == [0.5, 1.0]
    assert len(rows) == 5


# Gains ----------------------------------------------------------------------------------------------------------------


def test_gains_stand_in_rows_with_their_intervals() -> None:
    rows = [
        GainRow("cat", 3.0, 1.0, 4.0, BETTER, marked=True),
        GainRow("dog", -2.0, -3.0, -1.0, WORSE),
        GainRow("cow", 0.5, None, None, "seen in one picture"),
    ]
    figure = gain_chart(rows, LIGHT, title="gain")
    colours = {one.name: one.marker.color for one in figure.data if one.name}
    assert colours == {BETTER: LIGHT.right, WORSE: LIGHT.wrong, "seen in one picture": LIGHT.quiet}
    places = {one.customdata[0][0]: one for one in figure.data if one.customdata is not None}
    assert [(places[place].x[0], places[place].y[0]) for place in range(3)] == [(3.0, 0), (-2.0, 1), (0.5, 2)]
    assert (places[0].error_x.array[0], places[0].error_x.arrayminus[0]) == (1.0, 2.0)
    assert (places[2].error_x.array[0], places[2].error_x.arrayminus[0]) == (0, 0)
    assert "interval" not in places[2].hovertext[0]
    (ring,) = [one for one in figure.data if one.name is None]
    assert (ring.x[0], ring.y[0]) == (3.0, 0)
    assert list(figure.layout.yaxis.ticktext) == ["cat", "dog", "cow"]
    table = list(csv.reader(io.StringIO(gains_csv(rows, name="class"))))
    assert table[0][1] == "class"
    assert (table[3][1], float(table[3][2]), table[3][3:5]) == ("cow", 0.5, ["", ""])


# Names ----------------------------------------------------------------------------------------------------------------


def odd_figures() -> dict[str, go.Figure]:
    series = tuple(
        Series(f"{ODD}, {getattr(PROTOCOL, part)}", part, (ODD, "b"), (0.4, 0.5), (0.3, None), (0.5, None), (ODD, "b"))
        for part in PARTS
    )
    bars = experiment(Chart("bar", ODD, ODD, "category", "", {ODD: series}), (ODD, "b"), ODD)
    numbers = tuple(Series(s.name, s.part, (0, 1), s.y, s.low, s.high, s.keys) for s in series)
    lines = experiment(Chart("line", ODD, ODD, "log0", "", {ODD: numbers}), (ODD, "b"), ODD)
    both = {"confused": {REPORT: 0.2, SELECT: 0.3}, ODD: {REPORT: 0.2, SELECT: 0.3}}
    scatter = experiment(Chart("scatter", ODD, ODD, "linear", "", {ODD: numbers}, (), both), (ODD, "b"), ODD)
    cells = Heat(REPORT, (ODD,), (ODD,), ((0.5,),), ((ODD,),))
    heat = experiment(Chart("heat", ODD, ODD, "category", "", {}, (cells,), None), (ODD,), ODD)
    return {
        "dots": dot_chart(bars, ODD, 0, LIGHT),
        "lines": line_chart(lines, ODD, 0, LIGHT),
        "scatter": scatter_chart(scatter, ODD, 0, LIGHT),
        "heat": heat_chart(heat, cells, 0, LIGHT),
        "curves": curve_chart([Curve(ODD, (1.0, 1.5), (0.5, 0.4))], LIGHT, title=ODD),
        "gains": gain_chart([GainRow(ODD, 1.0, None, None, ODD, ODD)], LIGHT, title=ODD),
    }


@pytest.mark.parametrize("name", ["dots", "lines", "scatter", "heat", "curves", "gains"])
def test_a_name_is_text_and_never_markup(name: str) -> None:
    shown = texts(odd_figures()[name])
    assert any("&lt;b&gt;x" in text for text in shown)
    assert not [text for text in shown if "<" in text or "%{" in text]


@pytest.mark.parametrize("name", ["dots", "lines", "scatter", "heat", "gains"])
def test_a_press_fades_nothing(name: str) -> None:
    figure = odd_figures()[name]
    (usual,) = figure.layout.template.data.scatter
    assert usual.unselected.marker.opacity == usual.selected.marker.opacity == 1
    for one in figure.data:
        assert one.type == "heatmap" or (one.unselected.marker.opacity is None and one.marker.opacity is None)
