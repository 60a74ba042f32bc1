"""Fields for settings of FC2 that several pages ask for: its background row, and the extraction rule."""

from collections.abc import Sequence
from typing import Literal

import streamlit as st

from recam_core.method.background import POWERS
from recam_core.method.extraction import RULES
from recam_core.retrain.head_recipe import HeadRecipe

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


def weight_field(
    place: st.delta_generator.DeltaGenerator, usual: float, key: str, width: int | Literal["stretch"] = "stretch"
) -> float:
    """Beta; see :func:`background_fields`."""
    weight = place.number_input(
        "Background row (β)",
        min_value=0.0,
        max_value=10.0,
        value=usual,
        step=0.1,
        format="%g",
        width=width,
        key=key,
        persist_state="session",
        help=_ROW_HELP,
    )
    return float(weight)


def power_field(place: st.delta_generator.DeltaGenerator, key: str) -> float:
    """G; see :func:`background_fields`."""
    power = place.number_input(
        "Its exponent (G)",
        min_value=POWERS[0],
        max_value=POWERS[1],
        value=HeadRecipe.background_power,
        step=0.5,
        format="%g",
        key=key,
        persist_state="session",
        help=_POWER_HELP,
    )
    return float(power)


def rule_field(place: st.delta_generator.DeltaGenerator, rules: Sequence[str], usual: str, key: str) -> str:
    """An extraction rule.

    Args:
        place: where it is drawn.
        rules: those that there are.
        usual: the one to begin with.
        key: of the widget; lists of other rules have others, so that each keeps its own choice and beginning.
    """
    return place.selectbox(
        "Extraction rule",
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
