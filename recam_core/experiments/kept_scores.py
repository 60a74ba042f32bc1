"""Scores of one full training, kept beside the grid that it belongs to: a grid that goes on scores nothing twice."""

from collections.abc import Mapping
from pathlib import Path

from recam_core.atomic_write import write_json
from recam_core.data.sample import ClassList
from recam_core.experiments.part_score import PartScore
from recam_core.experiments.protocol import REPORT, SELECT, Protocol
from recam_core.experiments.score_json import score_from_json, score_to_json
from recam_core.records import RecordError, opened_record

#: By rule, the scores on select and on report.
ByRule = dict[str, tuple[PartScore, PartScore]]


def write_scores(file: Path, weights_sha256: str, protocol: Protocol, scores: Mapping[str, tuple]) -> None:
    """Keep the scores of a run. Raises UserError where the disk is full."""
    rules = {rule: {part.part: score_to_json(part) for part in pair} for rule, pair in scores.items()}
    write_json(file, {"weights_sha256": weights_sha256, "parts": protocol.to_json(), "rules": rules})


def read_scores(file: Path, weights_sha256: str, protocol: Protocol, classes: ClassList) -> ByRule:
    """The scores of these weights on these parts; nothing where others, or none that can be read, are kept."""
    try:
        with opened_record(file) as values:
            if values["weights_sha256"] != weights_sha256 or values["parts"] != protocol.to_json():
                return {}
            return {
                rule: (score_from_json(pair[SELECT], classes), score_from_json(pair[REPORT], classes))
                for rule, pair in values["rules"].items()
            }
    except RecordError:
        return {}
