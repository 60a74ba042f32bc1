"""What can be asked of the retraining: an entry a question, from which its command and its form in the Lab come."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

from recam_core.errors import UserError
from recam_core.experiments.chart import SEED_SPREAD, Chart, joined, panels, reference_figures
from recam_core.experiments.experiment import choose
from recam_core.experiments.grid import GRID, PAIR
from recam_core.experiments.lab import ORACLE_NOTE, Setting, SettingResult, check_fc2_trained, head_recipes
from recam_core.experiments.noise import Difference, capital, points
from recam_core.experiments.protocol import REPORT
from recam_core.experiments.study import ListOption, Outcome, Question, Study
from recam_core.method.extraction import RULES, rules_of, share_of_double_negatives
from recam_core.method.masks import parse_mask
from recam_core.retrain.head_recipe import DEFAULTS, LOSSES, HeadRecipe
from recam_core.scores.table import percent
from recam_core.words import listing

#: What is tried unless something else is named.
LAMBDAS = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
MASKS = ("none", "power:0.5", "soft", "power:2", "power:4", "hard:0.1", "hard:0.3", "hard:0.5", "oracle")
#: Factors on the learning rate: each loss is given the one that suits it.
RATES = (0.25, 1.0, 4.0)
ROUNDS, ROUND_RULES = (1, 2, 3, 5), ("fc2", "sum", "rectified_product")

DOUBLE_NEGATIVES = "channels both negative"
_LOSS_TITLES = {"sce": "SCE", "bce": "BCE"}
_FLAT = (
    "FC2 alone cannot depend on λ: L_bce does not see FC2, so λ only scales the gradient, and Adam divides the scale "
    "out again. The sweep then shows a flat line, which is the point."
)
_FC2_ALONE = (
    "Only FC2 was trained, and it cannot depend on lambda: with FC1 and the backbone fixed, L_bce does not depend on "
    "what is trained, so lambda only scales the gradient, and Adam divides the scale out again. All values above 0 "
    "give the same FC2; 0 leaves it untrained. Update both classifiers to see an effect."
)


def ask(kind: str, seeds: Sequence[int] | None = None, base: HeadRecipe | None = None, **values: Any) -> Study:
    """A study that is ready to run.

    Args:
        kind: a key of :data:`QUESTIONS`.
        seeds: of the order of the batches, where FC1 is trained as well.
        base: every setting that the question does not vary.
        values: what it varies, by the names of its options; ``ask("grid", x=axis("mask"), y=axis("rule"))``.

    Raises:
        UserError: a setting out of range or named twice, none at all, or settings that would show nothing.
    """
    return Study.of(kind, QUESTIONS[kind], values, seeds, base)


def _chart(
    found: Outcome,
    kind: str,
    x_title: str,
    x: Callable[[SettingResult], float | str],
    scale: str = "category",
    group: Callable[[SettingResult], str] = lambda one: "",
) -> Chart:
    """A panel a figure, with a point a setting at ``x`` of it; settings of one ``group`` have a colour."""
    lines = []
    for name in dict.fromkeys(map(group, found.settings)):
        some = [one for one in found.settings if group(one) == name]
        lines.append(panels(some, [x(one) for one in some], found.protocol, group=name))
    return Chart(kind, x_title, "", scale, SEED_SPREAD, joined(*lines), reference=reference_figures(found.reference))


def _lambda_settings(study: Study) -> list[Setting]:
    lambdas = study.values["values"]
    if not study.seeds:
        raise UserError("Name at least one seed.")
    if not any(value > 0 for value in lambdas):
        raise UserError("Name at least one lambda above 0, to compare with 0.")
    lambdas = sorted({0.0, *lambdas}) if len(set(lambdas)) == len(lambdas) else lambdas
    return [
        Setting(f"lambda {value:g}", study.seeded(weight=float(value)), {"lambda": float(value)}) for value in lambdas
    ]


def _lambda_notes(found: Outcome) -> tuple[str, ...]:
    if head_recipes(found.best.setting)[0].update == "fc2":
        return (_FC2_ALONE, *found.notes)
    at_zero = "At lambda 0 FC2 is not trained, and the maps are those of FC1, trained on by L_bce alone."
    return (*found.notes, at_zero)


def _lambda_sentence(found: Outcome) -> str:
    """The chosen lambda against 0, on the part that reports."""
    chosen = found.best
    zero = next(one for one in found.settings if one.setting.values["lambda"] == 0)
    begin = (
        f"{chosen.label} is the best of {len(found.settings)} on {found.protocol.select} "
        f"({found.select_words(chosen)}); on {found.protocol.report} it gives {percent(chosen.miou(REPORT))} %"
    )
    if chosen is zero:
        return f"{capital(begin)}; on the part that chooses, no weight of the softmax loss beats training without it."
    gain = found.difference(chosen, zero)
    above = [one for one in found.settings if one is not zero and one is not chosen]
    alike = [one for one in above if found.difference(chosen, one).within_noise]
    flat = all(found.difference(one, other).within_noise for one, other in combinations(alike, 2))
    text = f"{capital(begin)}, {points(gain)} against lambda 0"
    text += ", which is within the noise" if gain.within_noise else ""
    if alike:
        values = sorted([*(one.setting.values["lambda"] for one in alike), chosen.setting.values["lambda"]])
        between = [one for one in found.settings if values[0] <= one.setting.values["lambda"] <= values[-1]]
        if flat and len(between) == len(values):
            text += f"; from {values[0]:g} to {values[-1]:g} lambda makes no difference beyond the noise"
        else:
            others = "1 other value above 0 is" if len(alike) == 1 else f"{len(alike)} other values above 0 are"
            text += f"; {others} within the noise of it"
    return text + "."


def _mask_settings(study: Study) -> list[Setting]:
    check_fc2_trained(study.base)
    choices = [parse_mask(mask) for mask in study.values["values"]]
    choices += [parse_mask(mask) for mask in ("none", "soft") if parse_mask(mask) not in choices]
    return [
        Setting(str(one), study.seeded(mask=str(one)), {"mask": str(one)}, fair=not one.needs_truth) for one in choices
    ]


def _mask_notes(found: Outcome) -> tuple[str, ...]:
    notes = []
    if found.left_out:
        notes.append(f"The mask 'oracle' was left out: {found.protocol.fit} lacks ground truth for some picture.")
    if any(not one.setting.fair for one in found.settings):
        notes.append(ORACLE_NOTE)
    if found.classes.has_background:
        notes.append("Each mask is read at the background threshold that the select part prefers for it.")
    return (*notes, *found.notes)


def _mask_sentence(found: Outcome) -> str:
    """The answer of the report part, and the mask that the select part prefers."""
    chosen = found.best
    named = {one.label: one for one in found.settings}
    positives = found.difference(named["soft"], named["none"], "false_positive_rate")
    negatives = found.difference(named["soft"], named["none"], "false_negative_rate")
    best = "the best mask besides the oracle" if "oracle" in named else "the best mask"
    return (
        f"On {found.protocol.report}, {_mask_answer(positives, negatives)}: against copied features, soft masks change "
        f"the false positive rate by {points(positives)} and the false negative rate by {points(negatives)}; {best} on "
        f"{found.protocol.select} is {chosen.label} ({found.select_words(chosen)}), which gives "
        f"{percent(chosen.miou(REPORT))} % on {found.protocol.report}."
    )


def _mask_answer(positives: Difference, negatives: Difference) -> str:
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


def _rules(base: HeadRecipe) -> tuple[str, ...]:
    """The rules that heads of these settings can be read by."""
    return rules_of(True, base.background > 0)


def _rule_settings(study: Study) -> list[Setting]:
    check_fc2_trained(study.base)
    return [Setting(rule, study.seeded(rule=rule), {"rule": rule}) for rule in study.values["rules"]]


def _double_negatives(one: SettingResult) -> float:
    """The share of channels whose weights in FC1 and FC2 are both negative, a mean over classes and seeds: a plain
    product turns these into evidence for the class.
    """
    shares = [float(share_of_double_negatives(head.fc1, head.fc2).mean()) for head in one.heads]
    return sum(shares) / len(shares)


def _rule_sentence(found: Outcome) -> str:
    chosen = found.best
    text = (
        f"The rule {chosen.label} is the best on {found.protocol.select} ({found.select_words(chosen)}) and gives "
        f"{percent(chosen.miou(REPORT))} % on {found.protocol.report}"
    )
    others = [one for one in found.settings if one is not chosen]
    alike = [one.label for one in others if found.difference(chosen, one).within_noise]
    if alike:
        text += f"; {listing(alike)} cannot be told from it beyond the noise"
    named = {one.label: one for one in found.settings}
    if {"product", "rectified_product"} <= set(named):
        difference = found.difference(named["product"], named["rectified_product"])
        share = _double_negatives(named["product"])
        text += (
            f"; in {percent(share)} % of the channels both weights are negative, which a plain product turns "
            f"positive, and against the rectified product its mIoU changes by {points(difference)}"
        )
        text += ", within the noise" if difference.within_noise else ""
    return text + "."


def _loss_settings(study: Study) -> list[Setting]:
    check_fc2_trained(study.base)
    if not all(factor > 0 for factor in study.values["values"]):
        raise UserError("A factor on the learning rate must be above 0.")
    usual = study.base.lr or DEFAULTS[study.base.update][1]
    rates = [usual * factor for factor in sorted(study.values["values"])]
    return [
        Setting(
            f"{_LOSS_TITLES[loss]}, learning rate {rate:g}",
            study.seeded(loss=loss, lr=rate),
            {"loss": loss, "lr": rate},
        )
        for loss in LOSSES
        for rate in rates
    ]


def _loss_sentence(found: Outcome) -> str:
    """Each loss at the learning rate that the select part prefers for it, so that neither loses for want of one."""
    softmax, control = (
        choose([one for one in found.settings if one.setting.values["loss"] == loss]) for loss in ("sce", "bce")
    )
    between = found.difference(softmax, control)
    over, over_control = (found.difference(one, found.reference) for one in (softmax, control))
    if between.within_noise:
        verdict = "what the softmax adds to a second layer is within the noise"
    elif between.value > 0:
        helps = not over_control.within_noise and over_control.value > 0
        verdict = "it is the softmax" + (", not only the second layer" if helps else "")
    else:
        verdict = "the softmax does not help here: binary cross-entropy is better"
    return (
        f"On {found.protocol.report}, {verdict}: FC2 trained with SCE gives mIoU {percent(softmax.miou(REPORT))} % "
        f"({points(over)} against no retraining), with BCE {percent(control.miou(REPORT))} % "
        f"({points(over_control)}), each at the learning rate that {found.protocol.select} prefers; SCE less BCE is "
        f"{points(between)}."
    )


def round_rules(base: HeadRecipe) -> tuple[str, ...]:
    """The rules that heads of these settings can be read by, and that make masks of further rounds."""
    return tuple(rule for rule in _rules(base) if RULES[rule].makes_weights)


def _round_settings(study: Study) -> list[Setting]:
    check_fc2_trained(study.base)
    rounds = study.values["values"]
    if max(rounds, default=0) <= 1:
        raise UserError("Name at least one number of rounds above 1, to compare with a single round.")
    numbers = sorted(rounds) if 1 in rounds else [1, *sorted(rounds)]
    return [
        Setting(
            f"{rule}, {number} round{'s' if number > 1 else ''}",
            (replace(study.base, update="fc2", rule=rule, rounds=number),),
            {"rule": rule, "rounds": number},
        )
        for rule in study.values["rules"]
        for number in numbers
    ]


def _round_sentence(found: Outcome) -> str:
    chosen = found.best
    once = choose([one for one in found.settings if one.setting.values["rounds"] == 1])
    begin = (
        f"{capital(chosen.label)} is the best of {len(found.settings)} on {found.protocol.select} "
        f"({found.select_words(chosen)}) and gives {percent(chosen.miou(REPORT))} % on {found.protocol.report}"
    )
    if chosen is once:
        return f"{begin}; on the part that chooses, more rounds than one do not help."
    gain = found.difference(chosen, once)
    text = f"{begin}, {points(gain)} against the best single round ({once.setting.values['rule']})"
    return text + (", which is within the noise." if gain.within_noise else ".")


#: By the key in the address and on the command line. Another question is one entry here.
QUESTIONS: dict[str, Question] = {
    "lambda": Question(
        help="mIoU, false positives and negatives over lambda, several seeds",
        tab="Lambda",
        icon="show_chart",
        asks="How much should the softmax loss weigh beside the binary one?",
        button="Sweep lambda",
        title="Lambda sweep",
        options=(
            ListOption(
                "--values",
                "Lambdas",
                "0 is always tried: no softmax loss at all.",
                "lambdas to try; 0 is added",
                metavar="LAMBDA",
                read=float,
                noun="lambda",
                sets="weight",
                usual=lambda _: LAMBDAS,
            ),
        ),
        settings=_lambda_settings,
        varied={"lambda": "lambda"},
        chart=lambda found: _chart(found, "line", "lambda", lambda one: one.setting.values["lambda"], "log0"),
        sentence=_lambda_sentence,
        notes=_lambda_notes,
        update="both",
        seeds=(0, 1, 2),
        caution=lambda base: _FLAT if base.update == "fc2" else "",
    ),
    "masks": Question(
        help="masking choices side by side",
        tab="Masks",
        icon="texture",
        asks="Does masking the features lower false positives, and fail to lower false negatives? The paper masks on "
        "VOC, copies on COCO, and leaves open why.",
        button="Compare masks",
        title="Masks",
        options=(
            ListOption(
                "--values",
                "Masks",
                "`soft`, `none`, `hard:T`, `power:G` or `oracle`; type others, such as `hard:0.2`. The first two are "
                "always tried, as the question is about them.",
                "none, soft, hard:T, power:G or oracle",
                metavar="MASK",
                sets="mask",
                usual=lambda _: MASKS,
            ),
        ),
        settings=_mask_settings,
        varied={"mask": "mask"},
        chart=lambda found: _chart(found, "bar", "mask", lambda one: one.label),
        sentence=_mask_sentence,
        notes=_mask_notes,
        drops_unfair=True,
    ),
    "rules": Question(
        help="extraction rules against each other",
        tab="Rules",
        icon="function",
        asks="Which weights should make the map, once FC2 is trained? And how much of a plain product comes from "
        "channels whose two weights are both negative?",
        button="Compare rules",
        title="Extraction rules",
        options=(
            ListOption(
                "--rules",
                "Rules",
                "",
                "extraction rules to try",
                metavar="RULE",
                sets="rule",
                usual=_rules,
                offered=_rules,
            ),
        ),
        settings=_rule_settings,
        varied={"rule": "rule", "double_negatives": DOUBLE_NEGATIVES},
        chart=lambda found: _chart(found, "bar", "rule", lambda one: one.label),
        sentence=_rule_sentence,
        columns=lambda found: {"double_negatives": {one.label: _double_negatives(one) for one in found.settings}},
    ),
    "loss": Question(
        help="SCE against BCE on FC2: is it the softmax?",
        tab="Loss",
        icon="balance",
        asks="Is it the softmax, or merely a second layer? FC2 learns by SCE and by BCE from the same masked features.",
        button="Compare losses",
        title="Loss on FC2",
        options=(
            ListOption(
                "--values",
                "Factors on the learning rate",
                "Either loss is tried at each of these, and the part that chooses picks the one that suits it: so "
                "neither loses for want of a learning rate.",
                "factors on the learning rate",
                metavar="F",
                read=float,
                noun="factor",
                sets="loss",
                usual=lambda _: RATES,
            ),
        ),
        settings=_loss_settings,
        varied={"loss": "loss on FC2", "lr": "learning rate"},
        chart=lambda found: _chart(
            found,
            "line",
            "learning rate",
            lambda one: one.setting.values["lr"],
            "log0",
            lambda one: _LOSS_TITLES[one.setting.values["loss"]],
        ),
        sentence=_loss_sentence,
    ),
    "rounds": Question(
        help="masks made anew from FC2's maps, and FC2 trained again",
        tab="Rounds",
        icon="cycle",
        asks="Does it help to make masks anew from FC2's maps, and to train FC2 again on them?",
        button="Try rounds",
        title="Rounds of masking and training",
        options=(
            ListOption(
                "--values",
                "Rounds",
                "Trainings of FC2; 1 is always tried.",
                "numbers of rounds to try",
                metavar="N",
                read=int,
                noun="number of rounds",
                sets="rounds",
                usual=lambda _: ROUNDS,
            ),
            ListOption(
                "--rules",
                "Rules",
                "They make the masks of the next round as well as the maps.",
                "extraction rules to try",
                metavar="RULE",
                sets="rule",
                usual=lambda _: ROUND_RULES,
                offered=round_rules,
                begin=lambda base: (*ROUND_RULES, *(["difference"] if base.background > 0 else [])),
            ),
        ),
        settings=_round_settings,
        varied={"rule": "rule", "rounds": "rounds"},
        chart=lambda found: _chart(
            found,
            "line",
            "rounds",
            lambda one: one.setting.values["rounds"],
            "linear",
            lambda one: one.setting.values["rule"],
        ),
        sentence=_round_sentence,
        has_update=False,
    ),
    "grid": GRID,
    "pair": PAIR,
}
