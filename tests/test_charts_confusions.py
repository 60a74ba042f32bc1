"""The figures of the error analysis: their marks are its numbers, and names in them are text."""

import json

import numpy as np
import plotly.graph_objects as go
import pytest

from recam_core.analysis.confusions import OTHERS, ConfusedPair
from recam_core.analysis.gains import ClassGain
from recam_core.analysis.picture_table import PictureTable
from recam_core.data.sample import ClassList
from recam_core.views.charts.class_iou import MEAN, NOISE, SEEN_ONCE, gain_rows, iou_chart
from recam_core.views.charts.flow import flow_chart
from recam_core.views.charts.gains import BETTER, gain_chart
from recam_core.views.charts.matrix import NUMBERED, difference_cells, matrix_cells, matrix_chart
from recam_core.views.charts.pairs import pairs_chart
from recam_core.views.charts.pictures import LARGEST, MOST_DRAWN, drawn_pictures, pictures_chart
from recam_core.views.charts.style import DARK, LIGHT, end_to_end, ramp, readable, tones

NAMES = ("background", "<b>x</b>", "%{x} & $y$")
#: What Plotly would take for a tag, an entity or a value.
HOSTILE = ("<b>x<", "%{x}", "$y$")


def said(figure: go.Figure) -> str:
    """All that a figure tells the browser."""
    return json.dumps(json.loads(figure.to_json()))


def marks(figure: go.Figure) -> go.Scatter:
    """The trace whose marks can be pressed."""
    (found,) = (trace for trace in figure.data if trace.customdata is not None and trace.type == "scatter")
    return found


def texts(figure: go.Figure) -> str:
    """Words that are drawn or hover, and no templates of hints."""
    found = [
        str(value) for trace in figure.data for name in ("hovertext", "text", "name") for value in _each(trace, name)
    ]
    axes = [figure.layout.xaxis, figure.layout.yaxis]
    found += [str(value) for axis in axes for value in (*(axis.ticktext or ()), axis.title.text)]
    found += [str(note.text) for note in figure.layout.annotations]
    for trace in figure.data:
        if trace.type == "sankey":
            found += [*trace.link.customdata, *trace.node.customdata]
    return "\n".join(found)


def _each(trace, name: str) -> list[object]:
    value = getattr(trace, name, None)
    if value is None or isinstance(value, str):
        return [value]
    return [part for row in value for part in (row if isinstance(row, (list, tuple, np.ndarray)) else [row])]


# The matrix -----------------------------------------------------------------------------------------------------------


def test_cells_hold_the_matrix():
    confusion = np.array([[90, 5, 5], [10, 60, 30], [0, 0, 0]])
    marked = np.zeros((3, 3), dtype=bool)
    marked[1, 2] = True
    cells = matrix_cells(confusion, ("background", "a", "b"), np.array([0, 2, 1]), LIGHT, marked=marked)
    assert cells.rows.tolist() == [0, 1]  # b has no pixels of its own
    assert cells.columns.tolist() == [0, 2, 1]
    assert cells.pixels.tolist() == [[90, 5, 5], [10, 30, 60]]
    assert cells.share[1].tolist() == pytest.approx([0.1, 0.3, 0.6])
    assert cells.words[1].tolist() == ["10", "30", "60"]
    assert np.argwhere(cells.marked).tolist() == [[1, 1]]
    # What is right, confused, and lost to the background has a scale each, strongest where there is most.
    assert np.floor(cells.tone).astype(int).tolist() == [[0, 2, 2], [2, 1, 0]]
    assert cells.colours[1, 1] == LIGHT.confused[-1]
    assert cells.colours[1, 0] == LIGHT.given[-1]


def test_differences_are_coloured_by_better_and_worse():
    before, now = np.array([[10, 0], [4, 6]]), np.array([[10, 0], [2, 8]])
    cells = difference_cells(before, now, ("background", "a"), np.arange(2), LIGHT)
    assert cells.words.tolist() == [["", ""], ["−20", "+20"]]
    assert cells.colours[1].tolist() == [LIGHT.better[-1]] * 2
    assert cells.change[1].tolist() == pytest.approx([-0.2, 0.2])
    assert cells.pixels_change[1].tolist() == [-2, 2]
    worse = difference_cells(now, before, ("background", "a"), np.arange(2), LIGHT, normalised=False)
    assert worse.words[1].tolist() == ["+2", "−2"]
    assert worse.colours[1].tolist() == [LIGHT.worse[-1]] * 2


def test_every_cell_can_be_pressed_and_says_its_numbers():
    confusion = np.array([[90, 5, 5], [10, 60, 30], [1, 2, 7]])
    order = np.array([2, 0, 1])
    figure = matrix_chart(matrix_cells(confusion, NAMES, order, LIGHT), LIGHT)
    pressed = marks(figure)
    assert len(pressed.x) == 9
    for x, y, (truth, predicted, share, pixels), hover in zip(
        pressed.x, pressed.y, pressed.customdata, pressed.hovertext, strict=True
    ):
        assert (order[int(y)], order[int(x)]) == (truth, predicted)
        assert pixels == confusion[int(truth), int(predicted)]
        assert share == pytest.approx(pixels / confusion[int(truth)].sum())
        assert hover.count("<br>") == 1
    heat = figure.data[0]
    assert (heat.type, heat.hoverinfo) == ("heatmap", "skip")
    assert np.shape(heat.z) == (3, 3)
    # A press fades nothing.
    assert pressed.unselected.marker.opacity == pressed.selected.marker.opacity == 0
    assert not any(letters in texts(figure) for letters in HOSTILE)
    assert "&lt;b&gt;x&lt;/b&gt;" in texts(figure)


def test_a_large_matrix_has_no_numbers_and_small_cells():
    confusion = np.ones((NUMBERED + 1, NUMBERED + 1), dtype=np.int64)
    names = [f"class {k}" for k in range(len(confusion))]
    few = matrix_chart(matrix_cells(confusion[:9, :9], names[:9], np.arange(9), LIGHT), LIGHT)
    many = matrix_chart(matrix_cells(confusion, names, np.arange(len(names)), LIGHT), LIGHT)
    assert [trace.mode for trace in few.data[1:]] == ["text", "markers"]
    assert [trace.mode for trace in many.data[1:]] == ["markers"]
    assert marks(many).marker.size < marks(few).marker.size == 36
    # Without marks, the heat map says the same under the pointer.
    plain_one = matrix_chart(matrix_cells(confusion, names, np.arange(len(names)), LIGHT), LIGHT, pressable=False)
    (heat,) = plain_one.data
    assert np.reshape(heat.customdata, (-1, 4)).tolist() == np.asarray(marks(many).customdata).tolist()


def test_marked_cells_have_one_frame():
    confusion = np.ones((4, 4), dtype=np.int64)
    marked = np.zeros((4, 4), dtype=bool)
    marked[1] = True
    marked[1, 1] = False
    marked[3, 0] = True

    def frames(chosen: np.ndarray) -> list[str]:
        figure = matrix_chart(matrix_cells(confusion, "abcd", np.arange(4), DARK, marked=chosen), DARK)
        return [part for shape in figure.layout.shapes for part in shape.path.split("Z") if part]

    assert frames(marked) == ["M-0.5 0.5H0.5V1.5H-0.5", "M-0.5 2.5H0.5V3.5H-0.5", "M1.5 0.5H3.5V1.5H1.5"]
    assert frames(np.zeros((4, 4), dtype=bool)) == []
    column = np.zeros((4, 4), dtype=bool)
    column[:, 2] = True
    assert frames(column) == ["M1.5 -0.5H2.5V3.5H1.5"]


def test_scales_end_to_end_do_not_run_into_each_other():
    scale = end_to_end((("#000000", "#ffffff"), ("#ff0000", "#00ff00", "#0000ff")))
    places = [place for place, _ in scale]
    assert places == sorted(places)
    assert (places[0], places[-1]) == (0, 1)
    tone = tones(np.array([0, 0, 1, 1]), np.array([0, 1, np.nan, 1]))
    colours = [scale[max(k for k, place in enumerate(places) if place <= value / 2 + 1e-12)][1] for value in tone]
    assert colours == ["#000000", "#ffffff", "#ff0000", "#0000ff"]


def test_colours_and_their_ink():
    assert ramp(("#000000", "#ffffff"), np.array([0, 0.5, 1, np.nan])).tolist() == [
        "#000000",
        "#808080",
        "#ffffff",
        "#000000",
    ]
    assert readable(["#000000", "#ffffff"]) == ["#ffffff", "#10181b"]


# Flows ----------------------------------------------------------------------------------------------------------------


def test_a_flow_ends_at_squares_that_can_be_pressed():
    confusion = np.array([[50, 0, 0], [20, 60, 20], [0, 0, 9]])
    figure = flow_chart(confusion, [1], NAMES, LIGHT)
    sankey = figure.data[0]
    assert sankey.type == "sankey"
    assert list(sankey.link.value) == [60, 20, 20]
    assert list(sankey.link.target) == [1, 2, 3]
    squares = marks(figure)
    assert [tuple(values) for values in squares.customdata] == [(1, 1), (1, 2), (1, 0)]
    assert list(squares.marker.color) == [LIGHT.right, LIGHT.wrong, LIGHT.lost]
    assert [text.split("  ")[1] for text in squares.text] == ["60.0%", "20.0%", "20.0%"]
    # Each square is where the diagram has the middle of its bar.
    assert list(squares.y) == pytest.approx(list(sankey.node.y[1:]))
    assert not any(letters in texts(figure) for letters in HOSTILE)


def test_bars_of_a_flow_fill_the_height_without_overlap():
    rng = np.random.default_rng(3)
    confusion = rng.integers(1, 100, (8, 8)) + np.diag(np.full(8, 400))
    rows = [3, 1, 0, 5]
    figure = flow_chart(confusion, rows, [f"class {k}" for k in range(8)], LIGHT, most=2)
    sankey = figure.data[0]
    assert figure.layout.margin.t >= 28, "room for Plotly's buttons"
    height = figure.layout.height - figure.layout.margin.t - figure.layout.margin.b
    value = np.zeros(len(sankey.node.y))
    np.add.at(value, list(sankey.link.source), sankey.link.value)
    np.add.at(value, list(sankey.link.target), sankey.link.value)
    left = len(rows)
    scale = (height - sankey.node.pad * (max(left, len(value) - left) - 1)) / confusion[rows].sum()
    for side in (slice(None, left), slice(left, None)):
        middles, sizes = np.array(sankey.node.y[side]) * height, value[side] * scale
        assert sizes.sum() + sankey.node.pad * (len(sizes) - 1) <= height + 1e-6
        gaps = (middles - sizes / 2)[1:] - (middles + sizes / 2)[:-1]
        assert gaps.min() >= sankey.node.pad - 1e-6
        assert middles[0] - sizes[0] / 2 == pytest.approx(0, abs=1e-6)
        assert middles[-1] + sizes[-1] / 2 == pytest.approx(height)
    # The rows' own classes in their order, others by size, the background and what is put together last.
    assert [note.text for note in figure.layout.annotations] == [f"class {row}" for row in rows]
    words = list(figure.data[1].text)
    assert words[:3] == ["class 3", "class 1", "class 5"]
    assert words[-2:] == ["class 0", "others"]
    assert not [trace for trace in figure.data if trace.type == "scatter" and trace.customdata is not None]


def test_small_flows_share_one_square():
    confusion = np.ones((9, 9), dtype=np.int64)
    figure = flow_chart(confusion, [4], [f"class {k}" for k in range(9)], LIGHT, most=2)
    assert [tuple(values)[1] for values in marks(figure).customdata] == [4, 1, 2, 0, OTHERS]
    assert flow_chart(np.zeros((9, 9), dtype=np.int64), [4], [""] * 9, LIGHT) is None


# Classes --------------------------------------------------------------------------------------------------------------


def gain_of_three() -> ClassGain:
    """Two methods, three classes: one gains, one may be noise, one is seen once."""
    iou = np.array([[0.5, 0.4, 0.2], [0.6, 0.41, 0.3]])
    low, high = iou - 0.05, iou + 0.05
    low[:, 2] = high[:, 2] = np.nan
    change = iou - iou[0]
    ends = [change - 0.05, change + 0.05]
    for end in ends:
        end[:, 2] = np.nan
    mean = iou.mean(axis=1)
    return ClassGain(
        ("one", "two"), "one", NAMES, np.arange(3), np.array([2, 0, 1]), np.array([9, 9, 1]),
        iou, low, high, change, *ends, mean, mean - 0.1, mean + 0.1, mean - mean[0], mean - mean[0] - 0.01,
        mean - mean[0] + 0.01,
    )  # fmt: skip


def test_dots_of_methods_are_their_iou():
    gain = gain_of_three()
    figure = iou_chart(gain, {"one": "BCE", "two": "<i>ReCAM"}, LIGHT)
    one, two = (trace for trace in figure.data if trace.customdata is not None)
    assert (one.name, two.name) == ("BCE", "&lt;i&gt;ReCAM")
    assert one.marker.symbol != two.marker.symbol
    assert [values[0] for values in two.customdata] == [MEAN, 2, 0, 1]
    assert list(two.x) == pytest.approx(100 * np.array([gain.miou[1], 0.3, 0.6, 0.41]))
    assert list(two.marker.color) == [LIGHT.methods[1], LIGHT.quiet, LIGHT.methods[1], LIGHT.methods[1]]
    assert "no interval" in two.hovertext[1]
    assert not any(letters in texts(figure) for letters in HOSTILE)
    # A class that a method has no figure of has no dot of it.
    gain.iou[1, 0] = np.nan
    figure = iou_chart(gain, {"one": "BCE", "two": "ReCAM"}, LIGHT)
    assert [len(trace.x) for trace in figure.data if trace.customdata is not None] == [4, 3]


def test_gains_are_grey_within_noise_and_without_an_interval():
    rows, values = gain_rows(gain_of_three(), "two", looked_at=1)
    assert values == [MEAN, 2, 0, 1]
    assert [row.verdict for row in rows] == [BETTER, SEEN_ONCE, BETTER, NOISE]
    assert [row.gain for row in rows[1:]] == pytest.approx([10, 10, 1])
    assert (rows[1].low, rows[1].high) == (None, None)
    assert [row.marked for row in rows] == [False, False, False, True]
    figure = gain_chart(rows, LIGHT, title="gain")
    by_name = {trace.name: trace for trace in figure.data if trace.customdata is not None}
    assert {name: trace.marker.color for name, trace in by_name.items()} == {
        BETTER: LIGHT.right, NOISE: LIGHT.quiet, SEEN_ONCE: LIGHT.quiet
    }  # fmt: skip


# Pairs ----------------------------------------------------------------------------------------------------------------


def pair(truth: int, predicted: int, pixels: int, share: float, together: float) -> ConfusedPair:
    keys = {"one": 1, "two": 0.5}
    return ConfusedPair(
        truth, predicted, {key: int(pixels * part) for key, part in keys.items()},
        {key: share * part for key, part in keys.items()}, {"one": 3, "two": 2}, 4, together, dict.fromkeys(keys, 0.1),
    )  # fmt: skip


PAIRS = [pair(1, 2, 1000, 0.2, 0.5), pair(2, 1, 40, 0.01, 0.0), pair(0, 1, 0, 0.0, 0.3), pair(1, 0, 9, 0.1, np.nan)]


def test_pairs_stand_where_their_figures_say():
    titles = {"one": "BCE", "two": "ReCAM"}
    figure = pairs_chart(PAIRS, NAMES, titles, LIGHT, shown=["one"], marked=[(2, 1)])
    points = marks(figure)
    assert [tuple(values) for values in points.customdata] == [(1, 2), (2, 1)]
    assert list(points.x) == [0.5, 0.0]
    assert list(points.y) == [0.2, 0.01]
    assert points.marker.size[0] > points.marker.size[1]
    assert list(points.marker.color) == [LIGHT.right, LIGHT.wrong]
    assert "pixels: 1,000" in points.hovertext[0]
    assert not any(letters in texts(figure) for letters in HOSTILE)
    assert figure.layout.yaxis.type != "log"
    assert pairs_chart(PAIRS, NAMES, titles, LIGHT, logarithmic=True).layout.yaxis.type == "log"


def test_points_of_two_methods_are_joined():
    figure = pairs_chart(PAIRS, NAMES, {"one": "BCE", "two": "ReCAM"}, LIGHT, shown=["one", "two"])
    line, one, two, _ = figure.data
    assert line.mode == "lines"
    assert list(line.y)[:2] == [0.2, 0.1]
    assert (list(one.y), list(two.y)) == ([0.2, 0.01], [0.1, 0.005])
    assert one.marker.symbol != two.marker.symbol
    assert pairs_chart([], NAMES, {"one": "BCE"}, LIGHT).data  # nothing to draw is no error


# Pictures -------------------------------------------------------------------------------------------------------------


def table_of(one: list[float], two: list[float]) -> PictureTable:
    count = len(one)
    miou = {"one": np.array(one, dtype=float), "two": np.array(two, dtype=float)}
    share = np.full((count, 2), 0.25, dtype=np.float32)
    nothing = {key: np.zeros(count) for key in miou}
    return PictureTable(
        tuple(f"<b>{k}" for k in range(count)), ClassList(("a", "b")), np.ones((count, 2), bool), np.full(count, 2),
        share, share.max(axis=1), "one", miou, nothing, nothing,
        {key: values - miou["one"] for key, values in miou.items()},
    )  # fmt: skip


def test_pictures_are_better_above_the_diagonal():
    table, titles = table_of([0.5, 0.5, 0.5, np.nan], [0.6, 0.4, 0.5, 0.9]), {"one": "BCE", "two": "ReCAM"}
    positions = drawn_pictures(table, "one", "two")
    assert positions.tolist() == [0, 1, 2]
    figure = pictures_chart(table, "one", "two", titles, LIGHT, positions)
    kinds = {trace.name: trace for trace in figure.data if trace.customdata is not None}
    assert {name: [values[0] for values in trace.customdata] for name, trace in kinds.items()} == {
        "better (1)": [0], "worse (1)": [1], "the same (1)": [2]
    }  # fmt: skip
    assert (list(kinds["better (1)"].x), list(kinds["better (1)"].y)) == ([0.5], [0.6])
    assert figure.layout.xaxis.range == figure.layout.yaxis.range
    assert "&lt;b&gt;0" in texts(figure)
    assert "<b>0" not in texts(figure)
    alone = pictures_chart(table, LARGEST, "two", titles, LIGHT, drawn_pictures(table, LARGEST, "two"))
    (points,) = (trace for trace in alone.data if trace.customdata is not None)
    assert list(points.x) == [0.25] * 4
    assert list(points.y) == [0.6, 0.4, 0.5, 0.9]


def test_of_very_many_pictures_an_even_sample_is_drawn():
    rng = np.random.default_rng(0)
    one, two = rng.random(3 * MOST_DRAWN), rng.random(3 * MOST_DRAWN)
    table = table_of(one.tolist(), two.tolist())
    positions = drawn_pictures(table, "one", "two")
    assert MOST_DRAWN * 0.99 < len(positions) <= MOST_DRAWN
    assert len(set(positions.tolist())) == len(positions)
    assert {int(np.argmin(two - one)), int(np.argmax(two - one))} <= set(positions.tolist())
    chosen = np.zeros(len(table), dtype=bool)
    chosen[5:9] = True
    assert drawn_pictures(table, "one", "two", chosen).tolist() == [5, 6, 7, 8]


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_figures_are_valid_json_in_both_lights(palette):
    confusion = np.array([[90, 5, 5], [10, 60, 30], [0, 0, 0]])
    figures = [
        matrix_chart(matrix_cells(confusion, NAMES, np.arange(3), palette), palette),
        flow_chart(confusion, [1], NAMES, palette),
        pairs_chart(PAIRS, NAMES, {"one": "BCE"}, palette),
        iou_chart(gain_of_three(), {"one": "BCE", "two": "ReCAM"}, palette),
    ]
    for figure in figures:
        assert "NaN" not in said(figure)
        assert figure.layout.template.layout.font.color == palette.text
