"""Loss and score curves of a training, while it goes on."""

from typing import Any

import altair as alt
import pandas as pd

from app.confusions.ink import Ink

#: Key of a curve -> what the chart calls it.
_LOSSES = {"loss": "total", "bce": "L_bce", "sce": "L_sce", "fc2_bce": "L_bce of FC2"}
_SCORES = {"val_seed_miou": "seed mIoU", "val_map": "mAP of the labels"}
_HEIGHT = 320


def loss_table(losses: dict[str, Any], epochs: list[dict[str, Any]], steps: int, count: int) -> pd.DataFrame:
    """Rows of epoch (with fractions), loss and value.

    Args:
        losses: the curve of the steps, see :class:`recam_core.trainings.loss_curve.LossCurve`.
        epochs: entries of the finished epochs.
        steps, count: steps and epochs of the whole training.
    """
    names = losses.get("names", [])
    # With a single part the total says it all.
    shown = [name for name in names if name in _LOSSES and (len(names) > 2 or name == "loss")]
    scale = count / steps if steps else 0
    rows = [
        {"epoch": point[0] * scale, "loss": _LOSSES[name], "value": point[1 + names.index(name)]}
        for point in losses.get("points", [])
        for name in shown
    ]
    rows += [
        {"epoch": float(entry["epoch"]), "loss": "of the watched pictures", "value": entry["val_loss"]}
        for entry in epochs
        if "val_loss" in entry
    ]
    return pd.DataFrame(rows, columns=["epoch", "loss", "value"])


def score_table(epochs: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows of epoch, score and value in 0..1."""
    rows = [
        {"epoch": float(entry["epoch"]), "score": title, "value": entry[name]}
        for entry in epochs
        for name, title in _SCORES.items()
        if isinstance(entry.get(name), (int, float))
    ]
    return pd.DataFrame(rows, columns=["epoch", "score", "value"])


def loss_chart(table: pd.DataFrame, count: int, ink: Ink) -> alt.Chart:
    """Losses over the epochs; ``count`` is how many there will be."""
    return _lines(table, "loss", "loss", count, ink, percent=False)


def score_chart(table: pd.DataFrame, count: int, ink: Ink) -> alt.Chart:
    """Scores over the epochs, with a dot an epoch."""
    return _lines(table, "score", "", count, ink, percent=True)


def _lines(table: pd.DataFrame, series: str, title: str, count: int, ink: Ink, percent: bool) -> alt.Chart:
    axis = {
        "gridColor": ink.line,
        "domain": False,
        "ticks": False,
        "labelColor": ink.quiet,
        "titleColor": ink.quiet,
        "titleFontWeight": "normal",
        "tickCount": 6,
    }
    names = list(dict.fromkeys(table[series]))
    colours = [ink.methods[2], ink.methods[1], ink.methods[3], ink.methods[4]][: len(names)]
    return (
        alt.Chart(table)
        .mark_line(point=alt.OverlayMarkDef(size=30) if percent or len(table) < 40 else False, strokeWidth=2)
        .encode(
            x=alt.X(
                "epoch:Q",
                title="epoch",
                # The whole way, so that the curve grows into the room that is left.
                scale=alt.Scale(domain=[0, max(count, 1)], nice=False),
                axis=alt.Axis(grid=False, tickMinStep=1, format="d", **axis),
            ),
            y=alt.Y(
                "value:Q",
                title=title or None,
                scale=alt.Scale(zero=False, nice=True),
                axis=alt.Axis(format="%" if percent else "~g", **axis),
            ),
            color=alt.Color(
                f"{series}:N",
                scale=alt.Scale(domain=names, range=colours),
                legend=alt.Legend(title=None, orient="top", labelColor=ink.text, symbolType="stroke"),
            ),
            # Dashes besides colours, so that either alone tells the curves apart.
            strokeDash=alt.StrokeDash(
                f"{series}:N",
                scale=alt.Scale(domain=names, range=[[1, 0], [6, 3], [2, 2], [8, 2, 2, 2]][: len(names)]),
                legend=None,
            ),
            tooltip=[
                alt.Tooltip(f"{series}:N", title=series),
                alt.Tooltip("epoch:Q", format=".2f"),
                alt.Tooltip("value:Q", format=".1%" if percent else ".4f"),
            ],
        )
        # Room on the right for half of the last number of the axis.
        .properties(height=_HEIGHT, padding={"left": 5, "top": 5, "right": 14, "bottom": 5})
        .configure_view(strokeWidth=0)
    )
