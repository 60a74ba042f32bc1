"""Fields for settings of a recipe that several pages ask for."""

from collections.abc import Sequence
from typing import Literal

import streamlit as st

from recam_core.method.extraction import RULES
from recam_core.method.fc2_settings import RULE
from recam_core.retrain.head_recipe import HeadRecipe
from recam_core.setting import SettingKind, settings
from recam_core.train.recipe import PRESETS

_ROW_HELP = (
    "FC2 tells the classes of a picture apart, and nothing tells it what the background looks like. With β above 0 it "
    "gets one more row, which learns that: from each picture's features where no present class responds, as one more "
    "label in the softmax. β weighs this against the classes. **0 is the paper's FC2, without such a row; the row is "
    "this lab's addition, not the paper's.** It makes extraction rules possible that set a class against the "
    "background."
)
_POWER_HELP = (
    "Where the background is looked for: features are weighed by $(1 - \\max_k \\mathrm{CAM}_k)^G$. Above 1, only "
    "places that no class responds to are left."
)


def background_fields(place: st.delta_generator.DeltaGenerator, usual: float, key: str) -> tuple[float, float]:
    """Beta and G of the background row; only where the pictures have a background class.

    Args:
        place: where they are drawn.
        usual: beta to begin with.
        key: what the keys of the widgets begin with.
    """
    weight = weight_field(place, usual, f"{key}_background")
    power = power_field(place, f"{key}_background_power") if weight > 0 else HeadRecipe.background_power
    return weight, power


def preset_field(place: st.delta_generator.DeltaGenerator, key: str, help: str) -> str:
    """Which of :data:`recam_core.train.recipe.PRESETS` the other settings come from; the small one to begin with.

    Args:
        place: where it is drawn.
        key: of the widget.
        help: its help text.
    """
    return place.segmented_control(
        "Preset",
        list(PRESETS)[::-1],
        default="small",
        required=True,
        format_func={"small": "small (no GPU)", "paper": "as published"}.__getitem__,
        key=key,
        persist_state="session",
        help=help,
    )


def number_field(
    place: st.delta_generator.DeltaGenerator,
    known: SettingKind,
    usual: float,
    key: str,
    *,
    least: float | None = None,
    help: str | None = None,
    disabled: bool = False,
    width: int | Literal["stretch"] = "stretch",
) -> float:
    """A number of a recipe, within its bounds.

    Args:
        place: where it is drawn.
        known: the setting.
        usual: the number to begin with.
        key: of the widget.
        least: in place of the setting's smallest number, where the form gives that another meaning.
        help: in place of the setting's meaning.
        disabled: whether it cannot be changed.
        width: of the field.
    """
    kind = known.kind
    value = place.number_input(
        known.label,
        min_value=kind(known.least if least is None else least),
        max_value=kind(known.most),
        value=kind(usual),
        step=None if known.step is None else kind(known.step),
        format="%g" if kind is float else None,
        width=width,
        key=key,
        persist_state="session",
        disabled=disabled,
        help=help or f"{known.meaning[0].upper()}{known.meaning[1:]}.",
    )
    return kind(value)


def weight_field(
    place: st.delta_generator.DeltaGenerator, usual: float, key: str, width: int | Literal["stretch"] = "stretch"
) -> float:
    """Beta; see :func:`background_fields`."""
    return number_field(place, settings(HeadRecipe)["background"], usual, key, help=_ROW_HELP, width=width)


def power_field(place: st.delta_generator.DeltaGenerator, key: str) -> float:
    """G; see :func:`background_fields`."""
    known = settings(HeadRecipe)["background_power"]
    return number_field(place, known, HeadRecipe.background_power, key, help=_POWER_HELP)


def rule_field(place: st.delta_generator.DeltaGenerator, rules: Sequence[str], usual: str, key: str) -> str:
    """An extraction rule.

    Args:
        place: where it is drawn.
        rules: those that there are.
        usual: the one to begin with.
        key: of the widget; lists of other rules have others, so that each keeps its own choice and beginning.
    """
    return place.selectbox(
        RULE.label,
        list(rules),
        index=list(rules).index(usual),
        format_func=rule_name,
        key=key,
        persist_state="session",
        help=rules_help(rules),
    )


def rule_name(rule: str) -> str:
    """A rule as pages write it."""
    return rule.replace("_", " ")


def rules_help(rules: Sequence[str]) -> str:
    """What each rule means, a line each."""
    return "\n".join(f"- **{rule_name(name)}**: {RULES[name].meaning}" for name in rules)
