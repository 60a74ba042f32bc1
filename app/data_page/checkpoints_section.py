"""Checkpoints from elsewhere: a run's zip, or weights that were trained by another program."""

from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from app.guard import sentences
from app.links import open_explore
from app.plain_words import plain
from app.recorded_pictures import recorded
from app.run_zip import run_zip_form
from app.settings import upload_mb
from recam_core.checkpoint.foreign import ImportSettings, import_command, import_weights, save_imported
from recam_core.checkpoint.published import typed_names
from recam_core.checkpoint.run_folder import read_info
from recam_core.file_reader import file_text
from recam_core.folders import runs_folder
from recam_core.retrain.named_run import check_run_name, free_run_name
from recam_core.typed_path import plain_name

_ZIP, _WEIGHTS = "zip", "weights"
_SOURCES = {_ZIP: "A run's zip", _WEIGHTS: "Weights (.pth, .pt, .safetensors)"}
_TYPES = ["pth", "pt", "safetensors"]
_METHODS = {"bce": "binary cross-entropy (sigmoid)", "sce": "softmax cross-entropy"}
_BACKGROUND = {True: "are background", False: "do not exist"}
#: Bytes and megabytes of a list of classes.
_MOST_NAMES, _NAMES_MB = 100_000, 1


@dataclass(frozen=True)
class _Done:
    """What was imported last: the run's name, and a sentence for each thing that was decided or left out."""

    name: str
    notes: tuple[str, ...] = ()


def checkpoints_section() -> None:
    """Draw the section."""
    st.subheader("Your own checkpoints")
    source = st.segmented_control(
        "Import from",
        list(_SOURCES),
        default=_ZIP,
        required=True,
        format_func=_SOURCES.__getitem__,
        key="data_checkpoint_from",
        persist_state="session",
    )
    if source == _ZIP:
        path = run_zip_form("data")
        if path is not None:
            _finish(_Done(path.name))
    else:
        _weights_form()
    _done()


def _weights_form() -> None:
    st.caption(
        "A state dict of the published ReCAM code, or of any backbone of this lab with one linear or 1x1 convolutional "
        "classifier. No code in the file is run."
    )
    version = st.session_state.get("data_weights_imported", 0)
    left, right = st.columns(2, gap="medium")
    with left:
        file = st.file_uploader("Weights", type=_TYPES, key=f"data_weights_{version}", help=_size_help())
        typed = st.text_area(
            "Classes of the classifier's rows",
            placeholder="cat, dog, horse",
            key="data_class_names",
            persist_state="session",
            help="In the order of the rows, with commas or line ends between them; `voc` and `coco` stand for theirs. "
            "Put `background` where the classifier has a row for it. Left empty, VOC's or COCO's are taken if their "
            "number fits.",
        )
        listed = st.file_uploader(
            "Or classes.txt", type="txt", max_upload_size=_NAMES_MB, key=f"data_class_file_{version}"
        )
    with right:
        background = st.selectbox(
            "Pixels of no class",
            list(_BACKGROUND),
            format_func=_BACKGROUND.__getitem__,
            key="data_has_background",
            persist_state="session",
            help="As in VOC and COCO they are background. In a set such as MSRC every pixel has a class.",
        )
        method = st.selectbox(
            "Trained with", list(_METHODS), format_func=_METHODS.__getitem__, key="data_method", persist_state="session"
        )
        data = st.text_input(
            "Pictures to open it with (optional)",
            placeholder="voc:FOLDER@val",
            key="data_of_weights",
            persist_state="session",
            help="A data set that it knows. Its classes are taken where none are typed.",
        ).strip()
    with st.expander("Backbone, second classifier"):
        one, two, three = st.columns(3, gap="medium")
        backbone = one.text_input(
            "Backbone",
            placeholder="found by its weights",
            key="data_backbone",
            help="`resnet50`, or the name of a convolutional timm model, such as `resnet18` or `convnext_tiny`.",
        ).strip()
        stride = two.selectbox(
            "Output stride",
            [16, 8, 32],
            key="data_stride",
            help="Pixels of the photo a cell of the map. Weights do not tell it; 16 is the paper's.",
        )
        classifier = three.text_input(
            "Classifier's weight", placeholder="found", key="data_classifier", help="Its name, where there are several."
        ).strip()
        fc2 = st.file_uploader("FC2, a ReCAM's second classifier", type=_TYPES, key=f"data_fc2_{version}")
    own = plain_name(Path(file.name).stem, "imported") if file is not None else "imported"
    free = free_run_name(own, runs_folder())
    name = st.text_input("Name of the run", placeholder=free, key="data_run_name", autocomplete="off").strip() or free
    if not (st.button("Import", type="primary", disabled=file is None, key="data_weights_now") and file is not None):
        return
    with sentences(), st.spinner("Reading the weights"):
        name = check_run_name(name, runs_folder())
        settings = ImportSettings(
            classes=_names(typed, listed),
            has_background=None if background else False,
            backbone=backbone,
            output_stride=int(stride),
            classifier=classifier,
            method=method,
            data=data,
        )
        imported = import_weights(file, name, settings, fc2)
        imported.info.command = import_command(file, f"runs/{name}", settings, fc2)
        save_imported(runs_folder() / name, imported)
        st.session_state["data_weights_imported"] = version + 1
        _finish(_Done(name, imported.notes))


def _names(typed: str, listed: st.runtime.uploaded_file_manager.UploadedFile | None) -> tuple[str, ...] | None:
    """The class names, of the file where there is one; None where none were given."""
    if listed is not None:
        return typed_names(file_text(listed, _MOST_NAMES), a_line=True)
    return typed_names(typed) if typed.strip() else None


def _size_help() -> str:
    return (
        f"At most {upload_mb()} MB; `python -m recam_core checkpoint import WEIGHTS --out runs/NAME` takes larger ones."
    )


def _finish(done: _Done) -> None:
    """Say what was imported when the page is drawn next, with its uploaders empty."""
    st.session_state["data_done"] = done
    st.rerun()


def _done() -> None:
    done = st.session_state.get("data_done")
    if done is None:
        return
    path = runs_folder() / done.name
    if not path.is_dir():
        return  # renamed or deleted meanwhile
    st.success(f"Imported as the run **{plain(done.name)}**; every page has it now.", icon=":material/bookmark_added:")
    for note in done.notes:
        st.caption(plain(note))
    if st.button("Open it in Explore", icon=":material/compare:", key="data_open_run"):
        with sentences():
            info = read_info(path)
            data = recorded(info.data, info.class_list).spec if info.data else "gallery"
            open_explore(data=data, picture="", runs=[f"run/{done.name}"])
