"""Jobs on a page: the button that begins one, a bar with the time left and a button to cancel, how it ended."""

from collections.abc import Callable

import streamlit as st

from app.guard import sentences
from app.jobs import CANCELLED, DONE, FAILED, RUNNING, WAITING_WORDS, AnyJob, Job, board
from app.links import keep, kept
from app.plain_words import plain


def duration(seconds: float) -> str:
    """A time as people say it: ``40 s``, ``12 min``, ``3 h 05 min``."""
    seconds = max(seconds, 0)
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


@st.fragment(run_every=0.7)
def job_progress(job_id: str, key: str | None = None, is_narrow: bool = False) -> None:
    """Where the job stands; redraws itself until the job is over, then the page.

    Args:
        job_id: of the board.
        key: of the button that cancels, which the job's id is added to; None for a job that cannot be cancelled.
        is_narrow: whether there is no room for that button beside the bar.
    """
    job = board().find(job_id)
    if job is None or job.is_over:
        st.rerun(scope="app")
        return
    left = job.seconds_left
    words = job.step if job.state == RUNNING else WAITING_WORDS
    if counted := job.counted:
        words += f": {counted}"
    if left is not None:
        words += f", about {duration(left)} left"
    if key is None:
        st.progress(min(job.done / job.total, 1.0) if job.total else 0.0, text=plain(words))
        return
    bar, button = (st, st) if is_narrow else st.columns([5, 1], vertical_alignment="bottom")
    bar.progress(min(job.done / job.total, 1.0) if job.total else 0.0, text=plain(words))
    button.button(
        "Cancel",
        icon=":material/close:",
        key=f"{key}_{job_id}",
        on_click=job.cancel.set,
        disabled=job.cancel.is_set(),
        width="content" if is_narrow else "stretch",
    )


def job_state(job: Job, key: str | None = None, cancelled: str = "Cancelled.") -> bool:
    """Say where a job stands; whether it is done, and its result can be shown.

    Args:
        job: what the page looks at.
        key: as for :func:`job_progress`.
        cancelled: what is said of one that was cancelled.
    """
    if not job.is_over:
        job_progress(job.id, key)
    elif job.state == FAILED:
        st.error(plain(job.message), icon=":material/error:")
    elif job.state == CANCELLED:
        st.info(cancelled, icon=":material/cancel:")
    return job.state == DONE


def job_panel(
    kind: type[AnyJob],
    parameter: str,
    start: Callable[[], AnyJob],
    *,
    key: str,
    label: str,
    words: str = "",
    caption: str = "It goes on when you leave the page.",
    is_about_this: Callable[[AnyJob], bool] = lambda job: True,
    cancelled: str = "Cancelled. What was finished before is kept.",
) -> None:
    """What long work makes and costs, with the button that begins it; while it runs, how far it is.

    Args:
        kind: of the job.
        parameter: of the address, which names the job that was begun last.
        start: begins one; a UserError of it is shown.
        key: what the keys of the widgets begin with.
        label: of the button.
        words: what is not there yet, and what it costs.
        caption: beside the button.
        is_about_this: whether an ended job was about what the page shows now, so that its failure is told.
        cancelled: what is said of one that was cancelled.
    """
    job = board().find(kept(parameter))
    if isinstance(job, kind) and not job.is_over:
        job_progress(job.id, key=f"{key}_cancel")
        return
    if isinstance(job, kind) and is_about_this(job):
        job_state(job, cancelled=cancelled)
    if words:
        st.markdown(words)
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(label, type="primary", icon=":material/play_arrow:", key=f"{key}_start"):
            with sentences():
                keep(parameter, start().id)
                st.rerun()
        st.caption(caption)
