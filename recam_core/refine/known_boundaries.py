"""Boundaries that lie ready: which folders hold those of a network, and what masks by them scored."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recam_core.errors import UserError
from recam_core.folders import runs_folder, shipped_boundaries_folder
from recam_core.records import opened_record
from recam_core.refine.boundaries import RECORD_FILE
from recam_core.refine.finishes import FINISHES
from recam_core.refine.ways import WAYS, Route

#: Beside the record, what `masks --json` wrote of them: how the ways and finishes scored, and at which thresholds.
SCORES_FILE = "scores.json"


@dataclass(frozen=True)
class MaskScore:
    """How masks of one route scored on the pictures of :data:`SCORES_FILE`.

    Attributes:
        miou: in 0..1, at ``threshold``; of classes without a background, of the arg-max.
        threshold: chosen on other pictures; None where every pixel goes to its arg-max class.
        pictures: how many.
    """

    miou: float
    threshold: float | None
    pictures: int


@dataclass(frozen=True)
class KnownBoundaries:
    """A folder of boundaries, by its record; :func:`recam_core.refine.boundaries.load_boundaries` reads the heads.

    Attributes:
        folder: where they lie.
        rule: the extraction rule of the seeds that they were learnt from.
        data: specification of the pictures that they were learnt on.
        scored_on: specification of the pictures that masks by them were scored on; "" where they were not.
        scores: by (way, finish).
        changed: stands for the content, in caches.
    """

    folder: Path
    rule: str
    data: str
    scored_on: str
    scores: dict[tuple[str, str], MaskScore]
    changed: int

    @property
    def name(self) -> str:
        """Short, for people and links: one that lies within another folder, as those of a pipeline, with that."""
        home = self.folder.parent
        return (
            self.folder.name
            if home in (runs_folder(), shipped_boundaries_folder())
            else f"{home.name}/{self.folder.name}"
        )


def boundaries_of_run(weights_sha256: str) -> list[KnownBoundaries]:
    """The boundaries that were learnt on the features of these weights: those that ship, and those among one's runs.

    A folder whose record is damaged is left out, as one of another network is.
    """
    found = []
    for record in _records():
        try:
            found.append(_read(record, weights_sha256))
        except (UserError, OSError):
            continue
    return [one for one in found if one is not None]


def scores_words(known: KnownBoundaries) -> str:
    """What masks within these boundaries scored on other pictures, in a sentence or two; "" where that is not known.

    It says whether the walk helped there.
    """
    seeds = known.scores.get(("direct", "none"))
    if seeds is None:
        return ""
    each = [f"{Route(*key).title or 'the seeds'} {100 * score.miou:.1f}" for key, score in known.scores.items()]
    words = f"mIoU on the {seeds.pictures:,} pictures of {known.scored_on}, in percent: {', '.join(each)}."
    walked, straight = _best(known, walks=True), _best(known, walks=False)
    if walked is None or straight is None:
        return words
    gain = 100 * (walked.miou - straight.miou)
    verdict = "The walk helps there" if gain > 0 else "The walk does not help there"
    return f"{words} {verdict}: {gain:+.1f} points over the best without it."


def _best(known: KnownBoundaries, *, walks: bool) -> MaskScore | None:
    scores = [score for (way, _), score in known.scores.items() if WAYS[way].walks == walks]
    return max(scores, key=lambda score: score.miou, default=None)


def _records() -> Iterator[Path]:
    yield from sorted(shipped_boundaries_folder().glob(f"*/{RECORD_FILE}"))
    for pattern in (f"*/{RECORD_FILE}", f"*/*/{RECORD_FILE}"):
        yield from sorted(one for one in runs_folder().glob(pattern) if not one.parent.name.startswith("."))


def _read(record: Path, weights_sha256: str) -> KnownBoundaries | None:
    with opened_record(record) as values:
        if str(values["weights_sha256"]) != weights_sha256:
            return None
        rule, data = str(values["rule"]), str(values["data"])
    folder = record.parent
    scored_on, scores = _scores(folder / SCORES_FILE, rule)
    return KnownBoundaries(folder, rule, data, scored_on, scores, record.stat().st_mtime_ns)


def _scores(file: Path, rule: str) -> tuple[str, dict[tuple[str, str], MaskScore]]:
    """What was scored, where it was, of masks of the same maps; none of a damaged file."""
    try:
        with opened_record(file) as values:
            if str(values["rule"]) != rule:
                return "", {}
            scores = {}
            for name, one in values["evaluations"].items():
                # Without --select there is no threshold that was chosen on other pictures.
                if (at := one["fixed"] or (None if one["has_background"] else one["best"])) is not None:
                    way, _, finish = str(name).rpartition("+")
                    if way in WAYS and finish in FINISHES:
                        scores[way, finish] = _score(at, one["has_background"], one["pictures"])
            return str(values["data"]), scores
    except UserError:
        return "", {}


def _score(at: dict[str, Any], has_background: bool, pictures: int) -> MaskScore:
    return MaskScore(float(at["miou"]), float(at["threshold"]) if has_background else None, int(pictures))
