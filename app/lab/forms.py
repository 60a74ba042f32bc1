"""One form an experiment: what it varies, with values that can be taken out and added."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import streamlit as st

from app.lab.asked import Asked
from app.lab.base_form import Base, base_form
from app.lab.bench import Bench
from app.lab.values_input import values_input
from app.recipe_fields import rules_help
from recam_core.errors import UserError
from recam_core.experiments import iterations, lambda_sweep, loss_control, mask_comparison
from recam_core.experiments.axes import AXES, OF_THE_ROW, Axis, axis, setting_of
from recam_core.experiments.grid import grid_settings
from recam_core.experiments.pair_advice import find_pair, pair_advice
from recam_core.experiments.rule_comparison import rule_comparison, rule_settings, usual_rules
from recam_core.method.extraction import rules_of
from recam_core.retrain.head_recipe import HeadRecipe

Number = TypeVar("Number", int, float)
#: Heads that differ in these alone are trained side by side, or are the same.
_SIDE_BY_SIDE = ("rule", "lambda", "loss", "lr", "weight-decay", "background")


def lambda_form(bench: Bench) -> Asked:
    """Raises UserError for a value that cannot be."""
    texts = values_input(
        "Lambdas", lambda_sweep.WEIGHTS, "lab_lambda_values", "0 is always tried: no softmax loss at all."
    )
    base = base_form("lambda", {"weight"}, bench.has_background, "both", len(lambda_sweep.SEEDS))
    weights = _numbers(texts, float, "lambda")
    settings = lambda_sweep.lambda_settings(weights, base.seeds, base.recipe)
    if base.recipe.update == "fc2":
        st.caption(
            ":material/info: FC2 alone cannot depend on λ: L_bce does not see FC2, so λ only scales the gradient, and "
            "Adam divides the scale out again. The sweep then shows a flat line, which is the point."
        )
    return Asked(
        lambda opened, progress: lambda_sweep.lambda_sweep(opened.lab, weights, base.seeds, base.recipe, progress),
        ("--values", *texts, *base.words),
        len(settings),
        len(base.seeds),
        len(base.seeds) if base.recipe.update == "both" else 1,
        base.recipe,
    )


def masks_form(bench: Bench) -> Asked:
    """Raises UserError for a mask that there is not."""
    masks = values_input(
        "Masks",
        mask_comparison.MASKS,
        "lab_masks_values",
        "`soft`, `none`, `hard:T`, `power:G` or `oracle`; type others, such as `hard:0.2`. The first two are always "
        "tried, as the question is about them.",
    )
    base = base_form("masks", {"mask"}, bench.has_background)
    settings = mask_comparison.mask_settings(masks, base.seeds, base.recipe)
    return Asked(
        lambda opened, progress: mask_comparison.mask_comparison(opened.lab, masks, base.seeds, base.recipe, progress),
        ("--values", *masks, *base.words),
        len(settings),
        len(base.seeds),
        len(settings) * len(base.seeds),
        base.recipe,
    )


def rules_form(bench: Bench) -> Asked:
    """Raises UserError where no rule is named."""
    place = st.container()
    # Drawn below the rules, and asked before: which there are depends on the background row.
    base = base_form("rules", {"rule"}, bench.has_background)
    usual = usual_rules(base.recipe)
    rules = place.multiselect(
        "Rules",
        usual,
        default=usual,
        key="lab_rules_values_with_row" if base.recipe.background > 0 else "lab_rules_values",
        persist_state="session",
        help=rules_help(usual),
    )
    settings = rule_settings(rules, base.seeds, base.recipe)
    return Asked(
        lambda opened, progress: rule_comparison(opened.lab, rules, base.seeds, base.recipe, progress),
        ("--rules", *rules, *base.words),
        len(settings),
        len(base.seeds),
        len(base.seeds),
        base.recipe,
    )


def loss_form(bench: Bench) -> Asked:
    """Raises UserError for a value that cannot be."""
    texts = values_input(
        "Factors on the learning rate",
        loss_control.RATES,
        "lab_loss_values",
        "Either loss is tried at each of these, and the part that chooses picks the one that suits it: so neither "
        "loses for want of a learning rate.",
    )
    base = base_form("loss", {"loss"}, bench.has_background)
    rates = _numbers(texts, float, "factor")
    settings = loss_control.loss_settings(rates, base.seeds, base.recipe)
    return Asked(
        lambda opened, progress: loss_control.loss_control(opened.lab, rates, base.seeds, base.recipe, progress),
        ("--values", *texts, *base.words),
        len(settings),
        len(base.seeds),
        len(base.seeds) * (2 if base.recipe.update == "both" else 1),
        base.recipe,
    )


def rounds_form(bench: Bench) -> Asked:
    """Raises UserError for a value that cannot be."""
    left, right = st.columns([1, 1.4], gap="medium")
    with left:
        texts = values_input("Rounds", iterations.ROUNDS, "lab_rounds_values", "Trainings of FC2; 1 is always tried.")
    base = base_form("rounds", {"rounds", "rule"}, bench.has_background, fixed=True)
    has_row = base.recipe.background > 0
    rules = right.multiselect(
        "Rules",
        iterations.rules_of_rounds(base.recipe),
        default=[*iterations.RULES, *(["difference"] if has_row else [])],
        key="lab_rounds_rules_with_row" if has_row else "lab_rounds_rules",
        persist_state="session",
        help="They make the masks of the next round as well as the maps.",
    )
    rounds = _numbers(texts, int, "number of rounds")
    settings = iterations.round_settings(rounds, rules, base.recipe)
    return Asked(
        lambda opened, progress: iterations.iterations(opened.lab, rounds, rules, base.recipe, progress),
        ("--values", *texts, "--rules", *rules, *base.words),
        len(settings),
        1,
        len(rules) * sum({1, *rounds}),
        base.recipe,
    )


def grid_form(bench: Bench) -> Asked:
    """Raises UserError for axes that cannot be."""
    x, y, base, words, trainings = _axes("grid", bench)
    settings = grid_settings(x, y, base.seeds, base.recipe)
    return Asked(
        lambda opened, progress: opened.grid(x, y, base.seeds, base.recipe, progress),
        (*words, *base.words),
        len(settings),
        len(base.seeds),
        trainings * len(base.seeds),
        base.recipe,
    )


def pair_form(bench: Bench) -> Asked:
    """Raises UserError for axes that cannot be, or one class alone."""
    names = st.multiselect(
        "Pair of classes",
        bench.entry.info.class_list.names,
        max_selections=2,
        placeholder="The two that the run confuses most on the part that chooses",
        key=f"lab_pair_{bench.family.key}",
        persist_state="session",
        help="Advice for another pair on the same grid trains nothing anew.",
    )
    x, y, base, words, trainings = _axes("pair", bench)
    settings = grid_settings(x, y, base.seeds, base.recipe)
    pair = find_pair(names, bench.entry.info.class_list) if names else None
    return Asked(
        lambda opened, progress: pair_advice(
            opened.lab, opened.grid(x, y, base.seeds, base.recipe, progress), pair
        ),
        ((*words, "--pair", ",".join(names)) if names else words) + base.words,
        len(settings),
        len(base.seeds),
        trainings * len(base.seeds),
        base.recipe,
    )  # fmt: skip


def _axes(kind: str, bench: Bench) -> tuple[Axis, Axis, Base, tuple[str, ...], int]:
    """Both axes, every other setting, the axes' words of the command line, and how often features are gone through."""
    # Without a background class there is nothing that the row could learn.
    offered = [name for name in AXES if bench.has_background or name not in OF_THE_ROW]
    names, places = {}, {}
    for flag, label, usual in (("--x", "Across", "mask"), ("--y", "Down", "rule")):
        left, places[flag] = st.columns([1, 3.6], gap="medium")
        names[flag] = left.selectbox(
            label,
            offered,
            index=offered.index(usual),
            key=f"lab_{kind}{flag}",
            persist_state="session",
            help="\n".join(f"- **{axis}**: {setting_of(HeadRecipe, axis).meaning}" for axis in offered),
        )
    found, texts = {}, {}
    for flag, name in names.items():
        if name != "rule":
            key = f"lab_{kind}{flag}_{name}"
            found[flag], texts[flag] = _values(name, AXES[name], key, places[flag])
    least = min((min(one.values) for one in found.values() if one.name == "background"), default=0.0)
    varied = {setting_of(HeadRecipe, name).name for name in names.values()}
    base = base_form(kind, varied, bench.has_background, least_background=least)
    # Last, as some rules need the row, which is an axis or among the other settings.
    has_row = base.recipe.background > 0
    for flag, name in names.items():
        if name == "rule":
            key = f"lab_{kind}{flag}_rule_with_row" if has_row else f"lab_{kind}{flag}_rule"
            found[flag], texts[flag] = _values(name, rules_of(True, has_row), key, places[flag])
    x, y = found["--x"], found["--y"]
    words = [word for flag in names for word in (flag, names[flag], *texts[flag])]
    alone = [1 if each.name in _SIDE_BY_SIDE else len(each.values) for each in (x, y)]
    return x, y, base, tuple(words), alone[0] * alone[1]


def _values(
    name: str, usual: Sequence[object], key: str, place: st.delta_generator.DeltaGenerator
) -> tuple[Axis, list[str]]:
    """An axis, and its values as they were typed."""
    with place:
        texts = values_input("Values", usual, key, setting_of(HeadRecipe, name).meaning)
    if not texts:
        raise UserError(f"Name at least one value of {name}.")
    return axis(name, texts), texts


def _numbers(texts: Sequence[str], read: Callable[[str], Number], what: str) -> list[Number]:
    found = []
    for text in texts:
        try:
            found.append(read(text))
        except ValueError:
            raise UserError(f"'{text}' is no {what}: write a number.") from None
    if not found:
        raise UserError(f"Name at least one {what}.")
    return found
