"""The settings of a full training that a grid may vary."""

from collections.abc import Sequence
from typing import Any

from recam_core.errors import UserError
from recam_core.experiments.axes import Axis, read_axis
from recam_core.method.extraction import rules_of
from recam_core.train.recipe import check_recipe, preset

#: By their options, and the values that are tried unless the user says otherwise.
FULL_AXES: dict[str, tuple[Any, ...]] = {
    "lambda": (0.1, 0.3, 1.0, 3.0),
    "mask": ("none", "soft", "power:2", "hard:0.3"),
    "rule": rules_of(True, False),  # it needs no training of its own
    "background": (0.0, 0.1, 0.2, 0.3),
    "epochs": (2, 5, 10),
    "lr-fc2": (0.0005, 0.002, 0.008),
    "lr-backbone": (5e-6, 2e-5, 8e-5),
}


def full_axis(name: str, values: Sequence[str] = ()) -> Axis:
    """An axis from text; without values, the usual ones.

    Raises:
        UserError: an unknown setting, a value that it cannot take, or one twice.
    """
    if name not in FULL_AXES:
        raise UserError(f"A grid of full trainings cannot vary '{name}': choose one of {', '.join(FULL_AXES)}.")
    return read_axis(preset("recam", "small"), FULL_AXES, name, values, check_recipe)
