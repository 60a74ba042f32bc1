"""What a study says of given scores, to the letter: tables, charts, sentences and commands, as they were kept.

No head is trained: scores come from a generator that begins anew with each setting's name, so that they are the same on
every machine. After a change that is meant, ``python tests/test_studies.py`` keeps the results anew.
"""

import hashlib
import json
import shlex
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from recam_core.analysis.outcomes import Outcomes
from recam_core.cli.experiment import asked
from recam_core.cli.main import build_parser
from recam_core.data.sample import ClassList
from recam_core.experiments.experiment import text_table
from recam_core.experiments.lab import REFERENCE, Setting, SettingResult
from recam_core.experiments.part_score import PartScore
from recam_core.experiments.protocol import PARTS, REPORT, SELECT, Protocol
from recam_core.experiments.questions import QUESTIONS
from recam_core.retrain.head_recipe import HeadRecipe
from recam_core.retrain.heads import HeadResult
from recam_core.scores.scores import Scores

KEPT = Path(__file__).with_name("study_results.json")
COMMANDS = {
    "lambda": "lambda --values 0.1 1 10 --seeds 0 1",
    "lambda, FC2 alone": "lambda --values 0.1 1 --update fc2",
    "masks": "masks --values none soft hard:0.2 oracle --background 0.2 --rule sum",
    "rules": "rules",
    "rules, with a row": "rules --rules sum difference --background 0.2 --background-power 2 --update both --seeds 0 1",
    "loss": "loss --values 1 4 --lr 0.1 --weight-decay 0.01",
    "rounds": "rounds --values 2 3 --rules fc2 sum --epochs 50",
    "grid": "grid --x mask soft oracle --y lambda 0.1 1 --update both --seeds 3 4 --batch-size 8",
    "pair": "pair --x mask none soft --y rule sum fc2 --pair cow,sheep",
    "pair, the most confused": "pair --x update --y epochs 5 10 --seeds 0 1",
}
CLASSES = ClassList(("cow", "sheep", "dog"), True)
PICTURES = {"fit": 40, SELECT: 10, REPORT: 12}


def scored(name: str, part: str) -> PartScore:
    """Scores that follow from a name: 60 wrong and right pixels a picture."""
    generator = np.random.default_rng(list(hashlib.sha256(f"{name} {part}".encode()).digest()[:8]))
    pictures, values = PICTURES[part], len(CLASSES) + 1
    truth = np.tile(np.repeat(np.arange(values), values), pictures)
    predicted = np.tile(np.arange(values), values * pictures)
    image = np.repeat(np.arange(pictures), values * values)
    pixels = generator.integers(0, 40, len(truth)) + 60 * (truth == predicted)
    outcomes = Outcomes(
        pictures, CLASSES, truth.astype(np.uint8), predicted.astype(np.uint8), image.astype(np.int32), pixels
    )
    threshold = round(float(generator.random()), 2)
    return PartScore(part, False, Scores(threshold, outcomes.confusion(), True), outcomes)


def head(name: str, recipe: HeadRecipe) -> HeadResult:
    generator = np.random.default_rng(list(hashlib.sha256(name.encode()).digest()[:8]))
    fc1, fc2 = (torch.from_numpy(generator.integers(-3, 3, (3, 16)).astype(np.float32)) for _ in range(2))
    return HeadResult(fc1, fc2, recipe, [], 0.0)


def measured(setting: Setting) -> SettingResult:
    names = [f"{setting.label} {recipe.seed}" for recipe in setting.recipes]
    select, report = (tuple(scored(name, part) for name in names) for part in (SELECT, REPORT))
    heads = tuple(head(name, recipe) for name, recipe in zip(names, setting.recipes, strict=True))
    return SettingResult(setting, heads, select, report)


class GivenScores:
    """In the place of a :class:`recam_core.experiments.lab.HeadLab`."""

    protocol = Protocol("d@train.fit", "d@train.select", "d@val")
    exact = False
    fit = SimpleNamespace(has_truth=True)
    run = SimpleNamespace(
        info=SimpleNamespace(
            name="bce", data="a disk", class_list=CLASSES, classes=list(CLASSES.names), has_background=True
        )
    )

    def pictures(self, part: str) -> int:
        return PICTURES[part]

    def measure(self, settings: Sequence[Setting], progress: object) -> tuple[SettingResult, list[SettingResult]]:
        before = Setting(REFERENCE, (HeadRecipe(weight=0.0, rule="fc1"),))
        return measured(before), [measured(one) for one in settings]


parser = cache(build_parser)


def arguments_of(kind: str, *words: str) -> Any:
    return parser().parse_args(["experiment", kind, "RUN", "--data", "d@train", *words])


def told(command: str) -> dict[str, Any]:
    """All that is shown of a study."""
    arguments = arguments_of(*shlex.split(command))
    found = asked(arguments).run(GivenScores())
    values = found.to_json()
    for row in values["rows"]:
        usual = asdict(HeadRecipe())
        row["recipe"] = {name: value for name, value in (row["recipe"] or {}).items() if value != usual[name]}
    return values | {"varied": found.varied, "text": text_table(found).splitlines()}


def test_all_questions_are_asked() -> None:
    assert {command.split()[0] for command in COMMANDS.values()} == set(QUESTIONS)
    assert list(told("masks --values soft")["pictures"]) == list(PARTS)


@pytest.mark.parametrize("name", list(COMMANDS))
def test_what_is_said_of_given_scores_stays_as_it_is(name: str) -> None:
    kept, now = json.loads(KEPT.read_text(encoding="utf-8"))[name], json.loads(json.dumps(told(COMMANDS[name])))
    assert list(kept) == list(now)
    for what, value in kept.items():
        assert alike(value, now[what]), what


def rounded(value: Any) -> Any:
    """To what is kept."""
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(each) for each in value]
    return round(value, 6) if isinstance(value, float) else value


def alike(one: object, other: object) -> bool:
    """Whether two values are the same up to the rounding of sums."""
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) < 2e-6
    return one == other


@pytest.mark.parametrize("name", list(COMMANDS))
def test_a_printed_command_asks_for_the_same(name: str) -> None:
    """The words that a form prints, which come from the table as well."""
    one = asked(arguments_of(*shlex.split(COMMANDS[name])))
    again = asked(arguments_of(one.kind, *one.words()))
    assert again.settings == one.settings
    assert (again.values, again.seeds, again.base) == (one.values, one.seeds, one.base)


if __name__ == "__main__":
    lines = [f"{json.dumps(name)}: {json.dumps(rounded(told(command)))}" for name, command in COMMANDS.items()]
    KEPT.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
