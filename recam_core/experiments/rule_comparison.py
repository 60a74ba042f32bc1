"""Extraction rules: which weights make the map, once FC2 is trained."""

from collections.abc import Sequence
from dataclasses import replace

from recam_core.experiments.chart import SEED_SPREAD, Chart, panels
from recam_core.experiments.experiment import (
    Experiment,
    choose,
    pictures_of,
    reference_figures,
    select_words,
    standing_notes,
    table_rows,
)
from recam_core.experiments.figures import FIGURES
from recam_core.experiments.lab import HeadLab, Measured, Setting, check_fc2_trained, check_settings, seeded
from recam_core.experiments.noise import Draws, percent, points
from recam_core.experiments.protocol import REPORT
from recam_core.method.extraction import rules_of, share_of_double_negatives
from recam_core.progress import ProgressFn, silent
from recam_core.retrain.head_recipe import HeadRecipe
from recam_core.scores.table import listing

DOUBLE_NEGATIVES = "channels both negative"


def usual_rules(base: HeadRecipe) -> tuple[str, ...]:
    """The rules that heads of these settings can be read by."""
    return rules_of(True, base.background > 0)


def rule_settings(rules: Sequence[str], seeds: Sequence[int], base: HeadRecipe) -> list[Setting]:
    """What :func:`rule_comparison` tries; raises UserError as it does."""
    check_fc2_trained(base)
    return check_settings([Setting(rule, seeded(replace(base, rule=rule), seeds), {"rule": rule}) for rule in rules])


def rule_comparison(
    lab: HeadLab,
    rules: Sequence[str] = (),
    seeds: Sequence[int] = (0,),
    base: HeadRecipe = HeadRecipe(),  # noqa: B008 - frozen
    progress: ProgressFn = silent,
) -> Experiment:
    """The same heads, read with different rules.

    Each row also has the share of feature channels whose weights in FC1 and FC2 are both negative (a mean over the
    classes): a plain product turns these into evidence for the class.

    Args:
        lab: run and data.
        rules: keys of :data:`recam_core.method.extraction.RULES`; all that the heads can be read by by default.
        seeds: of the order of the batches, where FC1 is trained as well.
        base: every other setting.
        progress: see :meth:`HeadLab.measure`.

    Raises:
        UserError: an unknown rule, or one twice, or lambda 0.
    """
    settings = rule_settings(rules or usual_rules(base), seeds, base)
    reference, found = lab.measure(settings, progress)
    chosen = choose(found)
    shares = {one.label: _double_negatives(one) for one in found}
    rows = table_rows(reference, found, lab.protocol, chosen.label)
    for row in rows:
        row["double_negatives"] = shares.get(row["key"])
    return Experiment(
        "rules",
        "Extraction rules",
        lab.protocol,
        pictures_of(lab),
        lab.exact,
        {"rule": "rule", "double_negatives": DOUBLE_NEGATIVES},
        tuple(rows),
        Chart(
            "bar", "rule", "", "category", SEED_SPREAD, panels(found, [one.label for one in found], lab.protocol),
            reference=reference_figures(reference),
        ),
        _sentence(lab, found, chosen, shares),
        chosen.label,
        tuple(standing_notes(lab, found)),
        reference,
        tuple(found),
    )  # fmt: skip


def _double_negatives(one: Measured) -> float:
    """Mean over classes and seeds."""
    shares = [float(share_of_double_negatives(head.fc1, head.fc2).mean()) for head in one.heads]
    return sum(shares) / len(shares)


def _sentence(lab: HeadLab, found: Sequence[Measured], chosen: Measured, shares: dict[str, float]) -> str:
    draws = Draws(lab.pictures(REPORT), len(found[0].report))
    figure = FIGURES["miou"][0]
    text = (
        f"The rule {chosen.label} is the best on {lab.protocol.select} ({select_words(chosen, found)}) and gives "
        f"{percent(chosen.miou(REPORT))} on {lab.protocol.report}"
    )
    others = [one for one in found if one is not chosen]
    alike = [one for one in others if draws.difference(chosen.on(REPORT), one.on(REPORT), figure).within_noise]
    if alike:
        text += f"; {listing([one.label for one in alike])} cannot be told from it beyond the noise"
    named = {one.label: one for one in found}
    if {"product", "rectified_product"} <= set(named):
        difference = draws.difference(named["product"].on(REPORT), named["rectified_product"].on(REPORT), figure)
        text += (
            f"; in {percent(shares['product'])} of the channels both weights are negative, which a plain product turns "
            f"positive, and against the rectified product its mIoU changes by {points(difference)}"
        )
        text += ", within the noise" if difference.within_noise else ""
    return text + "."
