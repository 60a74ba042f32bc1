"""The result of an experiment: a table, a chart and one sentence."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from recam_core.analysis.csv_tables import csv_text
from recam_core.checkpoint.run_folder import RunInfo
from recam_core.data.recorded import recorded_data
from recam_core.data.spec import KINDS, Spec, parse_spec
from recam_core.errors import UserError
from recam_core.experiments.chart import Chart
from recam_core.experiments.figures import FIGURES
from recam_core.experiments.lab import HeadLab, SettingResult
from recam_core.experiments.noise import Difference, Draws
from recam_core.experiments.part_score import PartScore
from recam_core.experiments.protocol import FIT, PARTS, REPORT, SELECT, Protocol, choose_best
from recam_core.scores.table import in_columns, percent
from recam_core.typed_path import typed_path

Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Experiment:
    """What an experiment found.

    Attributes:
        kind: a key of :data:`recam_core.experiments.questions.QUESTIONS`; ``full`` is a grid of whole trainings.
        title: for people.
        protocol: which pictures did what.
        pictures: how many each part has.
        exact: whether all pixels were scored at the usual scales, or a sample of one pixel in 16 at scale 1.
        varied: by key of ``Setting.values``, what the experiment varied, for column heads.
        rows: the table, one row a setting and part; see :func:`table_rows`.
        chart: of the same figures.
        sentence: what the data supports.
        chosen: key of the setting that the select part prefers; None where nothing was chosen.
        notes: what a reader should know besides.
        reference: the run before it was retrained.
        settings: everything that was tried, with its heads.
    """

    kind: str
    title: str
    protocol: Protocol
    pictures: dict[str, int]
    exact: bool
    varied: dict[str, str]
    rows: tuple[Row, ...]
    chart: Chart
    sentence: str
    chosen: str | None
    notes: tuple[str, ...]
    reference: SettingResult
    settings: tuple[SettingResult, ...] = field(repr=False)

    def setting(self, key: str) -> SettingResult:
        """The setting (or the reference) of a table row or a point of the chart, with its heads."""
        for one in (self.reference, *self.settings):
            if one.label == key:
                return one
        raise KeyError(key)

    def to_json(self) -> dict[str, Any]:
        """Everything but the heads as JSON values; nan becomes None."""
        return _plain(
            {
                "kind": self.kind,
                "title": self.title,
                "sentence": self.sentence,
                "chosen": self.chosen,
                "parts": self.protocol.to_json(),
                "pictures": self.pictures,
                "pixels": "all, at the usual scales" if self.exact else "one in 16, at scale 1",
                "notes": self.notes,
                "rows": self.rows,
                "chart": self.chart.to_json(),
            }
        )

    def to_csv(self) -> str:
        """The table as CSV that a spreadsheet opens safely; the recipe stays out."""
        header = [name for name in dict.fromkeys(name for row in self.rows for name in row) if name != "recipe"]
        return csv_text(header, ([row.get(name) for name in header] for row in self.rows))


def table_rows(
    reference: SettingResult, settings: Sequence[SettingResult], protocol: Protocol, chosen: str | None
) -> list[Row]:
    """The table: two rows a setting, one of each part, the reference first.

    A row has ``key``, ``part`` and ``data`` (which pictures), the varied values, ``chosen`` (whether the select part
    prefers it), ``seeds``, ``threshold`` (a mean over seeds), each figure of :data:`FIGURES` with its standard
    deviation over seeds (``..._spread``, None for a single run), ``gain`` (mIoU less the reference's), the interval
    ``gain_low`` to ``gain_high`` over draws of pictures and seeds, and ``recipe`` (of the first seed, as JSON values).
    """
    rows = []
    seeds = max(len(one.select) for one in (reference, *settings))
    for part in (SELECT, REPORT):
        draws = Draws(reference.on(part)[0].outcomes.pictures, seeds)
        for one in (reference, *settings):
            scores = one.on(part)
            thresholds = [score.scores.threshold for score in scores if score.scores.threshold is not None]
            gain = Difference(float("nan"), float("nan"), float("nan"))
            if one is not reference:
                gain = draws.difference(scores, reference.on(part), FIGURES["miou"][0])
            rows.append(
                {
                    "key": one.label,
                    "part": part,
                    "data": getattr(protocol, part),
                    **one.setting.values,
                    "chosen": one.label == chosen,
                    "seeds": len(scores),
                    "threshold": float(np.mean(thresholds)) if thresholds else None,
                    **_figures(scores),
                    "gain": gain.value,
                    "gain_low": gain.low,
                    "gain_high": gain.high,
                    "recipe": one.setting.recipes[0].to_json() if one is not reference else None,
                    **({"runs": "; ".join(one.runs)} if one.runs else {}),
                }
            )
    return rows


def choose(settings: Sequence[SettingResult]) -> SettingResult:
    """The setting with the highest mIoU on the select part, of those that may be chosen.

    Raises:
        UserError: there is none to choose from.
    """
    fair = [one for one in settings if one.setting.fair]
    return fair[choose_best([one.miou(SELECT) for one in fair], SELECT)]


def select_words(chosen: SettingResult, settings: Sequence[SettingResult]) -> str:
    """What the chosen setting scores on the select part, and how many of the others score just the same there."""
    score = chosen.miou(SELECT)
    ties = sum(one.setting.fair and one is not chosen and one.miou(SELECT) == score for one in settings)
    return f"mIoU {percent(score)} %" + (f", as {ties} other{'s' if ties > 1 else ''}" if ties else "")


def pictures_of(lab: HeadLab) -> dict[str, int]:
    """How many pictures each part has."""
    return {part: lab.pictures(part) for part in PARTS}


def seed_notes(settings: Sequence[SettingResult]) -> list[str]:
    """That intervals cannot hold the spread over seeds, where a training that is random ran once."""
    once = any(len(one.report) == 1 and getattr(one.setting.recipes[0], "update", "") != "fc2" for one in settings)
    return ["With one seed, the intervals are of other pictures alone, not of another training."] if once else []


def standing_notes(lab: HeadLab, settings: Sequence[SettingResult]) -> list[str]:
    """What is true of every experiment on a lab, and of the settings that were measured on it."""
    protocol = lab.protocol
    pixels = (
        "All pixels are scored, at the usual scales with mirror images."
        if lab.exact
        else "Scores are of a regular sample, one pixel in 16, of maps at scale 1 without mirror images: right for "
        "comparing settings, and lower than the scores of a whole evaluation."
    )
    notes = [
        f"Heads are trained on {protocol.fit} ({lab.pictures(FIT)} pictures), settings and thresholds chosen on "
        f"{protocol.select} ({lab.pictures(SELECT)}), and figures reported on {protocol.report} "
        f"({lab.pictures(REPORT)}).",
        pixels,
    ]
    return notes + start_notes(lab.run.info, protocol) + seed_notes(settings)


def start_notes(info: RunInfo, protocol: Protocol) -> list[str]:
    """Which of the pictures that choose or report the run that all starts from was trained on."""
    notes = []
    try:
        data = recorded_data(info.data, info.class_list)
    except UserError:
        data = info.data  # not here, so nothing that is here is it
    if _same_split(data, protocol.fit):
        notes.append(
            f"The backbone of {info.name} was trained with the image-level labels of all of {info.data}, the select "
            "part included (not with its masks)."
        )
    if _same_split(data, protocol.report):
        notes.append(
            f"The backbone of {info.name} was trained with the image-level labels of {info.data}, on which figures are "
            "reported: those of new pictures would be lower."
        )
    return notes


def _same_split(one: str, other: str) -> bool:
    """Whether two specifications name one split, in whole or a part of it."""
    try:
        specs = [parse_spec(text) for text in (one, other)]
    except UserError:
        return False  # a run that says otherwise where it comes from
    return specs[0].split == specs[1].split and _place(specs[0]) == _place(specs[1])


def _place(spec: Spec) -> tuple[str, object]:
    """Where the pictures are from, however it is written."""
    if KINDS[spec.kind].root:
        path = typed_path(spec.root)
        return spec.kind, None if path is None else path.resolve()
    # Of drawn scenes, a smaller set is the beginning of a larger one.
    return spec.kind, {text for text in spec.root.split(",") if text and not text.startswith(("train=", "val="))}


def _figures(scores: Sequence[PartScore]) -> dict[str, float | None]:
    values: dict[str, float | None] = {}
    for name, (figure, _, _) in FIGURES.items():
        each = [float(figure(one.scores.confusion, one.scores.has_background)) for one in scores]
        values[name] = float(np.mean(each))
        values[f"{name}_spread"] = float(np.std(each, ddof=1)) if len(each) > 1 else None
    return values


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


#: Columns in percent besides the figures, with their heads.
_SHARES = {
    "double_negatives": "both negative",
    "confused": "confused",
    "confused_change": "change",
    "pair_iou": "IoU of the pair",
    "others_iou": "IoU of others",
}


def text_table(experiment: Experiment) -> str:
    """One line a setting and part, in percent; ``*`` marks what the select part prefers."""
    first = experiment.rows[0]
    figures = [name for name in FIGURES if name in first]
    shares = [name for name in _SHARES if name in first]
    gains = "gain" in first
    thresholds = any(row.get("threshold") is not None for row in experiment.rows)
    header = ["", "part", *(FIGURES[name][1] for name in figures), *(_SHARES[name] for name in shares)]
    header += ["threshold"] if thresholds else []
    header += ["gain (95 %)"] if gains else []
    lines = [header]
    for row in experiment.rows:
        line = [("* " if row["chosen"] else "  ") + row["key"], row["part"]]
        line += [_figure(row, name) for name in figures]
        line += [percent(row[name], 2) for name in shares]
        line += [f"{row['threshold']:.2f}" if row["threshold"] is not None else "-"] if thresholds else []
        line += [_gain(row)] if gains else []
        lines.append(line)
    return in_columns(lines, words=2)


def _figure(row: dict[str, Any], name: str) -> str:
    spread = row.get(f"{name}_spread")
    return percent(row[name], 2) + ("" if spread is None or math.isnan(spread) else f" ±{100 * spread:.2f}")


def _gain(row: dict[str, Any]) -> str:
    if _missing(row["gain"]):
        return ""
    if _missing(row["gain_low"]):
        return f"{100 * row['gain']:+.2f}"
    return f"{100 * row['gain']:+.2f} ({100 * row['gain_low']:+.2f} to {100 * row['gain_high']:+.2f})"


def _missing(value: float | None) -> bool:
    return value is None or math.isnan(value)
