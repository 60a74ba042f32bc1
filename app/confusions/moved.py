"""What one method takes back of another's errors on the chosen pictures: counted once in the background, then kept."""

from dataclasses import dataclass

import streamlit as st

from app.confusions.comparison import Comparison
from app.job_progress import job_state
from app.jobs import DONE, Job, board
from recam_core.analysis.analysed import MANY, Analysed
from recam_core.analysis.joint_counts import JointCounts, joint_counts, kept_joint_counts
from recam_core.analysis.taken_back import FALSE_POSITIVE, WRONG_CLASS, TakenBack, taken_back
from recam_core.data.spec import open_dataset
from recam_core.guest import guest


@dataclass(frozen=True)
class Moved:
    """Pixels that one of two methods has right and the other wrong.

    Attributes:
        before: key of the method that the shown one is compared with.
        lost: those that the shown method has wrong; else those that it has right.
        kind: of :data:`~recam_core.analysis.taken_back.KINDS`: only errors of this kind; None for any.
        of_cell: only those of the cell that is looked at; else of all classes.
    """

    before: str
    lost: bool = False
    kind: str | None = None
    of_cell: bool = False

    @property
    def name(self) -> str:
        """Short and unique, for keys."""
        return (
            f"{self.before}_{'lost' if self.lost else 'back'}_{self.kind or 'any'}_{'cell' if self.of_cell else 'all'}"
        )

    def words(self, title: str) -> str:
        """What it is called, as an order of pictures: ``title`` is the shown method's."""
        if self.of_cell:
            return f"lost by {title} in this cell" if self.lost else "taken back in this cell"
        if self.lost:
            return f"lost by {title}"
        return {FALSE_POSITIVE: "false positives taken back", WRONG_CLASS: "wrong class taken back"}.get(
            self.kind or "", "taken back"
        )


def orders(compared: Comparison, before: str, of_cell: bool = False) -> dict[str, Moved]:
    """The orders of pictures that two methods give, by a short name for links.

    Args:
        compared: what is compared.
        before: the method that the shown one is compared with.
        of_cell: whether a cell of the matrix is looked at.
    """
    found = (
        {"cell": Moved(before, of_cell=True), "cell-lost": Moved(before, lost=True, of_cell=True)} if of_cell else {}
    )
    if compared.classes.has_background:
        found["false"] = Moved(before, kind=FALSE_POSITIVE)
    return found | {"wrong": Moved(before, kind=WRONG_CLASS), "lost-by": Moved(before, lost=True)}


@dataclass
class _JointJob(Job):
    """Reading the maps of two methods together."""

    before: Analysed
    after: Analysed
    spec: str

    @property
    def is_shared(self) -> bool:
        return True  # of a set that the page has just opened


@st.cache_resource(max_entries=4, ttl="30m", show_spinner=False)
def _joint(before: str, after: str, _before: Analysed, _after: Analysed) -> JointCounts:
    found = kept_joint_counts(_before, _after)
    if found is None:
        # An exception is not cached, so that the next look finds what was made meanwhile.
        raise LookupError(before)
    return found


@st.cache_resource(max_entries=24, show_spinner=False)
def _job(before: str, after: str, spec: str, _before: Analysed, _after: Analysed) -> _JointJob:
    """The one job of two methods, whichever session asked first."""
    return board().start(_JointJob(_before, _after, spec), _work, at_once=True)


def _work(job: _JointJob) -> None:
    job.begin(f"Comparing {job.before.title} and {job.after.title} pixel by pixel, picture")
    joint_counts(job.before, job.after, open_dataset(job.spec), job.progress)


# The threshold of now and the one before it.
@st.cache_resource(max_entries=4, show_spinner=False)
def _taken_back(
    before: str, after: str, cut_before: float | None, cut_after: float | None, _joint: JointCounts
) -> TakenBack:
    return taken_back(_joint.at(cut_before, cut_after))


def moved_between(compared: Comparison, before: str, after: str) -> TakenBack | None:
    """What ``after`` takes back and loses against ``before``, each at its threshold.

    None while it is being counted, or where it cannot be; the page then says how far it is, or why.
    """
    first, second = compared.method(before), compared.method(after)
    names = first.identity, second.identity
    try:
        joint = _joint(*names, first, second)
    except LookupError:
        _begin(compared, first, second)
        return None
    return _taken_back(*names, compared.thresholds[before], compared.thresholds[after], joint)


def _begin(compared: Comparison, first: Analysed, second: Analysed) -> None:
    """Have the pixels counted, and show how far that is."""
    asked = first.identity, second.identity, compared.spec
    if len(first.counts.ids) >= MANY:
        st.info(
            f"Which pixels are taken back is counted here for fewer than {MANY:,} pictures. The command line does it "
            "for more: `python -m recam_core pictures DATA --runs A B --taken-back`.",
            icon=":material/terminal:",
        )
        return
    job = _job(*asked, first, second)
    if job.state == DONE:
        # Made, and dropped from the cache meanwhile.
        _job.clear(*asked)
        job = _job(*asked, first, second)
    one = guest()
    is_theirs = one is None or job.starter == one.name  # others may wait for it as well
    job_state(
        job,
        "confusions_moved_cancel" if is_theirs else None,
        "Cancelled. Pictures are listed by what is taken back once all were compared.",
    )
    if not job.is_over:
        return
    st.button(
        "Compare pixel by pixel",
        icon=":material/play_arrow:",
        key="confusions_moved_again",
        on_click=lambda: _job.clear(*asked),
    )
