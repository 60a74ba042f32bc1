"""Settings of a new training, the command line that means the same, and the button."""

import dataclasses
from pathlib import Path

import streamlit as st

from app.catalogue import Catalogue
from app.datasets import notes_of_set
from app.guard import sentences
from app.plain_words import plain
from app.recipe_fields import background_fields, number_field, preset_field, rule_field
from app.settings import METHOD_TITLES
from app.shared_state import TRAIN_ON
from app.trainings.starts import Start, starts
from app.visitors import visitor, visitor_address
from recam_core.device import device_names
from recam_core.errors import UserError
from recam_core.folders import runs_folder
from recam_core.method.background import USUAL_BACKGROUND_RULE
from recam_core.method.extraction import rules_of
from recam_core.method.masks import MASKS
from recam_core.queue.start import start_training, training_command
from recam_core.retrain.named_run import free_run_name
from recam_core.setting import settings
from recam_core.train.recipe import METHODS, Recipe, preset

_ABOUT = {
    "bce": "Binary cross-entropy, equation 1: the ordinary CAM, and the start of a ReCAM.",
    "sce": "Softmax cross-entropy with the target spread over the present classes.",
    "recam": "Equation 6, L_bce + λ L_sce, from a converged BCE run.",
}
_IMAGENET = "ImageNet weights"


def start_form(catalogue: Catalogue) -> str | None:
    """Draw the form; returns the id of a training that was just started."""
    found = starts(catalogue)
    method = st.segmented_control(
        "Method",
        list(METHODS),
        default="bce",
        required=True,
        format_func=METHOD_TITLES.__getitem__,
        key="training_method",
        persist_state="session",
    )
    st.caption(_ABOUT[method])
    left, middle, right = st.columns(3, gap="medium")
    start = _start_from(left, method, found)
    chosen = preset_field(
        middle,
        "training_preset",
        "Where all other settings come from: the published schedule (ResNet-50, 512-pixel crops), or a small "
        "network that converges in a quarter of an hour on 2 CPU cores. Where the pictures have a background class, "
        "the small one gives FC2 a background row.",
    )
    has_background = start is not None and start.has_background
    recipe = preset(method, chosen, has_background)
    if start is not None:
        recipe = dataclasses.replace(recipe, backbone=start.backbone, output_stride=start.output_stride)
    data, val = _pictures(start, left, middle)
    _say_notes(data, val)
    recipe = _numbers(recipe, f"{method}_{chosen}", right)
    if method == "recam":
        recipe = _recam(recipe, chosen, has_background, left, middle, right)
    device = _device(right)
    free = free_run_name(f"my-{method}", runs_folder())
    typed = st.text_input(
        "Name of the new run",
        placeholder=free,
        key="training_name",
        persist_state="session",
        help="Left empty, it is the one that stands there in grey.",
    )
    name = typed.strip() or free
    init = None if start is None else start.path
    pressed = st.button("Start training", type="primary", icon=":material/play_arrow:", key="training_start")
    st.caption("The same run from the command line; put `trainings start` in the place of `train` for the queue:")
    st.code(training_command(recipe, data=data, name=name, val=val, init=init), language="bash", wrap_lines=True)
    if pressed:
        with sentences():
            return _start(recipe, data, val, name, init, device)
    return None


def _start(recipe: Recipe, data: str, val: str, name: str, init: Path | None, device: str) -> str:
    if recipe.method == "recam" and init is None:
        raise UserError("ReCAM starts from a converged BCE run; train one first, and start from it.")
    with st.spinner("Checking the pictures, and starting"):
        return start_training(
            recipe,
            data=data,
            val=val,
            name=name,
            init=init,
            device=device,
            visitor=visitor(),
            address=visitor_address(),
        ).id


def _start_from(column: st.delta_generator.DeltaGenerator, method: str, found: dict[str, Start]) -> Start | None:
    """The run whose weights the training begins with; None for ImageNet's."""
    if method == "recam":
        # A converged classifier is what the masks are made with, so a BCE run comes first.
        choices = sorted(found, key=lambda key: found[key].method != "bce")
    else:
        choices = ["", *found]
    if not choices:
        column.info("There is no run to start from yet: train a BCE-CAM first.", icon=":material/info:")
        return None
    key = column.selectbox(
        "Start from",
        choices,
        format_func=lambda key: found[key].title if key in found else _IMAGENET,
        key=f"training_from_{'recam' if method == 'recam' else 'other'}",
        persist_state="session",
        help="A run gives its backbone and classifiers; its classes must be those of the pictures. One that is still "
        "in the queue is waited for.",
    )
    return found.get(key)


def _say_notes(*specs: str) -> None:
    """What was decided about the pictures that their files do not state, before hours are spent on it."""
    for spec in specs:
        try:
            notes = notes_of_set(spec) if spec else ()
        except UserError:
            return  # a name that is still being typed; starting says what is wrong with it
        for note in notes:
            st.caption(f":material/info: {plain(note)}")


def _pictures(
    start: Start | None, left: st.delta_generator.DeltaGenerator, middle: st.delta_generator.DeltaGenerator
) -> tuple[str, str]:
    """Specifications of the pictures to train on and to watch."""
    usual = "scenes@train" if start is None or not start.data else start.data
    key = "" if start is None else start.key
    if (wanted := TRAIN_ON.pop(("", "")))[0]:
        # Chosen on another page; before the fields are drawn, whose values cannot be set afterwards.
        st.session_state[f"training_data_{key}"], st.session_state[f"training_val_{key}"] = wanted
    data = left.text_input(
        "Training pictures",
        value=usual,
        key=f"training_data_{key}",
        persist_state="session",
        help="Such as `scenes@train`, `voc:FOLDER@train` or `folder:FOLDER`. Only their image-level labels are used "
        "(masks for the mask *oracle* alone).",
    ).strip()
    stem, at, split = usual.rpartition("@")
    watched = f"{stem}@val" if at and split.startswith("train") else ""
    val = middle.text_input(
        "Pictures to watch",
        value=watched,
        key=f"training_val_{key}",
        persist_state="session",
        help="After each epoch, loss, mAP and seed mIoU of at most 100 of them are drawn. They choose nothing. Leave "
        "it empty to watch none.",
    ).strip()
    return data, val


def _numbers(recipe: Recipe, key: str, column: st.delta_generator.DeltaGenerator) -> Recipe:
    one, other = column.columns(2)
    known = settings(Recipe)
    return dataclasses.replace(
        recipe,
        epochs=int(number_field(one, known["epochs"], recipe.epochs, f"training_epochs_{key}")),
        batch_size=int(number_field(other, known["batch_size"], recipe.batch_size, f"training_batch_{key}")),
        seed=int(number_field(one, known["seed"], recipe.seed, "training_seed")),
    )


def _recam(recipe: Recipe, chosen: str, has_background: bool, *columns: st.delta_generator.DeltaGenerator) -> Recipe:
    """What only a ReCAM has: lambda, mask, background row and rule."""
    left, middle, right = columns
    weight = number_field(left, settings(Recipe)["weight"], recipe.weight, f"training_lambda_{chosen}")
    kind = middle.selectbox(
        "Mask",
        list(MASKS),
        key="training_mask",
        persist_state="session",
        help="\n".join(f"- **{name}**: {mask.meaning}" for name, mask in MASKS.items()),
    )
    mask, parameter = kind, MASKS[kind].parameter
    if parameter is not None:
        name, default, smallest, largest = parameter
        value = middle.number_input(
            f"{name} of the {kind} mask",
            min_value=smallest,
            max_value=largest,
            value=default,
            step=0.05 if largest <= 1 else 0.5,
            key=f"training_mask_{kind}",
            persist_state="session",
        )
        mask = f"{kind}:{value:g}"
    background, power = 0.0, recipe.background_power
    if has_background:
        background, power = background_fields(left, recipe.background, f"training_{chosen}")
    has_row = background > 0
    rule = rule_field(
        right,
        rules_of(True, has_row),
        USUAL_BACKGROUND_RULE if has_row else preset("recam", chosen).rule,
        key=f"training_rule_{chosen}_with_row" if has_row else f"training_rule_{chosen}",
    )
    return dataclasses.replace(
        recipe, weight=weight, mask=mask, rule=rule, background=background, background_power=power
    )


def _device(column: st.delta_generator.DeltaGenerator) -> str:
    """The queue to stand in; asked only where there are several."""
    devices = device_names()
    if len(devices) == 1:
        return devices[0]
    return column.selectbox(
        "Device", devices, key="training_device", persist_state="session", help="One training at a time on each."
    )
