"""One training at length: curves, the end of its log, and the command line."""

import streamlit as st

from app.confusions.ink import ink
from app.guard import sentences
from app.links import TRAINING, kept
from app.trainings.curves import loss_chart, loss_table, score_chart, score_table
from recam_core.errors import UserError
from recam_core.trainings.listing import Training, find_training

#: Seconds between two looks at a training that goes on.
_LIVELY = 3.0
#: Lines of the log that are shown; the command line shows more.
_LINES = 10


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
        st.warning(str(error), icon=":material/search_off:")
        return
    with st.container(border=True, key=f"{page}_details"):
        st.markdown(f"#### {training.job.name}")
        st.fragment(_details, run_every=_LIVELY if training.is_live else None)(page, number)


def _details(page: str, number: str) -> None:
    with sentences():
        training = find_training(number)
        if training.job.grid is None:
            _curves(page, training)
        st.caption("The end of its log")
        st.code(training.log_tail(_LINES) or "Nothing yet.", language=None, wrap_lines=True)
        st.caption(f"The same {'run' if training.job.grid is None else 'grid'} from the command line")
        st.code(training.job.command, language="bash", wrap_lines=True)


def _curves(page: str, training: Training) -> None:
    """Losses and scores, side by side."""
    number = training.id
    status, epochs = training.status, training.epochs()
    count = int(training.job.recipe.get("epochs", 1))
    losses = loss_table(status.losses, epochs, status.steps, count)
    scores = score_table(epochs)
    left, right = st.columns(2, gap="large")
    with left:
        if losses.empty:
            st.caption("The curve of the losses begins with the first steps.")
        else:
            st.altair_chart(loss_chart(losses, count, ink()), key=f"{page}_losses_{number}")
    with right:
        if not scores.empty:
            st.altair_chart(score_chart(scores, count, ink()), key=f"{page}_scores_{number}")
        elif training.job.val:
            st.caption("Scores of the watched pictures come after the first epoch.")
        else:
            st.caption("No pictures were given to watch, so there are no scores.")
