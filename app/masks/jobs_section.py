"""What is done to all pictures, in the queue: learning boundaries, making masks, training a network on them, or all."""

import dataclasses
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import streamlit as st

from app.catalogue import Catalogue, Entry
from app.datasets import dataset
from app.guard import sentences
from app.links import TRAINING, keep
from app.masks.jobs_trial import ToTry, cost_words, selected, trial_of
from app.plain_words import plain
from app.recipe_fields import rule_name
from app.shared_state import MY_TRAININGS
from app.trainings.details import details
from app.trainings.queue import queue, send_queue_style
from app.trainings.starts import Start, starts
from app.visitors import may_train, visitor, visitor_address
from recam_core.attribution.table import METHODS as ATTRIBUTIONS
from recam_core.checkpoint.run_folder import read_info
from recam_core.device import device_names
from recam_core.errors import UserError
from recam_core.folders import data_root
from recam_core.guest import NO_TRAININGS
from recam_core.method.extraction import RULES
from recam_core.pipeline.plan import PRESETS as PIPELINES
from recam_core.pipeline.plan import PipelinePlan, notes_of_plan, steps_of
from recam_core.queue.job import KindName
from recam_core.queue.kinds import BOUNDARIES, MASKS, NETWORK, PIPELINE
from recam_core.queue.listing import Training, list_trainings
from recam_core.queue.reserved import has_record
from recam_core.queue.start_step import (
    Step,
    boundaries_step,
    masks_step,
    network_step,
    pipeline_step,
    start_step,
)
from recam_core.records import RecordError, opened_record
from recam_core.refine.boundaries import SMALL, BoundaryRecipe, usual_thresholds
from recam_core.refine.finishes import FINISHES
from recam_core.refine.known_boundaries import boundaries_of_run
from recam_core.refine.trial import label_route
from recam_core.refine.ways import WAYS, Route
from recam_core.retrain.named_run import free_run_name
from recam_core.segment.networks import NETWORKS
from recam_core.segment.recipe import PRESETS as NETWORK_PRESETS

#: What the section starts -> how the choice calls it, and what it is.
_STEPS: dict[KindName, tuple[str, str]] = {
    BOUNDARIES: (
        "Boundaries",
        "Two heads on a run's backbone learn where objects end from what its seeds are sure of.",
    ),
    MASKS: ("Masks", "Every picture of a data set gets its mask, written as a data set of its own, which opens here."),
    NETWORK: ("Network", "A segmentation network learns from such masks."),
    PIPELINE: ("All of it", "From image-level labels to a scored network, for BCE-CAM and ReCAM, each step once."),
}
_PRESETS = {"small": "small (no GPU)", "paper": "as published"}
#: Where a run does not say which background threshold suits its seeds.
_USUAL_SEEDS = 0.3


@dataclass(frozen=True)
class _Asked:
    """What the form asks for: the step, and what may be tried before."""

    step: Step
    to_try: ToTry | None = None


def jobs_section(catalogue: Catalogue, entry: Entry | None = None) -> None:
    """Draw the form, and the queue of what it started.

    Args:
        catalogue: of the runs.
        entry: the run that the page is about, to begin with.
    """
    send_queue_style()
    st.subheader("All pictures, in the queue", anchor=False)
    if not may_train():
        st.info(NO_TRAININGS, icon=":material/lock:")
        return
    with st.container(border=True, key="masks_jobs_form"):
        with sentences():
            _form(starts(catalogue), _thresholds(catalogue), entry)
    queue("masks", only=tuple(_STEPS))
    details("masks")


def _thresholds(catalogue: Catalogue) -> dict[str, float]:
    """By a run's key, the background threshold that was chosen for its seeds, where one was."""
    entries = [entry for family in catalogue.families for entry in family.entries]
    return {entry.key: entry.info.threshold for entry in entries if entry.info.threshold is not None}


def _form(found: Mapping[str, Start], thresholds: Mapping[str, float], entry: Entry | None) -> None:
    kind = st.segmented_control(
        "Step", list(_STEPS), default=BOUNDARIES, required=True, format_func=lambda one: _STEPS[one][0],
        key="masks_jobs_step", persist_state="session",
    )  # fmt: skip
    st.caption(_STEPS[kind][1])
    if kind in (BOUNDARIES, MASKS):
        start = _run(found, entry)
        asked = (_boundaries if kind == BOUNDARIES else _masks)(start, thresholds.get(start.key))
    else:
        asked = _network() if kind == NETWORK else _pipeline(entry)
    _start(asked)


def _run(found: Mapping[str, Start], entry: Entry | None) -> Start:
    """The run that makes the maps; it may still be in the queue."""
    if not found:
        raise UserError("There are no runs yet: the page Training makes one.")
    keys = list(found)
    first = keys.index(entry.key) if entry is not None and entry.key in found else 0
    key = st.selectbox(
        "Run", keys, index=first, format_func=lambda one: found[one].title,
        key=f"masks_jobs_run_{keys[first]}", persist_state="session",
        help="Whose maps are the seeds. One that is still in the queue is waited for.",
    )  # fmt: skip
    return found[key]


def _data(label: str, usual: str, key: str, help: str = "") -> str:
    return st.text_input(
        label, value=usual, key=f"masks_jobs_{key}", persist_state="session",
        help=help or "Such as `scenes@train`, `voc:FOLDER@train` or `folder:FOLDER`.",
    ).strip()  # fmt: skip


def _has_background(start: Start, data: str) -> bool:
    try:
        return dataset(data).classes.has_background
    except UserError:
        return start.has_background  # a name that is still being typed; starting says what is wrong with it


def _finish(place: st.delta_generator.DeltaGenerator, key: str, help: str) -> str:
    return place.selectbox(
        "Finish", list(FINISHES), index=list(FINISHES).index("pamr"), format_func=lambda one: FINISHES[one].title,
        key=f"masks_jobs_{key}", persist_state="session", help=help,
    )  # fmt: skip


def _preset(place: st.delta_generator.DeltaGenerator, key: str, help: str) -> str:
    return place.segmented_control(
        "Preset", list(_PRESETS), default="small", required=True, format_func=_PRESETS.__getitem__,
        key=f"masks_jobs_{key}", persist_state="session", help=help,
    )  # fmt: skip


# Boundaries -----------------------------------------------------------------------------------------------------------


def _boundaries(start: Start, seeds_at: float | None) -> _Asked:
    left, middle, right = st.columns(3, gap="medium")
    with left:
        data = _data("Pictures", start.data or "scenes@train", f"boundaries_data_{start.key}")
    preset = _preset(middle, "boundaries_preset", "Crops of 512 pixels, 32 a batch, or of 224 and 16.")
    epochs = int(right.number_input("Epochs", 1, 100, 3, key="masks_jobs_boundaries_epochs", persist_state="session"))
    finish = _finish(left, "boundaries_finish", "What makes the labels follow contours.")
    has_background = _has_background(start, data)
    usual = usual_thresholds(_USUAL_SEEDS if seeds_at is None else seeds_at)
    foreground = middle.slider(
        "A class above", 0.01, 0.99, usual[0], 0.01, key=f"masks_jobs_foreground_{start.key}", persist_state="session",
        help="The threshold of the seeds plus 0.12, unless you choose another one.",
    )  # fmt: skip
    background = 0.01
    if has_background:
        background = right.slider(
            "Background up to", 0.01, 0.99, usual[1], 0.01, key=f"masks_jobs_background_{start.key}",
            persist_state="session", help="The threshold of the seeds minus 0.10, unless you choose another one.",
        )  # fmt: skip
        if seeds_at is None:
            st.caption(f"The run does not say which threshold suits its seeds; {_USUAL_SEEDS:.2f} is taken.")
    recipe = BoundaryRecipe(foreground, background, finish, epochs)
    if preset == "small":
        recipe = dataclasses.replace(recipe, batch_size=SMALL[0], crop=SMALL[1])
    # Other thresholds cost the same, and are looked at on the pictures that were tried.
    learnt = dataclasses.replace(recipe, foreground=0.5, background=0.5)
    to_try = ToTry(data, start.path, label_route(finish), learnt=learnt) if has_record(start.path) else None
    step = boundaries_step(
        start.path, data, foreground=foreground, background=background, finish=finish, preset=preset, epochs=epochs
    )
    return _Asked(step, to_try)


# Masks ----------------------------------------------------------------------------------------------------------------

_SELECTED, _GIVEN = "chosen on pictures", "given"


def _masks(start: Start, seeds_at: float | None) -> _Asked:
    left, middle, right = st.columns(3, gap="medium")
    with left:
        data = _data("Pictures", start.data or "scenes@train", f"masks_data_{start.key}")
    found = _boundaries_of(start)
    way = middle.selectbox(
        "Way", [one for one in WAYS if found or not WAYS[one].walks], format_func=lambda one: WAYS[one].title,
        key=f"masks_jobs_way_{bool(found)}", persist_state="session",
        help="\n".join(f"- **{WAYS[one].title}**: {WAYS[one].about}" for one in WAYS) + "\n\nA walk needs boundaries.",
    )  # fmt: skip
    finish = _finish(right, "masks_finish", "What follows upon the scores of the way.")
    boundaries = None
    if WAYS[way].walks:
        boundaries = left.selectbox(
            "Boundaries", found, format_func=lambda one: one.name, key=f"masks_jobs_edges_{start.key}",
            persist_state="session", help="Learnt on this run's features, or in the queue still, which is waited for.",
        )  # fmt: skip
    threshold, select = None, ""
    if _has_background(start, data):
        stem, at, split = data.rpartition("@")
        how = middle.segmented_control(
            "Background threshold", [_SELECTED, _GIVEN], default=_SELECTED, required=True,
            key="masks_jobs_threshold_by", persist_state="session",
            help="One that suits the seeds does not suit what is made of them.",
        )  # fmt: skip
        if how == _SELECTED:
            with right:
                usual = f"{stem}@{split}.select" if at and "." not in split else ""
                select = _data("Chosen on", usual, f"select_{data}", "Pictures with ground truth, a part of train.")
            if not select:
                raise UserError("Name pictures with ground truth to choose the background threshold on.")
        else:
            usual_threshold = _USUAL_SEEDS if seeds_at is None else seeds_at
            threshold = right.slider("Threshold", 0.0, 1.0, usual_threshold, 0.01, key="masks_jobs_threshold")
    step = masks_step(
        start.path, data, way=way, finish=finish, boundaries=boundaries, threshold=threshold, select=select,
        beside_seeds=_has_masks(data),
    )  # fmt: skip
    is_there = has_record(start.path) and (boundaries is None or has_record(boundaries))
    return _Asked(step, ToTry(data, start.path, Route(way, finish), boundaries) if is_there else None)


def _has_masks(data: str) -> bool:
    try:
        return dataset(data).has_masks
    except UserError:
        return False


def _boundaries_of(start: Start) -> list[Path]:
    """Folders of boundaries of a run: those that are there, and those in the queue that will be."""
    waiting = [one.out for one in _live(BOUNDARIES) if Path(one.job.init) == start.path.absolute()]
    there = []
    if has_record(start.path):
        there = [one.folder.absolute() for one in boundaries_of_run(read_info(start.path).weights_sha256)]
    return list(dict.fromkeys([*there, *waiting]))


def _live(kind: str) -> list[Training]:
    return [one for one in list_trainings() if one.is_live and one.job.kind == kind]


# A network ------------------------------------------------------------------------------------------------------------


def _network() -> _Asked:
    waiting = {one.out: one.job.data for one in _live(MASKS)}
    there = {file.parent: _made_of(file) for file in sorted(data_root().absolute().glob("*/masks.json"))}
    found = {**there, **waiting}
    left, middle, right = st.columns(3, gap="medium")
    masks = left.selectbox(
        "Masks", [*found, None], format_func=lambda one: "the ground truth" if one is None else one.name,
        key=f"masks_jobs_network_masks_{len(found)}", persist_state="session",
        help="Made by the step before, or in the queue still, which is waited for. Ground truth gives an upper bound.",
    )  # fmt: skip
    with left:
        data = _data(
            "Pictures",
            (found[masks] if masks else "") or "scenes@train",
            f"network_data_{masks}",
            "Those of the masks.",
        )
    preset = _preset(middle, "network_preset", "Published: DeepLabV2 with ResNet-101, 20,000 steps of 10 pictures.")
    recipe = NETWORK_PRESETS[preset]
    network = right.selectbox(
        "Network", list(NETWORKS), index=list(NETWORKS).index(recipe.network),
        format_func=lambda one: NETWORKS[one].title, key=f"masks_jobs_network_{preset}", persist_state="session",
        help="ImageNet weights of all but EfficientNet-Lite0 are downloaded.",
    )  # fmt: skip
    steps = int(
        middle.number_input(
            "Steps", 1, 1_000_000, recipe.steps, key=f"masks_jobs_steps_{preset}", persist_state="session"
        )
    )
    recipe = dataclasses.replace(recipe, network=network, steps=steps)
    step = network_step(data, masks=masks, preset=preset, network=network, steps=steps)
    return _Asked(step, ToTry(data, network=recipe))


def _made_of(record: Path) -> str:
    """The pictures that masks are of; "" of a damaged record."""
    try:
        with opened_record(record) as values:
            return str(values["data"])
    except RecordError:
        return ""


# All of it ------------------------------------------------------------------------------------------------------------


def _pipeline(entry: Entry | None) -> _Asked:
    usual = entry.info.data if entry is not None and entry.info.data else "scenes@train"
    stem, at, split = usual.rpartition("@")
    of_train = at and split.startswith("train")
    # A row of fields after the other, in the order in which a narrow window stacks them.
    left, middle, right = st.columns(3, gap="medium")
    with left:
        data = _data("Training pictures", usual, f"pipeline_data_{usual}")
    with middle:
        select = _data(
            "Thresholds chosen on", f"{stem}@{split}.select" if of_train and "." not in split else "",
            f"pipeline_select_{usual}", "Pictures with ground truth, a part of train; for data with a background.",
        )  # fmt: skip
    with right:
        val = _data(
            "Scored on", f"{stem}@val" if of_train else "", f"pipeline_val_{usual}", "Others with ground truth."
        )
    left, right = st.columns(2, gap="medium")
    preset = left.selectbox(
        "Preset", list(PIPELINES), index=list(PIPELINES).index("small"), key="masks_jobs_pipeline_preset",
        persist_state="session", help="\n".join(f"- **{one}**: {PIPELINES[one].about}" for one in PIPELINES),
    )  # fmt: skip
    attributions = [f"{method}-{head}" for method in ATTRIBUTIONS for head in ("fc1", "fc2")]
    rule = right.selectbox(
        "Seeds", ["", *RULES, *attributions], format_func=_seed_words, key="masks_jobs_pipeline_rule",
        persist_state="session",
        help="An extraction rule makes the maps of ReCAM; those of BCE-CAM are CAMs of FC1. An attribution method "
        "makes the seeds of every method that has the head; FC2 is ReCAM's alone.",
    )  # fmt: skip
    left, right = st.columns(2, gap="medium")
    way = left.selectbox(
        "Way", list(WAYS), index=list(WAYS).index("irn"), format_func=lambda one: WAYS[one].title,
        key="masks_jobs_pipeline_way", persist_state="session",
        help="\n".join(f"- **{WAYS[one].title}**: {WAYS[one].about}" for one in WAYS),
    )  # fmt: skip
    finish = _finish(right, "pipeline_finish", "What follows upon the scores of the way, and upon the seeds beside it.")
    edges = "boundaries, " if WAYS[way].walks else ""
    if WAYS[way].climbs or rule in attributions:
        takes = "AdvCAM and attributions take many passes a picture: the command below, with --dry-run, tells how long."
    else:
        takes = (
            "On two cores the preset small takes minutes for drawn scenes and up to an hour for the VOC animals; the "
            "published ones take days on a GPU."
        )
    st.caption(
        f"Two trainings, then for each thresholds, {edges}masks and a network. {takes} Each step says how long it "
        "takes once it has begun."
    )
    plan = PipelinePlan(
        data, data_root(), preset, select or None, val or None, rule=rule or None, way=way, finish=finish
    )
    if rule in attributions:
        with suppress(UserError):  # a name that is still being typed; starting says what is wrong with it
            for note in notes_of_plan(plan, dataset(data)):
                st.warning(plain(note))
    step = pipeline_step(
        data, preset=preset, select=select, val=val, rule=rule, way=way, finish=finish, check=partial(steps_of, plan)
    )
    return _Asked(step)


def _seed_words(rule: str) -> str:
    if not rule:
        return "CAM, as usual for each method"
    if rule in RULES:
        return f"CAM, {rule_name(rule)}"
    method, _, head = rule.partition("-")
    return f"{ATTRIBUTIONS[method].title}, {head.upper()}"


# Starting -------------------------------------------------------------------------------------------------------------


def _start(asked: _Asked) -> None:
    step = asked.step
    trial = trial_of(asked.to_try) if asked.to_try is not None else None
    if trial is not None:
        st.markdown(cost_words(trial))
    if trial is not None and trial.trial is not None and step.kind == BOUNDARIES:
        words = dict(word.removeprefix("--").split("=", 1) for word in step.words if "=" in word)
        names = dataset(step.data).classes.names
        selected(trial.trial, float(words["foreground"]), float(words["background"]), names)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        free = free_run_name(f"my-{step.kind}", step.place)
        typed = st.text_input(
            "Name of the result", placeholder=free, key=f"masks_jobs_name_{step.kind}", persist_state="session",
            help="Left empty, it is the one that stands there in grey.",
        )  # fmt: skip
        device = _device()
        pressed = st.button("Start", type="primary", icon=":material/play_arrow:", key="masks_jobs_start")
    name = typed.strip() or free
    st.caption("The same from the command line; with `trainings start` before the command it goes into the queue:")
    st.code(step.command(name), language="bash", wrap_lines=True)
    if pressed:
        with sentences(), st.spinner("Checking the pictures, and starting"):
            started = start_step(step, name, device=device, visitor=visitor(), address=visitor_address()).id
            MY_TRAININGS.setdefault(set()).add(started)
            keep(TRAINING, started)
            st.rerun()


def _device() -> str:
    """The queue to stand in; asked only where there are several."""
    devices = device_names()
    if len(devices) == 1:
        return devices[0]
    return st.selectbox("Device", devices, key="masks_jobs_device", persist_state="session", width=130)
