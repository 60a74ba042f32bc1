"""The result of an experiment as a file, from which it can be shown again as it was."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from recam_core.atomic_write import write_json
from recam_core.data.sample import ClassList
from recam_core.errors import UserError
from recam_core.experiments.chart import Chart, Heat
from recam_core.experiments.experiment import Experiment
from recam_core.experiments.lab import Setting, SettingResult
from recam_core.experiments.part_score import PartScore, score_from_json, score_to_json
from recam_core.experiments.protocol import PARTS, REPORT, SELECT, Protocol
from recam_core.records import RecordError, check_version, opened_record
from recam_core.train.recipe import from_json

RESULT_FILE = "result.json"
#: Of the form of the result; those of before there were versions are of 0, and lack nothing else.
VERSION = 1
#: Bytes that a result may have: it holds pixel counts of every picture and setting.
_LARGEST = 1 << 30


def write_result(folder: Path, found: Experiment, scored: Sequence[str]) -> None:
    """Keep the result of full trainings.

    Args:
        folder: of the grid; the folders of its runs are kept relative to it.
        found: what came out.
        scored: ids of the pictures of the part that reports, in the order of the scores.

    Raises:
        UserError: the folder cannot be written to.
    """
    classes = found.reference.select[0].outcomes.classes
    values = found.to_json() | {
        "version": VERSION,
        "classes": list(classes.names),
        "has_background": classes.has_background,
        "exact": found.exact,
        "varied": found.varied,
        "reference": _result_to_json(found.reference, folder),
        "settings": [_result_to_json(one, folder) for one in found.settings],
        "scored": list(scored),
    }
    write_json(folder / RESULT_FILE, values)


def read_result(folder: Path) -> tuple[Experiment, tuple[str, ...]]:
    """What :func:`write_result` kept: the result, and the ids of the scored pictures.

    Raises:
        UserError: there is none, or it is damaged.
    """
    file = folder / RESULT_FILE
    try:
        return _read_result(file, folder)
    except RecordError as error:
        if not error.is_missing:
            raise
        raise UserError(f"{folder} holds no result of an experiment.") from error


def _read_result(file: Path, folder: Path) -> tuple[Experiment, tuple[str, ...]]:
    with opened_record(file, _LARGEST) as values:
        check_version(values.get("version", 0), range(VERSION + 1))
        classes = ClassList(tuple(values["classes"]), bool(values["has_background"]))
        found = Experiment(
            str(values["kind"]),
            str(values["title"]),
            Protocol(*(str(values["parts"][part]) for part in PARTS)),
            {part: int(values["pictures"][part]) for part in PARTS},
            bool(values["exact"]),
            dict(values["varied"]),
            tuple(dict(row) for row in values["rows"]),
            _chart(values["chart"]),
            str(values["sentence"]),
            values["chosen"],
            tuple(str(note) for note in values["notes"]),
            _measured(values["reference"], folder, classes),
            tuple(_measured(one, folder, classes) for one in values["settings"]),
        )
        return found, tuple(str(id) for id in values["scored"])


def _result_to_json(one: SettingResult, folder: Path) -> dict[str, Any]:
    return {
        "label": one.label,
        "recipes": [recipe.to_json() for recipe in one.setting.recipes],
        "values": dict(one.setting.values),
        "fair": one.setting.fair,
        "runs": [Path(run).name if Path(run).parent == folder else run for run in one.runs],
        SELECT: [score_to_json(score) for score in one.select],
        REPORT: [score_to_json(score) for score in one.report],
    }


def _measured(values: dict[str, Any], folder: Path, classes: ClassList) -> SettingResult:
    recipes = tuple(from_json(recipe) for recipe in values["recipes"])
    setting = Setting(str(values["label"]), recipes, dict(values["values"]), bool(values["fair"]))
    select, report = (_scores(values[part], classes) for part in (SELECT, REPORT))
    # A name becomes a path inside the folder, wherever that lies by now.
    return SettingResult(setting, (), select, report, tuple(str(folder / run) for run in values["runs"]))


def _scores(values: list, classes: ClassList) -> tuple[PartScore, ...]:
    return tuple(score_from_json(score, classes) for score in values)


def _chart(values: dict[str, Any]) -> Chart:
    """A chart of heat maps; grids have no other."""
    heats = tuple(
        Heat(
            heat["part"],
            tuple(heat["x"]),
            tuple(heat["y"]),
            tuple(tuple(row) for row in heat["values"]),
            tuple(tuple(row) for row in heat["keys"]),
        )
        for heat in values["heats"]
    )
    kind, x_title, y_title, x_scale, spread = (
        values[name] for name in ("kind", "x_title", "y_title", "x_scale", "spread")
    )
    return Chart(kind, x_title, y_title, x_scale, spread, {}, heats, values["reference"])
