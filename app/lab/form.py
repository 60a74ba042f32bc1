"""The form of a question, out of its entry in the table: what it varies, every other setting, the cost, the command."""

import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import streamlit as st

from app.lab.setup import Setup
from app.recipe_fields import number_field, power_field, rule_field, rules_help, weight_field
from recam_core.errors import UserError
from recam_core.experiments.axes import AXES, OF_THE_ROW, Axis, axis, setting_of, value_text
from recam_core.experiments.protocol import FIT, REPORT, SELECT, protocol_for
from recam_core.experiments.questions import MASKS, QUESTIONS, ask
from recam_core.experiments.study import AxisOption, ListOption, PairOption, Question, Study
from recam_core.guest import as_typed_spec
from recam_core.method.extraction import rules_of
from recam_core.retrain.head_recipe import DEFAULTS, HeadRecipe, completed, usual_heads
from recam_core.setting import settings
from recam_core.typed_path import as_typed

_UPDATES = {"fc2": "FC2 only", "both": "FC1 and FC2"}
_MOST_SEEDS = 5
#: Seconds on two cores, measured on the drawn scenes (320 x 240 pixels): a picture through the backbone at one scale,
#: a picture in an epoch of FC1 and FC2 (about ten heads side by side), an epoch of FC2 alone (it takes all pictures at
#: once), and a head on a scored picture.
_FEATURES, _BOTH, _FC2, _SCORING = 0.09, 0.0012, 0.0035, 0.0005
#: Of exact scoring: a picture through the backbone at two scales with mirror images, and a head on it.
_EXACT_FEATURES, _EXACT_SCORING = 0.35, 0.005
#: Reading what is kept, and drawing pictures anew for the intervals.
_FIXED = 4.0


def study_form(kind: str, setup: Setup) -> Study:
    """Draw the form of a question, and give the study that it asks for.

    Raises:
        UserError: a value that cannot be.
    """
    question, values = QUESTIONS[kind], dict[str, Any]()
    lists = [one for one in question.options if isinstance(one, ListOption)]
    axes = [one for one in question.options if isinstance(one, AxisOption)]
    for option in question.options:
        if isinstance(option, PairOption):
            values[option.name] = _pair(option, kind, setup)
    columns = st.columns([1, *[1.4] * (len(lists) - 1)], gap="medium") if len(lists) > 1 else [st.container()]
    places, texts = dict(zip(lists, columns, strict=False)), dict[ListOption, Sequence[str]]()
    for option, place in places.items():
        if option.offered is None:
            with place:
                key = f"lab_{kind}_{_field(question, option)}"
                texts[option] = values_input(option.label, option.usual(HeadRecipe()), key, option.hint)
    names, rows = axis_choices(axes, f"lab_{kind}--", AXES, HeadRecipe, setup.has_background)
    for option in axes:
        if names[option.name] != "rule":
            values[option.name] = _axis(option, names[option.name], kind, rows[option.name])
    varied = {one.sets for one in lists} | {setting_of(HeadRecipe, name).name for name in names.values()}
    least = min((min(one.values) for one in values.values() if _is_background(one)), default=0.0)
    base, seeds = _base(kind, question, varied, setup.has_background, least)
    # Last, as some rules need the background row, which is an axis or among the other settings.
    has_row = base.background > 0
    for option, place in places.items():
        if option.offered is not None:
            key = f"lab_{kind}_{_field(question, option)}"
            offered, begin = option.offered(base), (option.begin or option.usual)(base)
            texts[option] = place.multiselect(
                option.label,
                offered,
                default=begin,
                key=f"{key}_with_row" if has_row else key,
                persist_state="session",
                help=option.hint or rules_help(offered),
            )
        values[option.name] = option.of_texts(texts[option])
    for option in axes:
        if names[option.name] == "rule":
            values[option.name] = _axis(option, "rule", kind, rows[option.name], has_row)
    study = ask(kind, seeds, base, **values)
    study.check(setup.entry.info.class_list, setup.data)
    if caution := question.caution(base):
        st.caption(f":material/info: {caution}")
    return study


def _field(question: Question, option: ListOption) -> str:
    """What the key of a field ends with; the first of a question has its values, whatever its flag."""
    return "values" if option is question.options[0] else option.name


def _is_background(value: object) -> bool:
    return isinstance(value, Axis) and value.name == "background"


def values_input(label: str, usual: Sequence[object], key: str, help: str) -> list[str]:
    """A list of values with the usual ones in it, to take out and to add to: texts of the chosen values."""
    texts = [value_text(value) for value in usual]
    chosen = st.multiselect(
        label,
        texts,
        default=texts,
        accept_new_options=True,
        key=key,
        persist_state="session",
        help=help,
    )
    return [str(text).strip() for text in chosen]


def axis_choices(
    options: Sequence[AxisOption],
    key: str,
    axes: Mapping[str, tuple[Any, ...]],
    recipe: type,
    has_background: bool,
) -> tuple[dict[str, str], dict[str, st.delta_generator.DeltaGenerator]]:
    """By name of the option, the setting of each axis of a grid, and the place beside it for its values.

    Args:
        options: the axes.
        key: what the keys of widgets begin with.
        axes: the settings that can be varied.
        recipe: whose settings they are.
        has_background: whether there is a background class; without one there is nothing that its row could learn.
    """
    offered = [name for name in axes if has_background or name not in OF_THE_ROW]
    names, places = {}, {}
    for option in options:
        left, places[option.name] = st.columns([1, 3.6], gap="medium")
        names[option.name] = left.selectbox(
            option.label,
            offered,
            index=offered.index(option.usual),
            key=f"{key}{option.name}",
            persist_state="session",
            help="\n".join(f"- **{one}**: {setting_of(recipe, one).meaning}" for one in offered),
        )
    return names, places


def axis_values(
    name: str, usual: Sequence[object], key: str, recipe: type, place: st.delta_generator.DeltaGenerator
) -> list[str]:
    """The values of an axis of a grid as they were typed.

    Raises:
        UserError: there is none.
    """
    with place:
        texts = values_input("Values", usual, key, setting_of(recipe, name).meaning)
    if not texts:
        raise UserError(f"Name at least one value of {name}.")
    return texts


def _axis(
    option: AxisOption, name: str, kind: str, place: st.delta_generator.DeltaGenerator, has_row: bool = False
) -> Axis:
    usual = rules_of(True, has_row) if name == "rule" else AXES[name]
    key = f"lab_{kind}{option.flag}_{name}{'_with_row' if has_row else ''}"
    return axis(name, axis_values(name, usual, key, HeadRecipe, place))


def _pair(option: PairOption, kind: str, setup: Setup) -> list[str] | None:
    names = st.multiselect(
        option.label,
        setup.entry.info.class_list.names,
        max_selections=2,
        placeholder="The two that the run confuses most on the part that chooses",
        key=f"lab_{kind}_{setup.family.key}",
        persist_state="session",
        help=option.hint,
    )
    return names or None


def _base(
    kind: str, question: Question, varied: Collection[str], has_background: bool, least: float
) -> tuple[HeadRecipe, tuple[int, ...]]:
    """Draw the settings that the question does not vary, and give them with the seeds.

    Args:
        kind, question: of the study.
        varied: fields of :class:`HeadRecipe` that the question sets itself; they are left as they are.
        has_background: whether the run has a background class, which a row of FC2 can learn.
        least: the smallest weight of the background row, where that is varied.

    Raises:
        UserError: a setting that cannot work.
    """
    recipe = HeadRecipe(update=question.update)
    line = st.container(horizontal=True, vertical_alignment="bottom", gap="medium")
    if question.has_update and "update" not in varied:
        chosen = line.segmented_control(
            "Update",
            list(_UPDATES),
            default=question.update,
            required=True,
            format_func=_UPDATES.__getitem__,
            key=f"lab_{kind}_update",
            persist_state="session",
            help="What is trained. FC2 alone is quick and has one solution, so seeds change nothing. FC1 as well: the "
            "masks change in every step, and the order of the pictures matters.",
        )
        recipe = HeadRecipe(update=chosen)
    count = 1
    if recipe.update == "both" or "update" in varied:
        count = line.number_input(
            "Seeds",
            min_value=1,
            max_value=_MOST_SEEDS,
            value=len(question.seeds),
            width=150,
            key=f"lab_{kind}_seeds",
            persist_state="session",
            help="How often each setting is trained, with the pictures in another order; their spread is shown.",
        )
    recipe = _others(kind, varied, has_background, recipe, least, line)
    completed(recipe)
    return recipe, tuple(range(int(count)))


def _others(
    kind: str,
    varied: Collection[str],
    has_background: bool,
    recipe: HeadRecipe,
    least: float,
    line: st.delta_generator.DeltaGenerator,
) -> HeadRecipe:
    """The recipe with what is rarely changed."""
    known, update = settings(HeadRecipe), recipe.update
    with line, st.popover("Other settings", icon=":material/tune:", key=f"lab_{kind}_others") as box:
        if "mask" not in varied:
            options = [recipe.mask, *(mask for mask in MASKS if mask != recipe.mask)]
            recipe = replace(recipe, mask=_choice("Mask", options, f"lab_{kind}_mask"))
        # Before the rules, some of which need the row. 0 to begin with: the experiments are about the paper's FC2.
        if "background" in varied:
            recipe = replace(recipe, background=least)
        elif has_background:
            recipe = replace(recipe, background=weight_field(box, recipe.background, f"lab_{kind}_background"))
        if "background_power" not in varied and (recipe.background > 0 or "background" in varied):
            recipe = replace(recipe, background_power=power_field(box, f"lab_{kind}_background_power"))
        if "rule" not in varied:
            has_row = recipe.background > 0
            key = f"lab_{kind}_rule_with_row" if has_row else f"lab_{kind}_rule"
            rule = rule_field(box, rules_of(True, has_row), usual_heads(has_row).rule, key)
            recipe = replace(recipe, rule=rule)
        if "weight" not in varied and (update == "both" or "update" in varied):
            weight = number_field(box, known["weight"], recipe.weight, f"lab_{kind}_weight")
            recipe = replace(recipe, weight=weight)
        zero = "0 takes what suits: {} for FC2 alone, {} for both."
        (epochs, lr), (epochs_both, lr_both) = DEFAULTS["fc2"], DEFAULTS["both"]
        if "epochs" not in varied:
            words = zero.format(epochs, epochs_both)
            found = number_field(box, known["epochs"], 0, f"lab_{kind}_epochs", least=0, help=words)
            recipe = replace(recipe, epochs=int(found))
        if "lr" not in varied:
            words = zero.format(lr, lr_both)
            recipe = replace(recipe, lr=number_field(box, known["lr"], 0, f"lab_{kind}_lr", least=0, help=words))
    return recipe


def _choice(label: str, options: list[str], key: str) -> str:
    chosen = st.selectbox(label, options, accept_new_options=True, key=key, persist_state="session")
    return (chosen or options[0]).strip()


def study_command(study: Study, setup: Setup) -> str:
    """The command line that does what the form asks for."""
    words = ["python", "-m", "recam_core", "experiment", study.kind, str(as_typed(setup.entry.path))]
    words += ["--data", as_typed_spec(setup.data)]
    if setup.protocol != protocol_for(setup.data):
        words += ["--report", as_typed_spec(setup.protocol.report)]
    words += ["--exact"] if setup.exact else []
    return shlex.join([*words, *study.words()])


def cost_words(study: Study, pictures: Mapping[str, int], exact: bool) -> str:
    """About how long a study takes on two cores.

    Args:
        study: is asked for.
        pictures: how many each part has.
        exact: whether all pixels are scored.
    """
    first = _FEATURES * sum(pictures.values())
    seeds = f" with {len(study.seeds)} seeds each" if len(study.seeds) > 1 else ""
    other = "" if exact else f", or {_rounded(_seconds(study, pictures, True))} with every pixel scored"
    return (
        f"{len(study.settings)} settings{seeds}: about {_rounded(_seconds(study, pictures, exact))} on two "
        f"cores{other}. The first time on these {sum(pictures.values()):,} pictures, their features take "
        f"{_rounded(first)} more."
    )


def _seconds(study: Study, pictures: Mapping[str, int], exact: bool) -> float:
    heads = sum(len(setting.recipes) for setting in study.settings)
    scored = pictures[SELECT] + pictures[REPORT]
    epoch = {"both": _BOTH * pictures[FIT], "fc2": _FC2 * max(1, pictures[FIT] / 250)}
    training = sum(one.rounds * one.epochs * epoch[one.update] for one in study.trainings())
    scoring = _EXACT_FEATURES + heads * _EXACT_SCORING if exact else heads * _SCORING
    return _FIXED + training + scored * scoring


def _rounded(seconds: float) -> str:
    """A duration that claims no more than it knows."""
    if seconds < 55:
        return f"{max(5, 5 * round(seconds / 5))} s"
    if seconds < 3300:
        minutes = max(1, round(seconds / 60))
        return "a minute" if minutes == 1 else f"{minutes} minutes"
    return f"{seconds / 3600:.1f} hours"
