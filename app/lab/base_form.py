"""The settings that an experiment does not vary."""

from collections.abc import Collection
from dataclasses import dataclass, replace

import streamlit as st

from app.recipe_fields import number_field, power_field, rule_field, weight_field
from recam_core.experiments.mask_comparison import MASKS
from recam_core.method.extraction import rules_of
from recam_core.retrain.head_recipe import DEFAULTS, HeadRecipe, completed, usual_heads
from recam_core.setting import options, settings

_UPDATES = {"fc2": "FC2 only", "both": "FC1 and FC2"}
_MOST_SEEDS = 5


@dataclass(frozen=True)
class Base:
    """The settings, and what the command line says of them.

    Attributes:
        recipe: with the fields that the experiment varies left as they are.
        seeds: of the order of the batches.
        words: of the command line.
    """

    recipe: HeadRecipe
    seeds: tuple[int, ...]
    words: tuple[str, ...]


def base_form(
    kind: str,
    varied: Collection[str],
    has_background: bool,
    update: str = "fc2",
    seeds: int = 1,
    fixed: bool = False,
    least_background: float = 0.0,
) -> Base:
    """Draw the settings that are not varied.

    Args:
        kind: of the experiment, for the keys of widgets.
        varied: fields of :class:`HeadRecipe` that the experiment sets itself.
        has_background: whether the run has a background class, which a row of FC2 can learn.
        update: what is trained to begin with.
        seeds: how many seeds to begin with, where FC1 is trained.
        fixed: whether ``update`` cannot be chosen.
        least_background: the smallest weight of the background row, where that is varied.

    Raises:
        UserError: a setting that cannot work.
    """
    recipe, words = HeadRecipe(update=update), []
    line = st.container(horizontal=True, vertical_alignment="bottom", gap="medium")
    if not fixed and "update" not in varied:
        chosen = line.segmented_control(
            "Update",
            list(_UPDATES),
            default=update,
            required=True,
            format_func=_UPDATES.__getitem__,
            key=f"lab_{kind}_update",
            persist_state="session",
            help="What is trained. FC2 alone is quick and has one solution, so seeds change nothing. FC1 as well: the "
            "masks change in every step, and the order of the pictures matters.",
        )
        recipe = HeadRecipe(update=chosen)
        words += ["--update", chosen]
    count = 1
    if recipe.update == "both" or "update" in varied:
        count = line.number_input(
            "Seeds",
            min_value=1,
            max_value=_MOST_SEEDS,
            value=seeds,
            width=150,
            key=f"lab_{kind}_seeds",
            persist_state="session",
            help="How often each setting is trained, with the pictures in another order; their spread is shown.",
        )
        words += ["--seeds", *map(str, range(int(count)))]
    fields, more = _others(kind, varied, has_background, recipe.update, least_background, line)
    recipe = HeadRecipe(update=recipe.update, **fields)
    completed(recipe)
    return Base(recipe, tuple(range(int(count))), (*words, *more))


def _others(
    kind: str,
    varied: Collection[str],
    has_background: bool,
    update: str,
    least: float,
    line: st.delta_generator.DeltaGenerator,
) -> tuple[dict, list[str]]:
    """Fields of the recipe and words of the command line, of what is rarely changed."""
    usual, fields = HeadRecipe(), {}
    with line, st.popover("Other settings", icon=":material/tune:", key=f"lab_{kind}_others") as box:
        if "mask" not in varied:
            fields["mask"] = _choice("Mask", [usual.mask, *(m for m in MASKS if m != usual.mask)], f"lab_{kind}_mask")
        # Before the rules, some of which need the row. 0 to begin with: the experiments are about the paper's FC2.
        if "background" in varied:
            fields["background"] = least
        elif has_background:
            fields["background"] = weight_field(box, usual.background, f"lab_{kind}_background")
        if "background_power" not in varied and (fields.get("background", 0) > 0 or "background" in varied):
            fields["background_power"] = power_field(box, f"lab_{kind}_background_power")
        if "rule" not in varied:
            has_row = fields.get("background", 0) > 0
            key = f"lab_{kind}_rule_with_row" if has_row else f"lab_{kind}_rule"
            fields["rule"] = rule_field(box, rules_of(True, has_row), usual_heads(has_row).rule, key)
        known = settings(HeadRecipe)
        if "weight" not in varied and (update == "both" or "update" in varied):
            fields["weight"] = number_field(box, known["weight"], usual.weight, f"lab_{kind}_weight")
        for place, name in enumerate(("epochs", "lr")):
            if name not in varied:
                alone, both = DEFAULTS["fc2"][place], DEFAULTS["both"][place]
                zero = f"0 takes what suits: {alone} for FC2 alone, {both} for both."
                fields[name] = number_field(box, known[name], 0, f"lab_{kind}_{name}", least=0, help=zero)
    words = options(replace(usual, **fields), usual)
    return fields, words


def _choice(label: str, options: list[str], key: str) -> str:
    chosen = st.selectbox(label, options, accept_new_options=True, key=key, persist_state="session")
    return (chosen or options[0]).strip()
