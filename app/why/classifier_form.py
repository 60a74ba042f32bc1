"""Which classifier: its architecture, its weights, the names of its classes; and loading it."""

import re

import streamlit as st

from app.guard import sentences
from app.job_progress import job_progress
from app.jobs import FAILED, board
from app.links import keep, kept
from app.plain_words import plain
from app.settings import upload_mb
from app.why.classifiers import MOST_WEIGHTS, Loaded, LoadJob, Wanted, shelf, start_loading

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


def forget_classifier() -> None:
    """What the address says counts, whatever was chosen here before."""
    st.session_state.pop("why_other_name", None)
    st.session_state.pop("why_other_weights", None)
    st.session_state.pop("why_other_loaded", None)


def choose_classifier() -> Loaded | None:
    """Draw the form; None until a classifier is loaded, and the page says why."""
    key = st.session_state.setdefault("why_other_loaded", kept("loaded"))
    loaded = shelf().get(key) if key else None
    with st.expander("The classifier" if loaded is None else "Load another classifier", expanded=loaded is None):
        wanted = _form()
    job = board().find(st.session_state.get("why_other_loading", ""))
    if wanted is not None and (job is None or job.is_over):
        with sentences():
            job = start_loading(wanted)
            st.session_state["why_other_loading"] = job.id
    if isinstance(job, LoadJob):
        if not job.is_over:
            # No button to cancel: neither a download nor a file that is being read can be stopped half-way.
            job_progress(job.id)
            return None
        if job.found:
            st.session_state["why_other_loaded"] = job.found
            del st.session_state["why_other_loading"]
            st.rerun()
        if job.state == FAILED:
            st.error(plain(job.message), icon=":material/error:")
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


def _form() -> Wanted | None:
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
        )  # fmt: skip
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
    return Wanted(name, weights, classes, kind == _RANDOM)


def _about(loaded: Loaded) -> None:
    """What is loaded, in a line."""
    one = loaded.classifier
    st.markdown(
        f"**{plain(one.name)}**, {plain(loaded.weights)}: {len(one.classes):,} classes, looked at in "
        f"{plain(one.layer)}."
    )
    if loaded.untrained:
        st.warning("Random weights: what follows says nothing about the picture.", icon=":material/casino:")
