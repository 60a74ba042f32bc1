"""What an experiment stands on: a run, and the three parts of the data that train, choose and report."""

from dataclasses import dataclass, replace

import streamlit as st

from app.analysed import can_be_scored
from app.carried import choose_family, settled, taken_over
from app.catalogue import Catalogue, Entry, Family
from app.datasets import dataset
from app.links import keep, kept
from app.recorded_pictures import Recorded, recorded
from app.shared_state import CHOSEN_DATA, CHOSEN_RUNS
from recam_core.data.spec import KINDS, Spec, parse_spec
from recam_core.errors import UserError
from recam_core.experiments.protocol import PARTS, Protocol, protocol_for

#: By training split: so few of the drawn scenes that an experiment ends within a minute or so on two cores.
QUICK_SCENES = {
    "scenes@train": "scenes:train=300,val=120@train",
    "scenes:stuff=1@train": "scenes:stuff=1,train=300,val=120@train",
}
_REPORT = "@val"
_DATA_HELP = (
    "Heads are trained on four fifths of this split, settings and background thresholds are chosen on the fifth that "
    "is left. The drawn scenes begin with a small set for a first look; the whole split takes two to three times as "
    "long. "
    "Type any other set with masks of the same classes, written as one of\n"
    + "\n".join(f"- `{kind.form}`: {kind.what}" for kind in KINDS.values())
)


@dataclass(frozen=True)
class Setup:
    """The choice.

    Attributes:
        family: of the run.
        entry: the run whose backbone and FC1 everything starts from.
        protocol: which pictures do what.
        exact: score all pixels at the usual scales instead of a sample at scale 1.
    """

    family: Family
    entry: Entry
    protocol: Protocol
    exact: bool

    @property
    def data(self) -> str:
        """The training split as a whole."""
        return whole_split(self.protocol.fit)

    @property
    def missing(self) -> Recorded | None:
        """What the run was trained on, where that is what is chosen and is not on this computer."""
        found = _recorded(self.entry)
        return found if not found.is_here and self.data == found.spec else None

    @property
    def has_background(self) -> bool:
        """Whether the run has a background class, which a row of FC2 can learn."""
        return self.entry.info.has_background

    def pictures(self) -> dict[str, int]:
        """How many pictures each part has. Raises UserError where a part cannot be opened."""
        return {part: len(dataset(spec)) for part, spec in zip(PARTS, self.protocol.to_json().values(), strict=True)}


def whole_split(spec: str) -> str:
    """A specification without the part of its split."""
    parsed = parse_spec(spec)
    return str(Spec(parsed.kind, parsed.root, parsed.split, None))


def choose_setup(catalogue: Catalogue, full: bool = False) -> Setup:
    """Draw the row of choices.

    Args:
        catalogue: the runs to start from.
        full: whether whole networks are trained; those are always scored on every pixel.

    Raises:
        UserError: a specification that cannot be read, or pictures that would both choose and report.
    """
    with st.container(key="lab_setup"):
        family_column, run_column, data_column, report_column = st.columns([1, 1, 1.6, 1.2], gap="medium")
        with family_column:
            family = choose_family(catalogue, "lab_family")
        with run_column:
            entry = _entry(family)
        _take_data(family, entry)
        with data_column:
            data = _data(entry)
        with report_column:
            report = _report(entry)
        protocol = protocol_for(data, report)
        settled(CHOSEN_DATA, family.key, f"lab_carried_{entry.key}", protocol.report)
        if full:
            return Setup(family, entry, protocol, True)
        exact = st.toggle(
            "Score every pixel at the usual scales",
            value=kept("exact") == "1",
            key="lab_exact",
            persist_state="session",
            help="Off, one pixel in 16 is scored, on maps of scale 1 from the kept features: right for comparing "
            "settings, and quick. On, every picture that chooses or reports passes the backbone again at two scales "
            "with its mirror image: minutes, and the scores are those of an evaluation.",
        )
    keep("exact", "1" if exact else "")
    return Setup(family, entry, protocol, exact)


def _entry(family: Family) -> Entry:
    by_key = {entry.key: entry for entry in family.entries}
    usual = (family.by_method("bce") or family.entries[0]).key
    widget = f"lab_run_{family.key}"
    named = kept("run")
    elsewhere = [key for key in taken_over(CHOSEN_RUNS, family.key, "lab_runs", bool(named)) or () if key in by_key]
    shown = st.session_state.get(widget, named)
    if elsewhere and shown not in elsewhere:
        # Of the runs that stand side by side elsewhere, the usual one where it is among them.
        shown = usual if usual in elsewhere else elsewhere[0]
    st.session_state[widget] = shown if shown in by_key else usual
    key = st.selectbox(
        "Features and FC1 of",
        list(by_key),
        format_func=lambda key: by_key[key].title,
        key=widget,
        persist_state="session",
        help="The run whose backbone gives the features, and whose FC1 gives the first masks. It is what every setting "
        "is compared with.",
    )
    keep("run", key, usual)
    return by_key[key]


def _take_data(family: Family, entry: Entry) -> None:
    """Report on the pictures that another page has chosen, and train on the training split beside them."""
    opened_with, _ = st.session_state.setdefault("lab_data_in_address", (entry.key, kept("data")))
    named = opened_with == entry.key and bool(kept("data") or kept("report"))
    spec = taken_over(CHOSEN_DATA, family.key, f"lab_carried_{entry.key}", named)
    if spec is None:
        return
    try:
        parsed = parse_spec(spec)
    except UserError:
        return
    train = str(Spec(parsed.kind, parsed.root, "train", None))
    if parsed.split in (None, "train") or not can_be_scored(family, spec) or not can_be_scored(family, train):
        return  # nothing beside it to train on
    own = _recorded(entry).spec
    st.session_state[f"lab_data_{entry.key}"] = QUICK_SCENES.get(own, own) if train == own else train
    st.session_state[f"lab_report_{entry.key}"] = f"@{parsed.split}" + (f".{parsed.part}" if parsed.part else "")


def _recorded(entry: Entry) -> Recorded:
    """The whole split that the run was trained on, and where it is."""
    found = recorded(entry.info.data, entry.info.class_list)
    try:
        return replace(found, spec=whole_split(found.spec))
    except UserError:
        return found  # of a kind that is not known here: choosing it says so


def _data(entry: Entry) -> str:
    own = _recorded(entry).spec
    key = f"lab_data_{entry.key}"
    # A link or a choice from before they came names them as the record does.
    as_recorded = _as_recorded(entry)
    if st.session_state.get(key) == as_recorded:
        st.session_state[key] = own
    usual = QUICK_SCENES.get(own, own)
    opened_with, named = st.session_state.setdefault("lab_data_in_address", (entry.key, kept("data")))
    named = own if named == as_recorded else named
    begin = named if named and opened_with == entry.key else usual
    if key not in st.session_state:
        st.session_state[key] = begin
    options = list(dict.fromkeys([usual, own, st.session_state[key] or usual]))
    typed = st.selectbox(
        "Train and choose on",
        options,
        accept_new_options=True,
        key=key,
        persist_state="session",
        help=_DATA_HELP,
    )
    data = (typed or "").strip() or usual
    keep("data", data, usual)
    return data


def _as_recorded(entry: Entry) -> str:
    try:
        return whole_split(entry.info.data)
    except UserError:
        return entry.info.data


def _report(entry: Entry) -> str:
    key = f"lab_report_{entry.key}"
    if key not in st.session_state:
        st.session_state[key] = kept("report", _REPORT)
    typed = st.text_input(
        "Report on",
        key=key,
        persist_state="session",
        help="Another split of the same data, such as `@val`, or another data set. Nothing is ever chosen on it, and "
        "the split that chooses is refused here.",
    ).strip()
    keep("report", typed or _REPORT, _REPORT)
    return typed or _REPORT
