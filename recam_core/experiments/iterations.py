"""Rounds: FC1 -> mask -> FC2, and then masks from the maps of that FC2, and so on."""

from collections.abc import Sequence
from dataclasses import replace

from recam_core.errors import UserError
from recam_core.experiments.chart import SEED_SPREAD, Chart, joined, panels
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
from recam_core.experiments.lab import HeadLab, Measured, Setting, check_fc2_trained, check_settings
from recam_core.experiments.noise import Draws, capital, percent, points
from recam_core.experiments.protocol import REPORT
from recam_core.method.extraction import RULES as RULES_OF_MAPS
from recam_core.method.extraction import rules_of
from recam_core.progress import ProgressFn, silent
from recam_core.retrain.head_recipe import HeadRecipe

ROUNDS = (1, 2, 3, 5)
RULES = ("fc2", "sum", "rectified_product")


def rules_of_rounds(base: HeadRecipe) -> tuple[str, ...]:
    """The rules that heads of these settings can be read by, and that make masks of further rounds."""
    return tuple(rule for rule in rules_of(True, base.background > 0) if RULES_OF_MAPS[rule].makes_weights)


def round_settings(rounds: Sequence[int], rules: Sequence[str], base: HeadRecipe) -> list[Setting]:
    """What :func:`iterations` tries; raises UserError as it does."""
    check_fc2_trained(base)
    if max(rounds, default=0) <= 1:
        raise UserError("Name at least one number of rounds above 1, to compare with a single round.")
    numbers = sorted(rounds) if 1 in rounds else [1, *sorted(rounds)]
    settings = [
        Setting(
            f"{rule}, {number} round{'s' if number > 1 else ''}",
            (replace(base, update="fc2", rule=rule, rounds=number),),
            {"rule": rule, "rounds": number},
        )
        for rule in rules
        for number in numbers
    ]
    return check_settings(settings)


def iterations(
    lab: HeadLab,
    rounds: Sequence[int] = ROUNDS,
    rules: Sequence[str] = RULES,
    base: HeadRecipe = HeadRecipe(),  # noqa: B008 - frozen
    progress: ProgressFn = silent,
) -> Experiment:
    """Does it help to make the masks anew from the maps that FC2 gives, and to train FC2 again on them?

    Args:
        lab: run and data.
        rounds: how often FC2 is trained; 1 is added where it is missing, as what more rounds are compared with.
        rules: extraction rules, which make the masks of the next round as well as the maps.
        base: every other setting; only FC2 is trained.
        progress: see :meth:`HeadLab.measure`.

    Raises:
        UserError: a setting out of range, or one twice, no number of rounds above 1, or lambda 0.
    """
    settings = round_settings(rounds, rules, base)
    reference, found = lab.measure(settings, progress)
    chosen = choose(found)
    lines = []
    for rule in rules:
        some = [one for one in found if one.setting.values["rule"] == rule]
        lines.append(panels(some, [one.setting.values["rounds"] for one in some], lab.protocol, group=rule))
    return Experiment(
        "rounds",
        "Rounds of masking and training",
        lab.protocol,
        pictures_of(lab),
        lab.exact,
        {"rule": "rule", "rounds": "rounds"},
        tuple(table_rows(reference, found, lab.protocol, chosen.label)),
        Chart("line", "rounds", "", "linear", SEED_SPREAD, joined(*lines), reference=reference_figures(reference)),
        _sentence(lab, found, chosen),
        chosen.label,
        tuple(standing_notes(lab, found)),
        reference,
        tuple(found),
    )


def _sentence(lab: HeadLab, found: Sequence[Measured], chosen: Measured) -> str:
    once = choose([one for one in found if one.setting.values["rounds"] == 1])
    begin = (
        f"{capital(chosen.label)} is the best of {len(found)} on {lab.protocol.select} "
        f"({select_words(chosen, found)}) and gives {percent(chosen.miou(REPORT))} on {lab.protocol.report}"
    )
    if chosen is once:
        return f"{begin}; on the part that chooses, more rounds than one do not help."
    gain = Draws(lab.pictures(REPORT)).difference(chosen.on(REPORT), once.on(REPORT), FIGURES["miou"][0])
    text = f"{begin}, {points(gain)} against the best single round ({once.setting.values['rule']})"
    return text + (", which is within the noise." if gain.within_noise else ".")
