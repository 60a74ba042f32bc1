"""Masks: the question that the paper leaves open - masked features on VOC, copied ones on COCO."""

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
from recam_core.experiments.lab import (
    ORACLE_NOTE,
    HeadLab,
    Measured,
    Setting,
    check_fc2_trained,
    check_settings,
    seeded,
)
from recam_core.experiments.noise import Difference, Draws, percent, points
from recam_core.experiments.protocol import REPORT
from recam_core.method.masks import parse_mask
from recam_core.progress import ProgressFn, silent
from recam_core.retrain.head_recipe import HeadRecipe

MASKS = ("none", "power:0.5", "soft", "power:2", "power:4", "hard:0.1", "hard:0.3", "hard:0.5", "oracle")


def mask_settings(masks: Sequence[str], seeds: Sequence[int], base: HeadRecipe) -> list[Setting]:
    """What :func:`mask_comparison` tries; raises UserError as it does."""
    check_fc2_trained(base)
    choices = [parse_mask(mask) for mask in masks]
    choices += [parse_mask(mask) for mask in ("none", "soft") if parse_mask(mask) not in choices]
    return check_settings(
        [
            Setting(
                str(choice),
                seeded(replace(base, mask=str(choice)), seeds),
                {"mask": str(choice)},
                fair=not choice.needs_truth,
            )
            for choice in choices
        ]
    )


def mask_comparison(
    lab: HeadLab,
    masks: Sequence[str] = MASKS,
    seeds: Sequence[int] = (0,),
    base: HeadRecipe = HeadRecipe(),  # noqa: B008 - frozen
    progress: ProgressFn = silent,
) -> Experiment:
    """Masking choices side by side: does masking lower false positives and fail to lower false negatives?

    Args:
        lab: run and data.
        masks: masking choices; ``none`` and ``soft`` are added where they are missing, as the question is about them.
            ``oracle`` is left out, with a note, where the training data lacks masks; it is never chosen.
        seeds: of the order of the batches, where FC1 is trained as well.
        base: every other setting.
        progress: see :meth:`HeadLab.measure`.

    Raises:
        UserError: an unknown mask, or one twice, or lambda 0.
    """
    settings = mask_settings(masks, seeds, base)
    notes = []
    if not lab.fit.has_truth and not all(setting.fair for setting in settings):
        settings = [setting for setting in settings if setting.fair]
        notes.append(f"The mask 'oracle' was left out: {lab.protocol.fit} lacks ground truth for some picture.")
    reference, found = lab.measure(settings, progress)
    chosen = choose(found)
    if any(not one.setting.fair for one in found):
        notes.append(ORACLE_NOTE)
    if lab.run.info.has_background:
        notes.append("Each mask is read at the background threshold that the select part prefers for it.")
    return Experiment(
        "masks",
        "Masks",
        lab.protocol,
        pictures_of(lab),
        lab.exact,
        {"mask": "mask"},
        tuple(table_rows(reference, found, lab.protocol, chosen.label)),
        Chart(
            "bar", "mask", "", "category", SEED_SPREAD, panels(found, [one.label for one in found], lab.protocol),
            reference=reference_figures(reference),
        ),
        _sentence(lab, {one.label: one for one in found}, chosen),
        chosen.label,
        (*notes, *standing_notes(lab, found)),
        reference,
        tuple(found),
    )  # fmt: skip


def _sentence(lab: HeadLab, found: dict[str, Measured], chosen: Measured) -> str:
    """The answer of the report part, and the mask that the select part prefers."""
    draws = Draws(lab.pictures(REPORT), len(found["soft"].report))
    soft, none = found["soft"].on(REPORT), found["none"].on(REPORT)
    positives = draws.difference(soft, none, FIGURES["false_positive_rate"][0])
    negatives = draws.difference(soft, none, FIGURES["false_negative_rate"][0])
    best = "the best mask besides the oracle" if "oracle" in found else "the best mask"
    return (
        f"On {lab.protocol.report}, {_answer(positives, negatives)}: against copied features, soft masks change the "
        f"false positive rate by {points(positives)} and the false negative rate by {points(negatives)}; {best} on "
        f"{lab.protocol.select} is {chosen.label} ({select_words(chosen, list(found.values()))}), which gives "
        f"{percent(chosen.miou(REPORT))} on {lab.protocol.report}."
    )


def _answer(positives: Difference, negatives: Difference) -> str:
    """Whether masking lowers false positives and fails to lower false negatives."""
    if positives.within_noise and negatives.within_noise:
        return "what masking changes is within the noise"
    if positives.within_noise:
        way = "lowers" if negatives.value < 0 else "raises"
        return f"masking {way} false negatives and leaves false positives within the noise"
    way = "lowers" if positives.value < 0 else "raises"
    if negatives.within_noise:
        fails = ", as suspected," if way == "lowers" else ""
        return f"masking {way} false positives and{fails} leaves false negatives within the noise"
    if (positives.value < 0) == (negatives.value < 0):
        doubt = ", so it does not fail to help false negatives" if way == "lowers" else ""
        return f"masking {way} both false positives and false negatives{doubt}"
    if way == "lowers":
        return "masking lowers false positives and, as suspected, does not lower false negatives but raises them"
    return "masking raises false positives and lowers false negatives, the reverse of what is suspected"
