"""The paper's figure 1: of single-label pictures, does softmax cross-entropy make the better classifier?

All classes, and a hard group of them that is found in the confusion matrix; classifiers trained with BCE and with SCE,
accuracy over seeds. Heads are linear classifiers on pooled features that stay as they are; learning rates are chosen, a
loss each, and the group is found, by cross-validation on the training pictures, so that nothing is chosen where it is
reported.
"""

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recam_core.analysis.csv_tables import csv_text
from recam_core.atomic_write import write_json
from recam_core.cache import cache_folder
from recam_core.errors import UserError
from recam_core.experiments.noise import Difference, capital, points
from recam_core.folders import shipped_theory_folder
from recam_core.records import RecordError, opened_record
from recam_core.scores.table import percent
from recam_core.words import listing

LOSSES = ("bce", "sce")
TITLES = {"bce": "BCE", "sce": "SCE"}
ALL, GROUP = "all", "group"
#: What is classified: whole pictures that show one class, or features masked to each present class (equation 3).
WHAT = {"pictures": "pictures of a single class", "features": "single-label features"}
#: Learning rates to choose from.
RATES = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)


@dataclass(frozen=True)
class HeadSettings:
    """How the linear classifiers are trained.

    Attributes:
        epochs, batch_size: as the names say.
        rates: learning rates of AdamW to choose from, each falling to 0 along a half cosine.
        weight_decay: of AdamW.
        seeds: of the initial weights and the order of the batches.
        group: how many classes the hard group has.
    """

    epochs: int = 40
    batch_size: int = 64
    rates: tuple[float, ...] = RATES
    weight_decay: float = 1e-2
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    group: int = 5


@dataclass(frozen=True)
class Figure1Row:
    """One bar of the figure.

    Attributes:
        scope: ``all`` classes or the hard ``group``.
        loss: ``bce`` or ``sce``.
        rate: that cross-validation preferred; nan where none was chosen (whole networks).
        accuracy: one a seed, the share of right vectors of the report part.
        class_mean: one a seed, the mean over the classes of the share of right vectors.
    """

    scope: str
    loss: str
    rate: float
    accuracy: tuple[float, ...]
    class_mean: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Over the seeds, as of the accuracy."""
        return float(np.mean(self.accuracy))

    @property
    def spread(self) -> float:
        """Standard deviation over the seeds; nan for one."""
        return float(np.std(self.accuracy, ddof=1)) if len(self.accuracy) > 1 else math.nan


@dataclass(frozen=True)
class Figure1:
    """What came out.

    Attributes:
        source: the run or the backbone that the features are of, or how the networks were trained.
        what: a key of :data:`WHAT`.
        depth: ``heads`` or ``full``.
        fit, report: specifications of the data.
        classes: by scope, the names of the classes.
        left_out: names of classes with too few vectors to train or to test on.
        fit_count, report_count: by scope, how many vectors there are.
        pictures: by scope, how many pictures the report part has.
        rows: one a scope and loss.
        gains: by scope, SCE's accuracy less BCE's, with the interval over draws of pictures and seeds.
        confusion: K' x K' counts of the training part's cross-validation (rows the truth), both losses together, which
            the group was found in; K' are the classes of scope ``all``.
        settings: of the classifiers.
    """

    source: str
    what: str
    depth: str
    fit: str
    report: str
    classes: dict[str, tuple[str, ...]]
    left_out: tuple[str, ...]
    fit_count: dict[str, int]
    report_count: dict[str, int]
    pictures: dict[str, int]
    rows: tuple[Figure1Row, ...]
    gains: dict[str, Difference]
    confusion: np.ndarray
    settings: dict[str, Any]

    def row(self, scope: str, loss: str) -> Figure1Row:
        """One bar."""
        return next(row for row in self.rows if (row.scope, row.loss) == (scope, loss))

    @property
    def sentence(self) -> str:
        """What the data supports."""
        parts = []
        for scope, gain in self.gains.items():
            sce, bce = self.row(scope, "sce"), self.row(scope, "bce")
            classes = self.classes[scope]
            named = (
                f"of all {len(classes)} classes" if scope == ALL else f"of the hard group ({listing(list(classes))})"
            )
            if gain.within_noise:
                verdict = "the difference may be chance"
            else:
                verdict = "SCE is better" if gain.value > 0 else "BCE is better"
            parts.append(
                f"{named}, SCE reaches {percent(sce.mean)} % and BCE {percent(bce.mean)} %: {points(gain)}, {verdict}"
            )
        return f"{capital('; '.join(parts))}."

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know besides."""
        scopes = ", ".join(
            f"{self.fit_count[scope]} and {self.report_count[scope]} ({'all' if scope == ALL else 'group'})"
            for scope in self.gains
        )
        chosen = "the group is found" if self.depth == "full" else "learning rates are chosen, and the group is found,"
        notes = [
            f"{capital(WHAT[self.what])}: trained on {self.fit}, reported on {self.report}; {scopes}.",
            f"{capital(chosen)} by cross-validation of linear classifiers on the training part.",
            "Intervals are 95 % over draws of the pictures and the seeds.",
        ]
        rates = self.settings.get("rates", ())
        edges = [
            f"{row.scope} {TITLES[row.loss]}"
            for row in self.rows
            if row.rate in (min(rates, default=None), max(rates, default=None))
        ]
        if edges:
            notes.append(f"At an end of the rates that were tried: {listing(edges)}.")
        if not (self.confusion.sum() - np.trace(self.confusion)):
            notes.append("Nothing was confused in the cross-validation, so no group is harder than another.")
        if self.left_out:
            notes.append(f"Left out for want of examples: {listing(list(self.left_out))}.")
        return tuple(notes)

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values; nan becomes None."""
        return {
            "kind": "figure1",
            "source": self.source,
            "what": self.what,
            "depth": self.depth,
            "fit": self.fit,
            "report": self.report,
            "classes": {scope: list(names) for scope, names in self.classes.items()},
            "left_out": list(self.left_out),
            "fit_count": self.fit_count,
            "report_count": self.report_count,
            "pictures": self.pictures,
            "rows": [
                {
                    "scope": row.scope,
                    "loss": row.loss,
                    "rate": _or_none(row.rate),
                    "accuracy": list(row.accuracy),
                    "class_mean": list(row.class_mean),
                }
                for row in self.rows
            ],
            "gains": {
                scope: [_or_none(gain.value), _or_none(gain.low), _or_none(gain.high)]
                for scope, gain in self.gains.items()
            },
            "confusion": self.confusion.tolist(),
            "settings": self.settings,
            "sentence": self.sentence,
        }

    def to_csv(self) -> str:
        """One line a scope, loss and seed."""
        lines = [
            (row.scope, TITLES[row.loss], seed, one, mean)
            for row in self.rows
            for seed, one, mean in zip(self.settings["seeds"], row.accuracy, row.class_mean, strict=True)
        ]
        return csv_text(["classes", "loss", "seed", "accuracy", "mean of the classes"], lines)


def figure1_from_json(values: dict[str, Any]) -> Figure1:
    """What :meth:`Figure1.to_json` wrote. Raises ValueError, KeyError or TypeError for anything else."""
    if values["kind"] != "figure1" or values["what"] not in WHAT:
        raise ValueError("no result of figure 1")
    rows = tuple(
        Figure1Row(
            str(row["scope"]),
            str(row["loss"]),
            _or_nan(row["rate"]),
            tuple(map(float, row["accuracy"])),
            tuple(map(float, row["class_mean"])),
        )
        for row in values["rows"]
    )
    seeds = len(values["settings"]["seeds"])
    if any(len(row.accuracy) != seeds or len(row.class_mean) != seeds for row in rows):
        raise ValueError("not one figure a seed")
    return Figure1(
        str(values["source"]),
        values["what"],
        str(values["depth"]),
        str(values["fit"]),
        str(values["report"]),
        {scope: tuple(map(str, names)) for scope, names in values["classes"].items()},
        tuple(map(str, values["left_out"])),
        {scope: int(count) for scope, count in values["fit_count"].items()},
        {scope: int(count) for scope, count in values["report_count"].items()},
        {scope: int(count) for scope, count in values["pictures"].items()},
        rows,
        {scope: Difference(*map(_or_nan, ends)) for scope, ends in values["gains"].items()},
        np.array(values["confusion"], dtype=np.int64),
        dict(values["settings"]),
    )


def check_settings(settings: HeadSettings, classes: int | None = None) -> None:
    """Refuse settings that cannot work before any feature is computed.

    Args:
        settings: of the classifiers.
        classes: how many the data has, where that is known.

    Raises:
        UserError: the first one that is out of range.
    """
    rules = [
        (1 <= settings.epochs <= 10_000, "the epochs must be 1 to 10000"),
        (1 <= settings.batch_size <= 65_536, "the batch size must be 1 to 65536"),
        (bool(settings.rates) and all(0 < rate <= 10 for rate in settings.rates), "rates must be above 0, at most 10"),
        (len(set(settings.rates)) == len(settings.rates), "each rate is named once"),
        (0 <= settings.weight_decay <= 10, "the weight decay must be 0 to 10"),
        (bool(settings.seeds) and all(seed >= 0 for seed in settings.seeds), "seeds are whole numbers from 0 on"),
        (len(set(settings.seeds)) == len(settings.seeds), "each seed is named once"),
        (settings.group >= 2, "the hard group must have 2 classes or more"),
        (classes is None or settings.group <= classes, f"the hard group is of {settings.group} of {classes} classes"),
    ]
    for holds, sentence in rules:
        if not holds:
            raise UserError(f"Figure 1 cannot be made so: {sentence}.")


def text_figure1(found: Figure1) -> str:
    """The figure as a table for a terminal, in percent."""
    lines = [f"{'classes':10s}{'loss':6s}{'accuracy':>10s}{'spread':>9s}{'mean of the classes':>21s}{'rate':>9s}"]
    for row in found.rows:
        spread = "-" if math.isnan(row.spread) else f"{100 * row.spread:.2f}"
        rate = "-" if math.isnan(row.rate) else f"{row.rate:g}"
        lines.append(
            f"{row.scope:10s}{TITLES[row.loss]:6s}{100 * row.mean:>10.2f}{spread:>9s}"
            f"{100 * float(np.mean(row.class_mean)):>21.2f}{rate:>9s}"
        )
    return "\n".join(lines)


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else float(value)


#: A longer file is none of ours.
_LARGEST = 4 << 20


def keep_figure1(found: Figure1) -> Path:
    """Keep a result; the same question asked again takes its place. Raises UserError where the disk is full."""
    asked = [found.source, found.what, found.depth, found.fit, found.report, found.settings]
    name = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]
    file = cache_folder(private=True) / "figure1" / f"{name}.json"
    write_json(file, found.to_json())
    return file


def kept_figures() -> dict[str, Figure1]:
    """What is kept, by a name that stands for it: shipped ones first, then the newest. Damaged files are left out."""
    shipped = sorted(shipped_theory_folder().glob("figure1-*.json"))
    own = sorted((cache_folder(private=True) / "figure1").glob("*.json"), key=_changed, reverse=True)
    found: dict[str, Figure1] = {}
    for file in (*shipped, *own):
        try:
            with opened_record(file, _LARGEST) as values:
                one = figure1_from_json(values)
                for row in one.rows:
                    one.row(row.scope, row.loss)
                found[file.stem] = one
        except RecordError:
            continue
    return found


def _changed(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0
