"""What several pages keep in the session: every such entry, with its type, who writes it and who reads it.

Any other key, of the session or of a widget, begins with the name of its page (``explore_``, ``confusions_``,
``masks_``, ``lab_``, ``training_``, ``results_``, ``runs_``, ``about_``, ``data_``, ``why_``, ``theory_``), and a part
that several pages draw is handed the name.
So no two pages can mean different things by one key; tests/test_state_keys.py holds it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import streamlit as st

from recam_core.data.sample import ClassList

#: In the place of a threshold: each method its own.
OWN_THRESHOLD = "own"
T = TypeVar("T")


@dataclass(frozen=True)
class Shared(Generic[T]):
    """One entry of the session that more than one page uses.

    Attributes:
        key: its name in the session; a widget that shows the entry has it as its key.
    """

    key: str

    def get(self, usual: T) -> T:
        """The value; ``usual`` where there is none."""
        return st.session_state.get(self.key, usual)

    def set(self, value: T) -> None:
        """Keep a value."""
        st.session_state[self.key] = value

    def setdefault(self, usual: T) -> T:
        """The value, after ``usual`` was kept where there was none."""
        return st.session_state.setdefault(self.key, usual)

    def pop(self, usual: T) -> T:
        """Take the value out; ``usual`` where there is none."""
        return st.session_state.pop(self.key, usual)


#: The pages by their names, as ``st.switch_page`` takes them. Written by every run of the app, read by links.
PAGES: Shared[Mapping[str, Any]] = Shared("shared_pages")
#: Whether the address of Explore counts more than what the session remembers of it. Written by any page that opens a
#: picture there, taken by Explore.
ARRIVING: Shared[bool] = Shared("shared_arriving")
#: The same of the page Why: written by any page that asks there, taken by Why.
WHY_ARRIVING: Shared[bool] = Shared("shared_why_arriving")
#: Whether the cell in the address of Confusions counts more than the one that was chosen there. Written by Why, taken
#: by Confusions.
CELL_ARRIVING: Shared[bool] = Shared("shared_cell_arriving")
#: The question that the Lab asks, a key of ``recam_core.experiments.questions.QUESTIONS``. Its own choice, also
#: set by a grid's card in the queue of Training.
LAB_KIND: Shared[str] = Shared("shared_lab_kind")
#: How deep the Lab's grids go, ``heads`` or ``full``. As ``LAB_KIND``.
LAB_DEPTH: Shared[str] = Shared("shared_lab_depth")
#: The families, data, runs, threshold and picture that were chosen last, as :mod:`app.carried` takes them from page to
#: page: by Explore, Confusions, Lab and Runs. The family's key, under "".
CHOSEN_FAMILY: Shared[Mapping[str, str]] = Shared("shared_family")
#: By family: the specification of the data set.
CHOSEN_DATA: Shared[Mapping[str, str]] = Shared("shared_data")
#: By family: the keys of the runs that stand side by side.
CHOSEN_RUNS: Shared[Mapping[str, tuple[str, ...]]] = Shared("shared_runs")
#: By "background" or "labels", as classes have a background or not: one threshold for all, or "own": each its own (and
#: without a background, none).
CHOSEN_THRESHOLD: Shared[Mapping[str, float | str]] = Shared("shared_threshold")
#: By the specification of a data set: the id of the picture. Of Explore, Why, Theory and the Lab.
CHOSEN_PICTURE: Shared[Mapping[str, str]] = Shared("shared_picture")
#: A family's key and a photo of one's own (an ``app.pictures.Picture``), with its mask if it has one, in that family's
#: classes. Written by Explore when it is asked why, read by Why.
WHY_PHOTO: Shared[tuple[str, Any]] = Shared("shared_why_photo")
#: Ids of the trainings that this session started. Written and read by Training and the Lab, which both show the queue.
MY_TRAININGS: Shared[set[str]] = Shared("shared_my_trainings")
#: Keys of runs that stand side by side when Runs opens next. Written by Results, taken by Runs.
TO_COMPARE: Shared[Sequence[str]] = Shared("shared_to_compare")
#: Jobs (``app.jobs.Job``) that ran when the page being drawn looked at them. Written by any page, taken at its end.
SEEN_RUNNING: Shared[list[Any]] = Shared("shared_seen_running")
#: Specifications of pictures to train on and of pictures to watch, "" for none. Written by Data, taken by Training.
TRAIN_ON: Shared[tuple[str, str]] = Shared("shared_train_on")

#: Uploads that were decoded, by their content: the picture, or what is wrong with it. Written and read where any page
#: takes a photo (:mod:`app.pictures`).
UPLOADED: Shared[dict[tuple[Any, ...], Any]] = Shared("shared_uploaded")

#: Stands for the visitor where the address of the browser does not, as on the own machine (:mod:`app.visitors`).
VISITOR: Shared[str] = Shared("shared_visitor")


def threshold_scope(classes: ClassList) -> str:
    """The scope of :data:`CHOSEN_THRESHOLD` for these classes: a threshold means another thing without a background."""
    return "background" if classes.has_background else "labels"
