"""Methods against a reference: the gain with its interval, and in how many pictures each is better or worse."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from recam_core.analysis.gains import ClassGain
from recam_core.analysis.picture_table import PictureTable, single_class_words
from recam_core.scores.evaluate import Evaluation
from recam_core.scores.metrics import mean_of_present
from recam_core.scores.scores import json_number
from recam_core.scores.table import aligned, percent, signed


@dataclass(frozen=True)
class PictureWins:
    """One method against the reference, picture by picture.

    Attributes:
        mean: of the pictures' mIoU, by the method; nan where no picture counts.
        pictures: that count: those that have a scored pixel and tell something.
        better, worse, same: in how many of them its mIoU is above, below or the same as that of the reference.
    """

    mean: float
    pictures: int
    better: int
    worse: int
    same: int

    def to_json(self) -> dict[str, Any]:
        """As JSON values; nan becomes None."""
        return asdict(self) | {"mean": json_number(self.mean)}


def picture_wins(table: PictureTable, counted: np.ndarray | None = None) -> dict[str, PictureWins]:
    """By method, the reference too.

    Args:
        table: of N pictures.
        counted: N bools, the pictures that count, such as those that are not of a single class; None for all.
    """
    some = np.ones(len(table), dtype=bool) if counted is None else np.asarray(counted, dtype=bool)
    found = {}
    for key in table.keys:
        miou, change = table.miou[key][some], table.difference[key][some]
        better, worse = int((change > 0).sum()), int((change < 0).sum())
        scored = int((~np.isnan(change)).sum())
        found[key] = PictureWins(float(mean_of_present(miou)), scored, better, worse, scored - better - worse)
    return found


@dataclass(frozen=True)
class HeadToHead:
    """A method against another on one data set, as a run's record keeps it.

    Attributes:
        over: name of the other.
        gain: mIoU (of all pixels) less that of the other, -1..1.
        low, high: ends of its 95% interval over pictures; None where there is none.
        pictures: that wins are counted in.
        better, worse, same: of these.
        single_class: pictures that were left out of these since they show a single class; see
            :mod:`recam_core.analysis.picture_table`.
    """

    over: str
    gain: float
    low: float | None
    high: float | None
    pictures: int
    better: int
    worse: int
    same: int
    single_class: int

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: object) -> "HeadToHead | None":
        """What :meth:`to_json` gave; None for anything else, as a record may come from anywhere."""
        if not isinstance(content, Mapping):
            return None
        values: dict[str, Any] = {field.name: content.get(field.name) for field in fields(cls)}
        over, gain, low, high, *counts = values.values()
        numbers = [gain] if low is None and high is None else [gain, low, high]
        if not isinstance(over, str) or not all(type(number) in (int, float) for number in numbers):
            return None
        if not all(type(count) is int and count >= 0 for count in counts):
            return None
        # What is not a number lies in no range either.
        if not -1 <= gain <= 1 or (low is not None and not -1 <= low <= high <= 1):
            return None
        return cls(**values)

    @property
    def verdict(self) -> str:
        """``better`` or ``worse`` where the interval leaves out 0, else ``may be chance``."""
        if self.low is None or self.high is None:
            return "may be chance"
        return "better" if self.low > 0 else "worse" if self.high < 0 else "may be chance"

    def words(self, title: str, over: str = "") -> str:
        """One sentence.

        Args:
            title: of the method, for people.
            over: title of the other; its name unless given.
        """
        over = over or self.over
        size = f"{100 * abs(self.gain):.1f} points of mIoU"
        text = f"{title} gains {size} over {over}" if self.gain >= 0 else f"{title} loses {size} to {over}"
        if self.low is not None and self.high is not None:
            text += f" (95% interval {signed(100 * self.low)} to {signed(100 * self.high)})"
            text += "" if self.verdict != "may be chance" else ", which may be chance"
        text += f"; it is better in {self.better:,} of {self.pictures:,} pictures and worse in {self.worse:,}"
        if self.single_class:
            text += f" ({self.single_class:,} of a single class, which every method has right, are not counted)"
        return f"{text}."


def head_to_head(
    gain: ClassGain, wins: Mapping[str, PictureWins], names: Mapping[str, str], single_class: int
) -> dict[str, HeadToHead]:
    """By method, without the reference.

    Args:
        gain: of all of them.
        wins: by key, over the pictures that count.
        names: by key; that of the reference is told.
        single_class: how many pictures were left out of the wins.
    """
    found = {}
    for place, key in enumerate(gain.keys):
        if key != gain.reference:
            low, high = (json_number(float(end[place])) for end in (gain.miou_gain_low, gain.miou_gain_high))
            won = wins[key]
            found[key] = HeadToHead(
                names[gain.reference],
                float(gain.miou_gain[place]),
                low,
                high,
                won.pictures,
                won.better,
                won.worse,
                won.same,
                single_class,
            )
    return found


def picture_lines(
    evaluations: Sequence[Evaluation],
    wins: Sequence[PictureWins],
    duels: Sequence[HeadToHead | None],
    single: int,
    counted: bool,
) -> str:
    """How methods do picture by picture, a row each, and what they gain over the first, where that was drawn for.

    Args:
        evaluations: M, with their names.
        wins: M, against the first.
        duels: M; None where there is no interval of a gain.
        single: how many pictures show a single class and no background.
        counted: whether these count.
    """
    rows = [["pictures by themselves", "mean mIoU", "better", "worse", "same", "gain of all pixels", "95% interval"]]
    for place, (evaluation, won, duel) in enumerate(zip(evaluations, wins, duels, strict=True)):
        row = [evaluation.name, percent(won.mean, 2)]
        row += [str(won.better), str(won.worse), str(won.same)] if place else ["", "", ""]
        if duel is not None:
            row.append(f"{100 * duel.gain:+.2f}")
            ends = [f"{100 * end:+.2f}" for end in (duel.low, duel.high) if end is not None]
            row.append(" to ".join(ends) or "none")
        rows.append(row)
    columns = 7 if any(duels) else 5 if len(evaluations) > 1 else 2
    text = aligned([[*row, "", ""][:columns] for row in rows])
    pictures = wins[0].pictures
    text += f"\nOver {pictures:,} {'picture' if pictures == 1 else 'pictures'}"
    text += f", compared with {evaluations[0].name}." if len(evaluations) > 1 else "."
    words = single_class_words(single, counted)
    return f"{text} {words}" if words else text
