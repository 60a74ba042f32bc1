"""Classifiers from elsewhere: which one (its architecture, its weights, the names of its classes), and loading it."""

import hashlib
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

import streamlit as st

from app.guard import sentences
from app.job_progress import job_state
from app.jobs import Job, board
from app.links import keep, kept
from app.models import LastUsed, device
from app.plain_words import plain
from app.settings import upload_mb
from recam_core.attribution.classifier import ForeignClassifier, foreign_classifier
from recam_core.attribution.maps import refused_methods

#: Larger ones are left to the command line: 800 MB each, and a job works on a copy.
MOST_WEIGHTS = 200_000_000
#: So many stay in memory.
MOST_LOADED = 3
_FILE, _LIBRARY, _RANDOM = "file", "library", "random"
_WEIGHTS = {_FILE: "A file", _LIBRARY: "Its library's", _RANDOM: "Random"}
_TYPES = ["pth", "pt", "safetensors"]
#: Megabytes of a class list.
_LIST_MB = 4
#: What an architecture can be called; addresses carry it, too.
_NAME = re.compile(r"[A-Za-z]+:[A-Za-z0-9_.-]{1,100}")
_NAME_HELP = (
    "`timm:NAME` or `torchvision:NAME`, as these libraries call it, such as `torchvision:resnet18`, "
    "`torchvision:vit_b_16`, `timm:convnext_tiny`, `timm:vit_small_patch16_224`. Convolutional networks are looked at "
    "in the output of their last stage, transformers in their tokens. At most "
    f"{MOST_WEIGHTS // 1_000_000} million weights; the command `attribute maps --classifier` takes larger ones."
)


@dataclass(frozen=True)
class ClassifierSource:
    """What is to be loaded.

    Attributes:
        name: ``timm:NAME`` or ``torchvision:NAME``.
        weights: a file of them; None downloads the library's own, unless they are to be random.
        classes: a file with one name a line; None takes ImageNet's.
        untrained: with random weights.
    """

    name: str
    weights: BinaryIO | None = None
    classes: BinaryIO | None = None
    untrained: bool = False


@dataclass(frozen=True, eq=False)
class LoadedClassifier:
    """A classifier that can be asked.

    Attributes:
        key: stands for architecture, weights and class names.
        classifier: itself; its own lock is held while it is asked, and long work is done on a copy.
        weights: where its weights come from, in words.
        untrained: whether they are random.
        refused: by method, why it cannot be asked so.
    """

    key: str
    classifier: ForeignClassifier
    weights: str
    untrained: bool
    refused: Mapping[str, str]


#: Held while one is loaded: two at once would take the memory of both.
_LOADING = threading.Lock()


@st.cache_resource(show_spinner=False)
def loaded_classifiers() -> LastUsed[LoadedClassifier]:
    """Those of this server, whoever loaded them."""
    return LastUsed(MOST_LOADED)


@dataclass
class LoadJob(Job):
    """Loading a classifier. It does not hold the files, which may be large and are of no use later.

    Attributes:
        name: of the architecture.
        found: the key of what was loaded, at the end.
    """

    name: str
    found: str = field(default="", kw_only=True)


def _start_loading(wanted: ClassifierSource) -> LoadJob:
    """Load it in the background, beside other work; a download may take minutes."""
    kept = loaded_classifiers()
    return board().start(LoadJob(wanted.name), lambda job: _load(job, wanted, kept), at_once=True)


def _load(job: LoadJob, wanted: ClassifierSource, kept: LastUsed[LoadedClassifier]) -> None:
    with _LOADING:
        job.begin(f"Reading {wanted.name}")
        classifier = foreign_classifier(
            wanted.name, wanted.weights, wanted.classes, untrained=wanted.untrained, most_weights=MOST_WEIGHTS
        )
        parts = [classifier.name, classifier.digest, str(wanted.untrained), *classifier.classes]
        key = hashlib.blake2b("\n".join(parts).encode(), digest_size=12).hexdigest()
        if kept.get(key) is None:
            classifier.to(device())
            job.begin("Which methods it takes, method")
            refused = refused_methods(classifier, job.progress)
            kept.put(key, LoadedClassifier(key, classifier, _words(wanted), wanted.untrained, refused))
        job.found = key


def _words(wanted: ClassifierSource) -> str:
    if wanted.untrained:
        return "random weights"
    return "its library's weights" if wanted.weights is None else f"weights of {wanted.weights.name}"


# The form -------------------------------------------------------------------------------------------------------------


def forget_classifier() -> None:
    """What the address says counts, whatever was chosen here before."""
    st.session_state.pop("why_other_name", None)
    st.session_state.pop("why_other_weights", None)
    st.session_state.pop("why_other_loaded", None)


def choose_classifier() -> LoadedClassifier | None:
    """Draw the form; None until a classifier is loaded, and the page says why."""
    key = st.session_state.setdefault("why_other_loaded", kept("loaded"))
    loaded = loaded_classifiers().get(key) if key else None
    with st.expander("The classifier" if loaded is None else "Load another classifier", expanded=loaded is None):
        wanted = _form()
    job = board().find(st.session_state.get("why_other_loading", ""))
    if wanted is not None and (job is None or job.is_over):
        with sentences():
            job = _start_loading(wanted)
            st.session_state["why_other_loading"] = job.id
    if isinstance(job, LoadJob):
        # No button to cancel: neither a download nor a file that is being read can be stopped half-way.
        if job_state(job):
            st.session_state["why_other_loaded"] = job.found
            del st.session_state["why_other_loading"]
            st.rerun()
        if not job.is_over:
            return None
    if loaded is None:
        keep("loaded", "")
        if key:
            st.info(
                "The classifier that was looked at here is no longer in memory: the lab keeps the last few. Load it "
                "again.",
                icon=":material/inventory_2:",
            )
        return None
    keep("loaded", loaded.key)
    _about(loaded)
    return loaded


def _form() -> ClassifierSource | None:
    """What is to be loaded, where that was just asked for."""
    st.session_state.setdefault("why_other_name", kept("network")[:120])
    named = kept("weights")
    st.session_state.setdefault("why_other_weights", named if named in _WEIGHTS else _FILE)
    left, right = st.columns(2, gap="medium")
    with left:
        name = st.text_input(
            "Architecture", placeholder="torchvision:resnet18", key="why_other_name", persist_state="session",
            help=_NAME_HELP, autocomplete="off", max_chars=120,
        ).strip()  # fmt: skip
        kind = st.segmented_control(
            "Weights", list(_WEIGHTS), format_func=_WEIGHTS.__getitem__, required=True, key="why_other_weights",
            persist_state="session", help="Its library's are downloaded, which needs a connection.",
        ) or _FILE  # fmt: skip
        if kind == _RANDOM:
            st.warning(
                "A network with random weights has learned nothing: its maps show what the architecture does by "
                "itself, and nothing about the picture.",
                icon=":material/casino:",
            )
    with right:
        weights = None
        if kind == _FILE:
            weights = st.file_uploader(
                "File of weights", type=_TYPES, key="why_other_file",
                help=f"A state dict, at most {upload_mb()} MB. It is read without running anything in it.",
            )  # fmt: skip
        classes = st.file_uploader(
            "Class list (optional)", type="txt", max_upload_size=_LIST_MB, key="why_other_classes",
            help="One name a line, in the order of the logits. Left out, the names are ImageNet's 1,000.",
        )  # fmt: skip
    keep("network", name)
    keep("weights", kind, _FILE)
    is_ready = bool(name) and (kind != _FILE or weights is not None)
    if not st.button("Load", type="primary", icon=":material/download:", key="why_other_load", disabled=not is_ready):
        if not is_ready:
            st.caption("Name an architecture" + (", and give a file of its weights." if kind == _FILE else "."))
        return None
    if not _NAME.fullmatch(name):
        st.error(
            plain("A classifier is named timm:NAME or torchvision:NAME, such as torchvision:resnet18."),
            icon=":material/error:",
        )
        return None
    return ClassifierSource(name, weights, classes, kind == _RANDOM)


def _about(loaded: LoadedClassifier) -> None:
    """What is loaded, in a line."""
    one = loaded.classifier
    st.markdown(
        f"**{plain(one.name)}**, {plain(loaded.weights)}: {len(one.classes):,} classes, looked at in "
        f"{plain(one.layer)}."
    )
    if loaded.untrained:
        st.warning("Random weights: what follows says nothing about the picture.", icon=":material/casino:")
