"""One run: how it was made, how it is made again, what was measured."""

import json

import altair as alt
import pandas as pd
import streamlit as st

from app.confusions.ink import ink
from app.runs.plain_table import Cell, plain_table
from recam_core.checkpoint.run_folder import METRICS_FILE
from recam_core.runs.headline import headlines
from recam_core.runs.lineage import again_command
from recam_core.runs.listed import ListedRun
from recam_core.runs.settings import run_settings

#: Not a curve: the axis, and what only says how long it took.
_NO_CURVES = ("epoch", "seconds")
#: A curve file may hold anything; no loss or score is as large, and no axis is.
_MOST = 1e30


def one_run(run: ListedRun) -> None:
    """Draw its commands, curves, scores and settings."""
    st.subheader(run.name)
    made, again = st.columns(2, gap="medium")
    with made:
        st.caption("Made by")
        st.code(run.info.command or "(its record does not say)", language="bash", wrap_lines=True)
    with again:
        st.caption("Made again, with every setting as its record has it, by")
        st.code(again_command(run, "runs/NEW-NAME"), language="bash", wrap_lines=True)
    left, right = st.columns([3, 2], gap="large")
    with left:
        _curves(run)
        _scores(run)
    with right:
        rows = [(name, [Cell(value)]) for name, value in run_settings(run.info).items()]
        plain_table(["setting"], rows, f"Settings of {run.name}")


def _curves(run: ListedRun) -> None:
    """Losses and scores over the epochs, each kind in a chart of its own."""
    try:
        entries = json.loads((run.path / METRICS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return  # a run without curves, such as an imported one
    rows = [row for row in entries if isinstance(row, dict)] if isinstance(entries, list) else []
    points = [
        {
            "epoch": row.get("epoch", place),
            "curve": name.replace("_", " "),
            "value": float(value),
            "loss": _is_loss(name),
        }
        for place, row in enumerate(rows, start=1)
        for name, value in row.items()
        if name not in _NO_CURVES and isinstance(value, (int, float)) and abs(value) < _MOST
    ]
    if len(rows) < 2:
        return
    for losses, caption in ((True, "Losses over the epochs"), (False, "Scores on the validation pictures")):
        some = [point for point in points if point["loss"] is losses]
        if some:
            st.caption(caption)
            st.altair_chart(_chart(pd.DataFrame(some), dots=len(rows) <= 30), width="stretch")


def _is_loss(name: str) -> bool:
    """Whether a curve is to fall; mAP and mIoU are to rise, between 0 and 1."""
    return name not in ("val_map", "val_seed_miou")


def _chart(table: pd.DataFrame, dots: bool) -> alt.Chart:
    colours = ink()
    axis = {"labelColor": colours.quiet, "titleColor": colours.quiet, "gridColor": colours.line, "domain": False}
    return (
        alt.Chart(table)
        .mark_line(strokeWidth=2, point=dots)
        .encode(
            x=alt.X("epoch:Q", axis=alt.Axis(tickMinStep=1, format="d", **axis)),
            y=alt.Y("value:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(**axis)),
            color=alt.Color(
                "curve:N", legend=alt.Legend(title=None, orient="top", labelColor=colours.text, symbolType="stroke")
            ),
            # A dash besides the colour, so that either alone tells the curves apart.
            strokeDash=alt.StrokeDash("curve:N", legend=None),
            tooltip=["curve:N", "epoch:Q", alt.Tooltip("value:Q", format=".4f")],
        )
        .properties(height=230)
        .configure_view(strokeWidth=0)
    )


def _scores(run: ListedRun) -> None:
    found = list(headlines(run.info))
    if not found:
        st.caption("Nothing was measured of it yet; `python -m recam_core evaluate … --keep-scores` does it.")
        return
    splits = list(dict.fromkeys(one.split for one in found))
    by_rule: dict[str, dict[str, float]] = {}
    for one in found:
        by_rule.setdefault(one.rule, {})[one.split] = one.miou
    rows = [
        (
            rule.replace("_", " ") + (" (its own)" if rule == run.info.rule else ""),
            [Cell(f"{100 * scores[s]:.1f}" if s in scores else None, "number") for s in splits],
        )
        for rule, scores in by_rule.items()
    ]
    st.caption("Seed mIoU in per cent, by extraction rule and split")
    plain_table(splits, rows, f"Scores of {run.name}")
