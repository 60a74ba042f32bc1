"""One run: how it was made, how it is made again, what was measured."""

from app.plain_words import plain
import json

import streamlit as st

from app.chart import palette, show_chart
from app.runs.plain_table import Cell, plain_table
from recam_core.records import RecordError, is_finite, read_rows
from recam_core.checkpoint.run_folder import METRICS_FILE
from recam_core.runs.listed import headlines
from recam_core.runs.lineage import again_command
from recam_core.runs.listed import ListedRun
from recam_core.runs.compare import run_settings
from recam_core.views.charts.curves import Curve, curve_chart, curves_csv

#: Not a curve: the axis, and what only says how long it took.
_NO_CURVES = ("epoch", "seconds")


def one_run(run: ListedRun) -> None:
    """Draw its commands, curves, scores and settings."""
    st.subheader(plain(run.name))
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
    curves = _read_curves(run)
    losses = [curve for name, curve in curves.items() if _is_loss(name)]
    scores = [curve for name, curve in curves.items() if not _is_loss(name)]
    if losses:
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.caption("Losses over the epochs", width="content")
            log = st.toggle("Logarithmic", key="runs_log_losses", persist_state="session", width="content")
        show_chart(
            curve_chart(losses, palette(), log=log),
            key="runs_losses",
            name=f"{run.path.name}_losses",
            csv=curves_csv(losses),
            alt=f"Losses of {run.name} over the epochs",
        )
    if scores:
        st.caption("Scores on the validation pictures")
        show_chart(
            curve_chart(scores, palette(), percent=True),
            key="runs_scores",
            name=f"{run.path.name}_scores",
            csv=curves_csv(scores),
            alt=f"Scores of {run.name} on the validation pictures, over the epochs",
        )


def _read_curves(run: ListedRun) -> dict[str, Curve]:
    """By name in the file; nothing of a run without curves, such as an imported one."""
    try:
        rows = read_rows(run.path / METRICS_FILE)
    except RecordError:
        return {}
    if len(rows) < 2:
        return {}
    points: dict[str, list[tuple[float, float]]] = {}
    for place, row in enumerate(rows, start=1):
        epoch = row.get("epoch")
        at = float(epoch) if epoch is not None and is_finite(epoch) else float(place)
        for name, value in row.items():
            if name not in _NO_CURVES and value is not None and is_finite(value):
                points.setdefault(name, []).append((at, float(value)))
    return {name: Curve(name.replace("_", " "), *zip(*sorted(of_it), strict=True)) for name, of_it in points.items()}


def _is_loss(name: str) -> bool:
    """Whether a curve is to fall; mAP and mIoU are to rise, between 0 and 1."""
    return name not in ("val_map", "val_seed_miou")


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
