"""A grid of full trainings: what it varies, what it will cost, and its button."""

import dataclasses
import os
from collections.abc import Sequence

import streamlit as st

from app.guard import sentences
from app.job_progress import duration
from app.lab.form import axis_choices, axis_values
from app.lab.setup import Setup
from app.recipe_fields import number_field, preset_field, weight_field
from app.visitors import visitor, visitor_address
from recam_core.device import device_names
from recam_core.errors import UserError
from recam_core.experiments.axes import FULL_AXES, Axis, full_axis
from recam_core.experiments.dispatch import ray_is_installed
from recam_core.experiments.full_cost import Speed
from recam_core.experiments.full_grid import FullGrid, usual_workers
from recam_core.experiments.grid import FULL_OPTIONS
from recam_core.method.extraction import rules_of
from recam_core.queue.start_grid import GridCost, grid_cost, start_grid
from recam_core.setting import settings
from recam_core.train.recipe import Recipe, preset

_MOST_SEEDS = 5
#: Seconds for which a speed that was measured is believed: what else the machine does changes.
_BELIEVED = 600


def full_form(setup: Setup) -> str | None:
    """Draw the form; returns the id of a grid that was just started.

    Raises:
        UserError: settings that cannot work, or pictures that are not there.
    """
    grid = _grid(setup)
    with st.spinner("Timing a step of such a training on this machine"):
        cost = _cost(grid, setup.entry.info.weights_sha256)
    with st.container(horizontal=True, vertical_alignment="center"):
        pressed = st.button("Start the grid", type="primary", icon=":material/play_arrow:", key="lab_full_start")
        st.caption(_cost_words(grid, cost))
    st.caption("The same from the command line; `--folder FOLDER` in the place of `--queue` does it at once:")
    st.code(grid.command(), language="bash", wrap_lines=True)
    if pressed:
        with sentences(), st.spinner("Checking the pictures, and starting"):
            return start_grid(grid, cost.speed, visitor(), visitor_address()).id
    return None


def _grid(setup: Setup) -> FullGrid:
    names, places = axis_choices(FULL_OPTIONS, "lab_full_", FULL_AXES, Recipe, setup.has_background)
    if names["x"] == names["y"]:
        raise UserError("Vary two different settings.")
    line = st.container(horizontal=True, vertical_alignment="bottom", gap="medium")
    found = {
        side: _axis(name, FULL_AXES[name], f"lab_full_{side}_{name}", places[side])
        for side, name in names.items()
        if name != "rule"
    }
    chosen = preset_field(
        line, "lab_full_preset", "Where all other settings come from. The backbone is that of the run."
    )
    # The paper's FC2 to begin with, whatever the pictures.
    base = preset("recam", chosen)
    if "epochs" not in names.values():
        epochs = number_field(line, settings(Recipe)["epochs"], base.epochs, f"lab_full_epochs_{chosen}", width=130)
        base = dataclasses.replace(base, epochs=int(epochs))
    weights = [one.values for one in found.values() if one.name == "background"]
    if setup.has_background and not weights:
        base = dataclasses.replace(
            base, background=weight_field(line, base.background, "lab_full_background", width=180)
        )
    # Last, as some rules need the row, which is an axis or among the other settings.
    has_row = min(weights[0]) > 0 if weights else base.background > 0
    for side, name in names.items():
        if name == "rule":
            key = f"lab_full_{side}_rule_with_row" if has_row else f"lab_full_{side}_rule"
            found[side] = _axis(name, rules_of(True, has_row), key, places[side])
    seeds = line.number_input(
        "Seeds",
        1,
        _MOST_SEEDS,
        1,
        width=130,
        key="lab_full_seeds",
        persist_state="session",
        help="How often each point is trained, with another order and other changes of the pictures.",
    )
    device = _device(line)
    workers = line.number_input(
        "At a time",
        1,
        max(os.cpu_count() or 1, 1),
        usual_workers(device),
        width=130,
        key=f"lab_full_workers_{device}",
        persist_state="session",
        help="Trainings side by side. " + _ray_words(),
    )
    return FullGrid(
        setup.entry.path.absolute(),
        setup.data,
        setup.protocol,
        found["x"],
        found["y"],
        chosen,
        base,
        tuple(range(int(seeds))),
        device,
        int(workers),
    )


def _axis(name: str, usual: Sequence[object], key: str, place: st.delta_generator.DeltaGenerator) -> Axis:
    return full_axis(name, axis_values(name, usual, key, Recipe, place))


def _device(line: st.delta_generator.DeltaGenerator) -> str:
    devices = device_names()
    if len(devices) == 1:
        return devices[0]
    return line.selectbox("Device", devices, width=130, key="lab_full_device", persist_state="session")


def _ray_words() -> str:
    if not ray_is_installed():
        return "They are processes of this machine; with Ray installed (`pip install ray`), it hands them out."
    where = "the cluster of `RAY_ADDRESS`" if os.environ.get("RAY_ADDRESS") else "this machine"
    return f"Two or more are handed to Ray, on {where}."


def _cost(grid: FullGrid, weights: str) -> GridCost:
    base = grid.base
    speed = _speed(weights, grid.protocol.fit, base.crop, base.batch_size, base.resize_long, grid.device, grid)
    return grid_cost(grid, speed)


@st.cache_data(ttl=_BELIEVED, max_entries=32, show_spinner=False)
def _speed(
    weights: str,
    data: str,
    crop: int,
    batch: int,
    resize: tuple[int, int],
    device: str,
    _grid: FullGrid,
) -> Speed:
    return grid_cost(_grid).speed


def _cost_words(grid: FullGrid, cost: GridCost) -> str:
    """How many trainings, and how long they take."""
    points = len(grid.x.values) * len(grid.y.values) * len(grid.seeds)
    count = f"**{cost.trainings} training{'s' if cost.trainings != 1 else ''}**"
    if points > cost.trainings:
        count += f" for {points} points (those that differ in the rule alone share one)"
    way = {"ray": "handed to Ray", "local": "processes of this machine"}[grid.queue_way()]
    beside = f", {grid.workers} at a time, {way}" if grid.workers > 1 else ""
    return (
        f"{count}: about **{duration(cost.seconds)}** on this machine while little else works on it{beside}. One "
        f"takes {duration(cost.seconds / max(cost.trainings, 1))}, its scores on every pixel included."
    )
