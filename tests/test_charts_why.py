"""Charts of the page Why: what is drawn is what was computed, and names are no markup."""

import json

import numpy as np
import plotly.graph_objects as go

from recam_core.analysis.why import Contributions
from recam_core.attribution.map_scores import Faithfulness
from recam_core.views.charts.contributions import contribution_chart
from recam_core.views.charts.faithfulness_curves import faithfulness_chart
from recam_core.views.charts.style import LIGHT

HOSTILE = '<a href="https://example.org">cat</a>'


def written(figure: go.Figure) -> str:
    """The figure as the browser gets it, checked to hold no name as markup."""
    text = figure.to_json()
    assert "<a " not in json.dumps(json.loads(text))
    return text


def test_bars_are_the_strongest_channels_and_names_are_no_markup() -> None:
    found = Contributions(np.ones(5), np.array([3.0, 0, 1, 0, 0]), np.array([0, 2.0, 0, 4, 0]))
    figure = contribution_chart(found, HOSTILE, "%{x}", LIGHT, most=2, pressed=1)
    written(figure)
    assert "%{x}" not in figure.data[1].name
    for_a, for_b = figure.data
    assert [value[0] for value in for_a.customdata] == [0, 2]
    assert [value[0] for value in for_b.customdata] == [1, 3]
    np.testing.assert_array_equal(for_a.x, [3, 1])
    np.testing.assert_array_equal(for_b.x, [-2, -4])
    assert tuple(for_b.marker.line.width) == (2.5, 0)


def test_bars_stay_where_they_are() -> None:
    """Streamlit has a chart whose marks can be pressed moved by dragging, whatever ``dragmode`` says."""
    figure = contribution_chart(Contributions(np.ones(2), np.ones(2), np.zeros(2)), "a", "b", LIGHT)
    assert figure.layout.xaxis.fixedrange
    assert figure.layout.yaxis.fixedrange


def test_curves_of_deletion_and_insertion() -> None:
    shares = np.linspace(0, 1, 3)
    one = Faithfulness(
        np.array([4]), shares, np.array([[0.9, 0.2, 0.1]]), np.array([[0.1, 0.7, 0.9]]), np.zeros(1), 0.0
    )
    figure = faithfulness_chart([("CAM of %{y}", one), (HOSTILE, one)], 0, LIGHT)
    written(figure)
    assert figure.data[0].name == "CAM of &#37;{y}"
    np.testing.assert_array_equal(figure.data[0].y, one.deletion[0])
    np.testing.assert_array_equal(figure.data[1].y, one.insertion[0])
