"""The command line that makes a training again."""

import shlex

from recam_core.guest import as_typed_spec
from recam_core.setting import options
from recam_core.train.recipe import PRESETS, Recipe, preset


def train_command(
    recipe: Recipe,
    *,
    data: str,
    out: str,
    val: str = "",
    init: str = "",
    half: bool = False,
    workers: int | None = None,
) -> str:
    """The command line of ``train`` with the same settings: the nearest preset, and what differs from it."""
    name = min(PRESETS, key=lambda name: len(_options(recipe, preset(recipe.method, name))))
    words = ["python", "-m", "recam_core", "train", recipe.method, "--preset", name, "--data", as_typed_spec(data)]
    words += ["--val", as_typed_spec(val)] if val else []
    words += ["--init", init] if init else []
    words += _options(recipe, preset(recipe.method, name))
    if recipe.method == "recam" and name == "small":
        # The preset's own background row and rule depend on the data, so neither is left to it.
        words += [] if "--background" in words else ["--background", "0"]
        words += [] if "--rule" in words else ["--rule", recipe.rule]
    words += ["--half"] if half else []
    words += [] if workers is None else ["--workers", str(workers)]
    return shlex.join([*words, "--out", out])


def _options(recipe: Recipe, base: Recipe) -> list[str]:
    words = options(recipe, base)
    if recipe.resize_long != base.resize_long:
        words += ["--resize-long", *map(str, recipe.resize_long)]
    words += ["--train-norm"] if base.freeze_norm and not recipe.freeze_norm else []
    words += ["--no-amp"] if base.amp and not recipe.amp else []
    return words
