"""One training at length: curves, the end of its log, and the command line."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from app.chart import CHART_NUMBERS, csv_button, live_chart, palette, plotly_for
from app.guard import sentences
from app.links import TRAINING, kept
from app.plain_words import plain
from recam_core.errors import UserError
from recam_core.guest import told
from recam_core.queue.kinds import TRAINING as TRAINED
from recam_core.queue.listing import Training, find_training
from recam_core.queue.status import Losses
from recam_core.views.charts.curves import Curve, curve_chart, curves_csv

#: Key of a curve -> what the chart calls it.
_LOSSES = {"loss": "total", "bce": "L_bce", "sce": "L_sce", "fc2_bce": "L_bce of FC2"}
_SCORES = {"val_seed_miou": "seed mIoU", "val_map": "mAP of the labels"}


def loss_curves(losses: Losses, epochs: list[dict[str, Any]], steps: int, count: int) -> list[Curve]:
    """Losses over the epochs, with fractions.

    Args:
        losses: of the steps.
        epochs: entries of the finished epochs.
        steps, count: steps and epochs of the whole training.
    """
    names = losses.names
    # With a single part the total says it all.
    shown = [name for name in names if name in _LOSSES and (len(names) > 2 or name == "loss")]
    scale = count / steps if steps else 0
    points = losses.points
    curves = [
        Curve(
            _LOSSES[name],
            tuple(point[0] * scale for point in points),
            tuple(point[1 + names.index(name)] for point in points),
        )
        for name in shown
    ]
    return [curve for curve in [*curves, _of_epochs(epochs, "val_loss", "of the watched pictures")] if curve.epochs]


def score_curves(epochs: list[dict[str, Any]]) -> list[Curve]:
    """Scores in 0..1 over the epochs."""
    return [curve for name, title in _SCORES.items() if (curve := _of_epochs(epochs, name, title)).epochs]


def _of_epochs(epochs: list[dict[str, Any]], name: str, title: str) -> Curve:
    known = [entry for entry in epochs if isinstance(entry.get(name), (int, float))]
    return Curve(title, tuple(float(entry["epoch"]) for entry in known), tuple(float(entry[name]) for entry in known))


#: Seconds between two looks at a training that goes on.
_LIVELY = 3.0
_LOG_HELP = "Losses on a logarithmic axis: how they fall late in a training is seen better there."
#: Lines of the log that are shown; the command line shows more.
_LINES = 10
#: Of work that tells its scores there.
_LINES_WITH_TABLES = 40


def details(page: str) -> None:
    """Draw the training that the address names, if it names one, and keep it up to date.

    Args:
        page: the name that keys begin with.
    """
    number = kept(TRAINING)
    if not number:
        return
    try:
        training = find_training(number)
    except UserError as error:
        st.warning(plain(error), icon=":material/search_off:")
        return
    with st.container(border=True, key=f"{page}_details"):
        st.markdown(f"#### {plain(training.job.name)}")
        if training.job.kind == TRAINED:
            plotly_for(page)
        st.fragment(_details, run_every=_LIVELY if training.is_live else None)(page, number)


def _details(page: str, number: str) -> None:
    with sentences():
        training = find_training(number)
        if training.job.kind == TRAINED:
            _curves(page, training)
        st.caption("The end of its log")
        lines = _LINES if training.job.kind == TRAINED else _LINES_WITH_TABLES
        st.code(told(training.log_tail(lines)) or "Nothing yet.", language=None, wrap_lines=True)
        st.caption("The same from the command line")
        st.code(training.job.command, language="bash", wrap_lines=True)


def _curves(page: str, training: Training) -> None:
    """Losses and scores, side by side."""
    number = training.id
    status, epochs = training.status, training.epochs()
    count = int(training.job.recipe.get("epochs", 1))
    losses = loss_curves(status.losses, epochs, status.steps, count)
    scores = score_curves(epochs)
    left, right = st.columns(2, gap="large")
    with left:
        if losses:
            chart = st.container()
            with st.container(horizontal=True, vertical_alignment="center"):
                _csv(losses, "losses", f"{page}_losses_csv")
                log = st.toggle(
                    "Logarithmic", key=f"{page}_log_losses", persist_state="session", help=_LOG_HELP, width="content"
                )
            with chart:
                figure = curve_chart(losses, palette(), until=count, log=log, title="loss", kept=number)
                live_chart(figure, key=f"{page}_losses_{number}", name="losses", alt=_alt("Losses", losses))
        else:
            st.caption("The curve of the losses begins with the first steps.")
    with right:
        if scores:
            figure = curve_chart(scores, palette(), until=count, percent=True, kept=number)
            live_chart(figure, key=f"{page}_scores_{number}", name="scores", alt=_alt("Scores", scores))
            _csv(scores, "scores", f"{page}_scores_csv")
        elif training.job.val:
            st.caption("Scores of the watched pictures come after the first epoch.")
        else:
            st.caption("No pictures were given to watch, so there are no scores.")


def _csv(curves: Sequence[Curve], name: str, key: str) -> None:
    csv_button(lambda: curves_csv(curves), name, key=key, help=CHART_NUMBERS, type="tertiary")


def _alt(what: str, curves: Sequence[Curve]) -> str:
    """The chart for those who cannot see it: where each curve stands."""
    last = "; ".join(f"{curve.name} {curve.values[-1]:.4g} at epoch {curve.epochs[-1]:.4g}" for curve in curves)
    return f"{what} over the epochs: {last}"
