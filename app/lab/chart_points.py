"""An experiment's chart as rows that altair draws, and how its parts and groups look."""

from collections.abc import Sequence

import pandas as pd

from app.confusions.ink import Ink
from recam_core.experiments.chart import Heat, Series
from recam_core.experiments.experiment import Experiment
from recam_core.experiments.protocol import REPORT, SELECT

#: Name of the selection that a press makes, and the field that it tells: the place of the setting in the experiment.
PRESSED = "setting"
PRESSED_FIELDS = ("place",)
#: The place of the run as it was before.
REFERENCE_PLACE = -1
#: What each part does, for people.
PART_WORDS = {SELECT: "chooses", REPORT: "reports"}


def group_of(series: Series, experiment: Experiment) -> str:
    """The group that a series belongs to where a panel holds several; "" where it does not."""
    return series.name.removesuffix(getattr(experiment.protocol, series.part)).removesuffix(", ")


def groups_of(experiment: Experiment) -> list[str]:
    """All groups, in their order; one empty name where there are none."""
    panels = experiment.chart.panels.values()
    return list(dict.fromkeys(group_of(series, experiment) for panel in panels for series in panel))


def colours_of(groups: Sequence[str], ink: Ink) -> list[str]:
    """One colour a group."""
    return [ink.methods[place] for place in (2, 4, 3, 1, 5)][: len(groups)]


def panel_points(experiment: Experiment, series: Sequence[Series], marked: int | None) -> pd.DataFrame:
    """One row a point.

    Args:
        experiment: what they are of.
        series: of one panel.
        marked: place of the setting whose maps are shown.
    """
    places = {one.label: place for place, one in enumerate(experiment.settings)}
    rows = [
        {
            "place": places[key],
            "key": key,
            "x": x,
            "y": y,
            "low": low,
            "high": high,
            "part": PART_WORDS[each.part],
            "group": group_of(each, experiment),
            "chosen": key == experiment.chosen,
            "marked": places[key] == marked,
        }
        for each in series
        for x, y, low, high, key in zip(each.x, each.y, each.low, each.high, each.keys, strict=True)
    ]
    return pd.DataFrame(rows)


def heat_cells(experiment: Experiment, heat: Heat, marked: int | None) -> pd.DataFrame:
    """One row a cell."""
    places = {one.label: place for place, one in enumerate(experiment.settings)}
    rows = [
        {
            "place": places[key],
            "key": key,
            "x": x,
            "y": y,
            "value": value,
            "words": "" if value is None else f"{100 * value:.1f}",
            "chosen": key == experiment.chosen,
            "marked": places[key] == marked,
        }
        for y, values, keys in zip(heat.y, heat.values, heat.keys, strict=True)
        for x, value, key in zip(heat.x, values, keys, strict=True)
    ]
    return pd.DataFrame(rows)
