"""A study: a question about the retraining, asked with values, seeds and all other settings, and what came out.

What can be asked stands in the table of :mod:`recam_core.experiments.questions`; the options of the command line, the
forms of the Lab and the commands that it prints come from there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from recam_core.data.sample import ClassList
from recam_core.errors import UserError
from recam_core.experiments.axes import AXES, Axis, axis, setting_of
from recam_core.experiments.chart import Chart
from recam_core.experiments.experiment import (
    Experiment,
    Row,
    choose,
    pictures_of,
    select_words,
    standing_notes,
    table_rows,
)
from recam_core.experiments.figures import FIGURES
from recam_core.experiments.lab import HeadLab, Setting, SettingResult, check_settings, head_recipes
from recam_core.experiments.noise import Difference, Draws
from recam_core.experiments.protocol import REPORT, Protocol
from recam_core.method.background import check_background
from recam_core.progress import ProgressFn, silent
from recam_core.retrain.head_recipe import HeadRecipe, completed
from recam_core.setting import exact_text, options

#: Trains and scores settings: :meth:`HeadLab.measure`, or what remembers its results.
Measure = Callable[[Sequence[Setting], ProgressFn], tuple[SettingResult, list[SettingResult]]]


@dataclass(frozen=True)
class Option:
    """What a question varies: an option of the command line, and a field of the form.

    Attributes:
        flag: of the command line; without its dashes, the name of what is asked.
        label, hint: of the field in a form.
        help: of the command line.
    """

    flag: str
    label: str
    hint: str = ""
    help: str = ""

    @property
    def name(self) -> str:
        """What :func:`recam_core.experiments.questions.ask` calls it."""
        return self.flag.removeprefix("--")

    def value(self, given: Any, base: HeadRecipe) -> Any:
        """What the study gets: ``given``, or what is usual where that is None."""
        return given

    def words(self, value: Any) -> list[str]:
        """The option with its value on a command line."""
        return [self.flag, *map(exact_text, value)]


@dataclass(frozen=True)
class ListOption(Option):
    """Values of one kind.

    Attributes:
        metavar: of one of them on the command line.
        read: a value from its text; raises ValueError.
        noun: what a sentence calls one.
        sets: the field of :class:`HeadRecipe` that the question sets by it.
        usual: what is tried unless values are named, given all other settings.
        offered: what a form offers where no others can be typed.
        begin: what a form begins with, where that is not the usual.
    """

    metavar: str = "VALUE"
    read: Callable[[str], Any] = str
    noun: str = "value"
    sets: str = ""
    usual: Callable[[HeadRecipe], Sequence[Any]] = lambda _: ()
    offered: Callable[[HeadRecipe], Sequence[str]] | None = None
    begin: Callable[[HeadRecipe], Sequence[Any]] | None = None

    def value(self, given: Sequence[Any] | None, base: HeadRecipe) -> tuple[Any, ...]:
        return tuple(self.usual(base) if given is None else given)

    def of_texts(self, texts: Sequence[str]) -> tuple[Any, ...]:
        """Values from the texts of a form.

        Raises:
            UserError: one that is no number, or none at all, where numbers are asked for.
        """
        found = []
        for text in texts:
            try:
                found.append(self.read(text))
            except ValueError:
                raise UserError(f"'{text}' is no {self.noun}: write a number.") from None
        if not found and self.read is not str:
            raise UserError(f"Name at least one {self.noun}.")
        return tuple(found)


@dataclass(frozen=True)
class AxisOption(Option):
    """One axis of a grid: a setting and its values.

    Attributes:
        usual: the setting that is varied unless another is named.
    """

    usual: str = next(iter(AXES))

    def value(self, given: Axis | None, base: HeadRecipe) -> Axis:
        return axis(self.usual) if given is None else given

    def words(self, value: Axis) -> list[str]:
        return [self.flag, value.name, *map(exact_text, value.values)]


@dataclass(frozen=True)
class PairOption(Option):
    """Two classes by their names; None leaves the choice to the question."""

    def words(self, value: Sequence[str] | None) -> list[str]:
        return [self.flag, ",".join(value)] if value else []


@dataclass(frozen=True, eq=False)
class Outcome:
    """What was measured for a study, before anything is said of it.

    Attributes:
        values: what was asked, by name of the option.
        protocol: which pictures did what.
        pictures: how many each part has.
        exact: whether all pixels were scored at the usual scales.
        reference: the run before it was retrained.
        settings: everything that was tried.
        notes: what a reader should know of it, whatever the question.
        left_out: settings that were not tried, for want of ground truth.
    """

    values: Mapping[str, Any]
    protocol: Protocol
    pictures: dict[str, int]
    exact: bool
    reference: SettingResult
    settings: tuple[SettingResult, ...]
    notes: tuple[str, ...] = ()
    left_out: tuple[Setting, ...] = ()

    @property
    def axes(self) -> tuple[Axis, Axis]:
        """Of a grid: x and y."""
        return self.values["x"], self.values["y"]

    @property
    def classes(self) -> ClassList:
        """Of the data."""
        return self.reference.select[0].outcomes.classes

    @cached_property
    def best(self) -> SettingResult:
        """The setting with the highest mIoU on the part that chooses."""
        return choose(self.settings)

    @cached_property
    def draws(self) -> Draws:
        """Of the pictures that report, and of the seeds."""
        return Draws(self.pictures[REPORT], max(len(one.report) for one in self.settings))

    def difference(self, one: SettingResult, other: SettingResult, figure: str = "miou") -> Difference:
        """A figure of one setting less that of another, where figures are reported."""
        return self.draws.difference(one.on(REPORT), other.on(REPORT), FIGURES[figure][0])

    def select_words(self, one: SettingResult) -> str:
        """See :func:`recam_core.experiments.experiment.select_words`."""
        return select_words(one, self.settings)


def standard_rows(found: Outcome) -> list[Row]:
    """The table that most questions have."""
    return table_rows(found.reference, found.settings, found.protocol, found.best.label)


@dataclass(frozen=True)
class Question:
    """A question that many head runs answer: what it tries, a chart and a sentence.

    Attributes:
        help: a line of the command line.
        tab, icon: of it in the Lab; the icon is one of Material's.
        asks: the question as people ask it.
        button: what starts it.
        title: of its result.
        options: what it varies.
        settings: what is tried; raises UserError.
        varied: by key of ``Setting.values``, what is varied, for column heads.
        chart: of the figures.
        sentence: what the data supports.
        notes: what a reader should know.
        choose: the setting that the part that chooses prefers; None for none.
        rows: the table.
        columns: what else it has: by name of a column, values by label of a setting.
        update: what is trained unless another is named; only this where ``has_update`` is False.
        has_update: whether what is trained, and how many seeds, can be asked for.
        seeds: unless others are named.
        drops_unfair: whether settings that look at ground truth are left out where there is none, not refused.
        caution: what to know before it is started; "" for nothing.
    """

    help: str
    tab: str
    icon: str
    asks: str
    button: str
    title: str | Callable[[Outcome], str]
    options: tuple[Option, ...]
    settings: Callable[[Study], Sequence[Setting]]
    varied: dict[str, str] | Callable[[Outcome], dict[str, str]]
    chart: Callable[[Outcome], Chart]
    sentence: Callable[[Outcome], str]
    notes: Callable[[Outcome], Sequence[str]] = lambda found: found.notes
    choose: Callable[[Outcome], SettingResult | None] = lambda found: found.best
    rows: Callable[[Outcome], Sequence[Row]] = standard_rows
    columns: Callable[[Outcome], Mapping[str, Mapping[str, float]]] = lambda found: {}
    update: str = "fc2"
    has_update: bool = True
    seeds: tuple[int, ...] = (0,)
    drops_unfair: bool = False
    caution: Callable[[HeadRecipe], str] = lambda base: ""

    def answer(self, kind: str, found: Outcome) -> Experiment:
        """Table, chart and sentence of what was measured."""
        chosen = self.choose(found)
        more = self.columns(found)
        rows = [row | {name: column.get(row["key"]) for name, column in more.items()} for row in self.rows(found)]
        return Experiment(
            kind,
            self.title if isinstance(self.title, str) else self.title(found),
            found.protocol,
            found.pictures,
            found.exact,
            self.varied if isinstance(self.varied, dict) else self.varied(found),
            tuple(rows),
            self.chart(found),
            self.sentence(found),
            chosen.label if chosen else None,
            tuple(self.notes(found)),
            found.reference,
            found.settings,
        )


@dataclass(frozen=True, eq=False)
class Study:
    """A question with everything that was left open in it; from :func:`recam_core.experiments.questions.ask`.

    Attributes:
        kind: its key in the table.
        question: its entry there.
        values: what it varies, by name of the option.
        seeds: of the order of the batches, where FC1 is trained as well.
        base: every other setting.
        settings: what is tried.
    """

    kind: str
    question: Question
    values: Mapping[str, Any]
    seeds: tuple[int, ...]
    base: HeadRecipe
    settings: tuple[Setting, ...] = field(default=(), repr=False)

    @staticmethod
    def of(
        kind: str,
        question: Question,
        given: Mapping[str, Any],
        seeds: Sequence[int] | None = None,
        base: HeadRecipe | None = None,
    ) -> Study:
        """The study with its settings, checked; what is None is as usual.

        Raises:
            UserError: a setting out of range or named twice, none at all, or settings that would show nothing.
        """
        base = HeadRecipe(update=question.update) if base is None else base
        values = {one.name: one.value(given.get(one.name), base) for one in question.options}
        study = Study(kind, question, values, tuple(question.seeds if seeds is None else seeds), base)
        return replace(study, settings=tuple(check_settings(question.settings(study))))

    @property
    def axes(self) -> tuple[Axis, Axis]:
        """Of a grid: x and y."""
        return self.values["x"], self.values["y"]

    def seeded(self, **changes: Any) -> tuple[HeadRecipe, ...]:
        """The other settings with some changed, once a seed; once in all where the training has nothing random."""
        recipe = replace(self.base, **changes)
        if recipe.update == "fc2":
            return (replace(recipe, seed=0),)
        return tuple(replace(recipe, seed=int(seed)) for seed in dict.fromkeys(self.seeds))

    def check(self, classes: ClassList, data: str) -> None:
        """Make sure that the study suits the classes of a data set.

        Raises:
            UserError: a background row for data without a background class, or a pair that is none.
        """
        for setting in self.settings:
            for recipe in setting.recipes:
                check_background(recipe, classes.has_background, data)
        for option in self.question.options:
            if isinstance(option, PairOption) and (names := self.values[option.name]):
                find_pair(names, classes)

    def words(self) -> list[str]:
        """The words of the command line, after the run and the data."""
        words = [word for one in self.question.options for word in one.words(self.values[one.name])]
        varied = self.varied
        if self.question.has_update and "update" not in varied:
            words += ["--update", self.base.update]
        if self.question.has_update and (self.base.update == "both" or "update" in varied):
            words += ["--seeds", *map(str, self.seeds)]
        usual = HeadRecipe(update=self.base.update)
        return words + options(self.base, usual)

    @property
    def varied(self) -> set[str]:
        """Fields of :class:`HeadRecipe` that the question sets itself."""
        found = {value.name for value in self.values.values() if isinstance(value, Axis)}
        listed = {one.sets for one in self.question.options if isinstance(one, ListOption)}
        return {setting_of(HeadRecipe, name).name for name in found} | listed

    def trainings(self) -> list[HeadRecipe]:
        """What is gone through apart from each other; heads that are trained side by side, or are the same, once."""
        return list(dict.fromkeys(_apart(recipe) for setting in self.settings for recipe in head_recipes(setting)))

    def run(self, lab: HeadLab, progress: ProgressFn = silent, measure: Measure | None = None) -> Experiment:
        """Train and score everything, and put it into a table, a chart and a sentence.

        Args:
            lab: run and data.
            progress: see :meth:`HeadLab.measure`.
            measure: in the place of that.

        Raises:
            UserError: see :meth:`HeadLab.measure`.
        """
        return self.question.answer(self.kind, self.measured(lab, progress, measure))

    def measured(self, lab: HeadLab, progress: ProgressFn = silent, measure: Measure | None = None) -> Outcome:
        """What :meth:`run` says something about."""
        blind = self.question.drops_unfair and not lab.fit.has_truth
        tried = [one for one in self.settings if one.fair or not blind]
        reference, found = (measure or lab.measure)(tried, progress)
        return Outcome(
            self.values,
            lab.protocol,
            pictures_of(lab),
            lab.exact,
            reference,
            tuple(found),
            tuple(standing_notes(lab, found)),
            tuple(one for one in self.settings if one not in tried),
        )


def _apart(recipe: HeadRecipe) -> HeadRecipe:
    """A recipe without what heads that are trained side by side may differ in."""
    recipe, usual = completed(recipe), HeadRecipe()
    return replace(
        recipe,
        weight=usual.weight,
        lr=usual.lr,
        weight_decay=usual.weight_decay,
        background=usual.background,
        rule=usual.rule if recipe.rounds == 1 else recipe.rule,
        loss=usual.loss if recipe.update == "fc2" else recipe.loss,
    )


def find_pair(names: Sequence[str], classes: ClassList) -> tuple[int, int]:
    """The values (k + 1) of two classes by name.

    Raises:
        UserError: not two different names of classes.
    """
    wanted = [name.strip().casefold() for name in names]
    known = {name.casefold(): k + 1 for k, name in enumerate(classes.names)}
    for name in wanted:
        if name not in known:
            raise UserError(f"There is no class '{name}': choose two of {', '.join(classes.names)}.")
    if len(wanted) != 2 or wanted[0] == wanted[1]:
        raise UserError("A pair is two different classes, such as cow,sheep.")
    return known[wanted[0]], known[wanted[1]]
