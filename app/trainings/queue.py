"""The queue on the page: a card a training, which redraws itself while anything goes on."""

import contextlib
import threading
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Literal

import streamlit as st

from app.datasets import dataset
from app.guard import sentences
from app.job_progress import duration
from app.links import GRID, TRAINING, keep, kept, open_explore, open_lab_grid
from app.plain_words import as_code, plain
from app.settings import METHOD_TITLES
from app.shared_state import MY_TRAININGS
from app.visitors import visitor, visitor_address
from recam_core.errors import UserError
from recam_core.guest import guest, own_root, serving
from recam_core.queue import kinds
from recam_core.queue.job import KindName
from recam_core.queue.listing import Training, every_training, list_trainings, read_queue
from recam_core.queue.start import resume_training
from recam_core.queue.status import LIVE
from recam_core.queue.stop import ask_to_stop, cancel_training, remove_training
from recam_core.report.mask_set import split_name

_RULES = """
<style>
/* What redraws itself every second or two must not fade each time it does. */
:is(.st-key-training_queue, .st-key-training_details, .st-key-lab_queue, .st-key-lab_details, .st-key-masks_queue,
  .st-key-masks_details) [data-stale="true"] {
  opacity: 1 !important; }
</style>
"""


def send_queue_style() -> None:
    """Send the rule with the page."""
    st.html(_RULES)


#: State -> word, icon and colour of its badge.
BADGES: dict[str, tuple[str, str, Literal["gray", "blue", "green", "red", "orange"]]] = {
    "waiting": ("waiting", ":material/hourglass_empty:", "gray"),
    "running": ("running", ":material/play_circle:", "blue"),
    "done": ("done", ":material/check_circle:", "green"),
    "failed": ("failed", ":material/error:", "red"),
    "cancelled": ("cancelled", ":material/cancel:", "orange"),
    "killed": ("killed", ":material/power_off:", "orange"),
}


def ago(moment: float) -> str:
    """How long ago it was."""
    gone = time.time() - moment
    return f"{duration(gone)} ago" if gone < 48 * 3600 else time.strftime("on %Y-%m-%d", time.localtime(moment))


def standing(training: Training, before: int) -> str:
    """Where it stands, in a line (names as they are); ``before`` counts those that wait longer for the same device."""
    status = training.status
    if training.is_stopping:
        return "Stopping after this step"
    if training.state == "waiting" and status.awaits:
        return f"Waiting for {status.awaits}, which another training is to make"
    if training.state == "waiting":
        if not before:
            return f"{status.doing or 'Waiting'}: next on {training.job.device}"
        return f"Waiting for {training.job.device}, behind {before} other{'s' if before > 1 else ''}"
    if training.state == "running":
        if not status.steps:
            return f"{status.doing}, begun {ago(status.began)}"
        left = "" if status.seconds_left is None else f", about {duration(status.seconds_left)} left"
        if training.job.kind == kinds.GRID:
            return f"{status.doing}; {status.epoch} of {status.epochs} trainings finished{left}"
        if training.job.kind != kinds.TRAINING:
            return f"{status.doing} {status.step} of {status.steps}{left}"
        return f"{status.doing}: epoch {status.epoch} of {status.epochs}, step {status.step} of {status.steps}{left}"
    kept = _kept(training)
    when = ago(status.ended or status.updated or training.job.created)
    if training.state == "done":
        took = f", in {duration(status.ended - status.began)}" if status.began and status.ended else ""
        return f"Finished {when}{took}"
    if training.state == "killed":
        return f"Its process is gone since about {when}; {kept}"
    return f"{when[0].upper()}{when[1:]}; {kept}"


def _kept(training: Training) -> str:
    """What there is of one that is over."""
    kind = kinds.KINDS[training.job.kind]
    if training.job.kind == kinds.TRAINING:
        finished, total = len(training.epochs()), training.job.recipe.get("epochs", "?")
    elif training.job.kind in (kinds.GRID, kinds.PIPELINE):
        finished, total = training.status.epoch, training.status.epochs
    else:
        return kind.kept
    return f"{finished} of {total} {kind.unit}s finished, and kept" if finished else f"no {kind.unit} was finished"


#: Trainings that are over and shown at once; the others are behind a fold.
_RECENT = 6
#: Seconds between two looks while something goes on, and while nothing does (somebody else may start one).
_LIVELY, _QUIET = 1.5, 6.0
#: The number of a training, and what a press asked to do with it.
_NOTHING = ("", "")


def queue(page: str, only: Collection[KindName] = ()) -> None:
    """Draw the queue, and keep it up to date.

    Args:
        page: the name that keys begin with.
        only: kinds that are shown, if not all; others that those wait for still count.
    """
    seen = _states(list_trainings())
    lively = any(state in LIVE for _, state in seen)
    with st.container(key=f"{page}_queue"):
        st.fragment(_cards, run_every=_LIVELY if lively else _QUIET)(page, seen, only)


def _states(trainings: Sequence[Training]) -> list[tuple[str, str]]:
    return [(training.id, training.state) for training in trainings]


def _cards(page: str, seen: list[tuple[str, str]], only: Collection[KindName]) -> None:
    trainings, faults = read_queue()
    for fault in faults:
        st.warning(plain(f"Left out: {fault}"), icon=":material/broken_image:")
    live = [training for training in trainings if training.is_live]
    if _states(trainings) != seen:
        st.rerun(scope="app")  # the rest of the page shows it, too, and looks more often, or less
    shown = [training for training in trainings if training.job.kind in only or not only]
    if not shown and only:
        return
    if not trainings:
        st.info(
            "Nothing was trained here yet. Choose the settings below and press *Start training*: it goes on when this "
            "page, the browser or the app is closed.",
            icon=":material/model_training:",
        )
        return
    over = [training for training in shown if not training.is_live]
    for training in live:
        if training not in shown:
            continue
        _card(page, training, _before(training, live))
    for training in over[:_RECENT]:
        _card(page, training, 0)
    if over[_RECENT:]:
        with st.expander(f"{len(over) - _RECENT} older"):
            for training in over[_RECENT:]:
                _card(page, training, 0)


def _before(training: Training, live: Sequence[Training]) -> int:
    """How many wait longer for the same device; of a hosted app, other visitors' as well, which are not shown."""
    if training.state != "waiting":
        return 0
    others = live if guest() is None else [other for other in every_training() if other.is_live]
    return sum(
        other.state == "waiting"
        and not other.status.awaits
        and other.job.device == training.job.device
        and other.status.queued < training.status.queued
        for other in others
    )


def _card(page: str, training: Training, before: int) -> None:
    shown = kept(TRAINING) == training.id
    with st.container(border=True, key=f"{page}_card_{training.id}"):
        head, buttons = st.columns([3, 2], vertical_alignment="center")
        with head:
            word, icon, colour = BADGES[training.state]
            with st.container(horizontal=True, vertical_alignment="center"):
                st.badge(word, icon=icon, color=colour, width="content")
                st.markdown(f"**{plain(training.job.name)}**", width="content")
            st.caption(f"{_what(training)} on {as_code(training.job.data)}")
        with buttons.container(horizontal=True, horizontal_alignment="right"):
            _buttons(page, training, shown)
        line = standing(training, before)
        if training.state == "running" and training.status.steps:
            st.progress(_share(training), text=plain(line))
        else:
            st.markdown(plain(line))
        if training.state == "failed":
            st.error(plain(training.status.message) or "It failed; the log says why.", icon=":material/error:")
        _asking(page, training)


def _share(training: Training) -> float:
    """Of what goes on, the share that is done; of a pipeline by its steps, as each consists of parts."""
    status = training.status
    done, total = (status.epoch, status.epochs) if training.job.kind == kinds.PIPELINE else (status.step, status.steps)
    return min(done / total, 1.0) if total else 0.0


def _what(training: Training) -> str:
    grid, kind = training.job.grid, kinds.KINDS[training.job.kind].title
    if grid is not None:
        return f"{kind}, {grid.x[0]} and {grid.y[0]},"
    if training.job.kind == kinds.TRAINING:
        return METHOD_TITLES.get(training.job.method, "?")
    return f"{kind} of {plain(Path(training.job.init).name)}" if training.job.init else kind


def _buttons(page: str, training: Training, shown: bool) -> None:
    number = training.id
    if st.button(
        "Hide" if shown else "Details",
        icon=":material/visibility_off:" if shown else ":material/monitoring:",
        key=f"{page}_show_{number}",
        help="Curves, log and command line, below",
    ):
        keep(TRAINING, "" if shown else number)
        st.rerun(scope="app")
    if training.is_live:
        st.button(
            "Cancel",
            icon=":material/stop:",
            key=f"{page}_stop_{number}",
            disabled=training.is_stopping,
            on_click=_ask,
            args=(page, (number, "cancel")),
        )
        return
    if training.can_resume:
        if st.button("Resume", icon=":material/play_arrow:", key=f"{page}_resume_{number}"):
            with sentences():
                resume_training(number, visitor(), visitor_address())
                st.rerun(scope="app")
    elif training.job.kind == kinds.GRID:
        if st.button("See its result", icon=":material/grid_view:", key=f"{page}_result_{number}"):
            if page == "lab":
                keep(GRID, training.job.name)
                st.rerun(scope="app")
            open_lab_grid(training.job.name)
    elif training.job.kind == kinds.TRAINING:
        if st.button("See its maps", icon=":material/compare:", key=f"{page}_maps_{number}"):
            with sentences():
                _open(training)
    elif training.job.kind == kinds.MASKS and st.button(
        "See them", icon=":material/compare:", key=f"{page}_masks_{number}"
    ):
        with sentences():
            _open_masks(training)
    st.button(
        "Remove",
        icon=":material/delete:",
        key=f"{page}_remove_{number}",
        on_click=_ask,
        args=(page, (number, "remove")),
    )


def _ask(page: str, what: tuple[str, str]) -> None:
    st.session_state[f"{page}_asked"] = what


def _asking(page: str, training: Training) -> None:
    """Ask before something is stopped or deleted."""
    number, what = st.session_state.get(f"{page}_asked", _NOTHING)
    if number != training.id or (what == "cancel") != training.is_live:
        return
    if what == "cancel":
        whose = (
            ""
            if number in MY_TRAININGS.get(set())
            else " It was not started in this window: it may be somebody else's."
        )
        unit = kinds.KINDS[training.job.kind].unit
        kept = (
            f"Its finished {unit}s are kept, and it can be resumed." if unit else "It begins anew when it is resumed."
        )
        question = f"Stop **{plain(training.job.name)}**?{whose} {kept}"
        yes, act = "Stop it", _cancel
    elif training.state == "done":
        stays = "What it made stays; its log goes."
        if training.job.kind == kinds.TRAINING:
            stays = "The run stays; its log and curves of the steps go."
        elif training.job.kind == kinds.GRID:
            stays = "Its result stays on the Lab page; its log goes."
        question = f"Take **{plain(training.job.name)}** off this list? {stays}"
        yes, act = "Remove it", _remove
    else:
        unit = kinds.KINDS[training.job.kind].unit
        gone = f"Its finished {unit}s and its log" if unit else "Its log"
        question = f"Remove **{plain(training.job.name)}**? {gone} {'are' if unit else 'is'} deleted, too."
        yes, act = "Delete it", _remove
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(question, width="content")
        if st.button(yes, type="primary", key=f"{page}_yes_{number}"):
            _ask(page, _NOTHING)
            with sentences():
                act(training)
                st.rerun(scope="app")
        st.button("No", key=f"{page}_no_{number}", on_click=_ask, args=(page, _NOTHING))


def _cancel(training: Training) -> None:
    ask_to_stop(training.id)
    one = guest()

    def make_sure() -> None:
        with contextlib.suppress(UserError), serving(one):  # it has ended meanwhile
            cancel_training(training.id)

    threading.Thread(target=make_sure, daemon=True, name=f"cancel {training.id}").start()


def _remove(training: Training) -> None:
    remove_training(training.id)
    if kept(TRAINING) == training.id:
        keep(TRAINING, "")


def _open(training: Training) -> None:
    """Leave for the maps of the new run."""
    spec = training.job.val or training.job.data
    open_explore(data=spec, picture=dataset(spec).ids[0], runs=[f"run/{training.job.name}"])


def _open_masks(training: Training) -> None:
    """Leave for the masks, as the data set that they are: its ground truth."""
    spec = masks_spec(training)
    open_explore(data=spec, picture=dataset(spec).ids[0])


def masks_spec(training: Training) -> str:
    """The specification that opens masks of the queue with their pictures."""
    return f"voc:{own_root(training.out)}@{split_name(training.job.data)}"
