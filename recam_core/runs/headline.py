"""What was measured of a run, in one line."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from recam_core.checkpoint.run_folder import RunInfo


@dataclass(frozen=True)
class Headline:
    """One score of a run's record.

    Attributes:
        split: what it was measured on, such as ``val``.
        rule: extraction rule.
        miou: 0..1.
        protocol: all that must be equal for two scores to be compared: data, pictures, scales, mirror, labels.
    """

    split: str
    rule: str
    miou: float
    protocol: tuple[Any, ...]


def headlines(info: RunInfo) -> Iterator[Headline]:
    """Every mIoU that the record holds; entries of another form are passed over."""
    for split, by_rule in info.scores.items():
        for rule, scores in by_rule.items() if isinstance(by_rule, dict) else ():
            miou = scores.get("miou") if isinstance(scores, dict) else None
            if isinstance(miou, (int, float)) and not isinstance(miou, bool) and 0 <= miou <= 1:
                protocol = tuple(str(scores.get(name)) for name in ("data", "pictures", "scales", "mirror", "labels"))
                yield Headline(str(split), str(rule), float(miou), protocol)


def headline(info: RunInfo) -> Headline | None:
    """The score that stands for the run: by its own rule, on ``val`` if it was measured there, else on what comes
    first; None where nothing was measured by its own rule.
    """
    own = [found for found in headlines(info) if found.rule == info.rule]
    return next((found for found in own if found.split == "val"), own[0] if own else None)
