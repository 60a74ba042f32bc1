"""Why a place of a picture is called A and not B: one plain sentence from the numbers of a method, or of two."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recam_core.analysis.channels import Contributions
from recam_core.data.sample import BACKGROUND, VOID, ClassList
from recam_core.maps.activation_maps import ActivationMaps, full_size
from recam_core.scores.metrics import value_names

#: So many channels are named.
NAMED = 3


@dataclass(frozen=True)
class Answer:
    """What one method says of a place.

    Attributes:
        title: of the method.
        given: what its seeds give the place to: 0 background (or unlabelled), k + 1 class k.
        found: the contributions to what its maps compare.
        as_shares: whether those are shares of each map's maximum; False for logits.
    """

    title: str
    given: int
    found: Contributions
    as_shares: bool = True


def proposed_classes(
    maps: ActivationMaps, given: int, truth: int | None, column: int, row: int, classes: ClassList
) -> tuple[int, int]:
    """The question that a pixel asks: A is the class that the maps give there, B what it is.

    Where no class is what it is (background, void, no ground truth) or the maps are right, B is the class with the next
    greatest activation.

    Args:
        maps: of the method, at least one class.
        given: what its seeds give the pixel to; 0 takes the class with the greatest activation.
        truth: the ground truth's value of the pixel, or None.
        column, row: the pixel.
        classes: the K classes.

    Returns:
        A and B, from 0, which differ.
    """
    levels = full_size(maps)[:, row, column].astype(int)
    ranked = maps.classes[np.argsort(-levels, kind="stable")].tolist()
    a = given - 1 if given else ranked[0]
    if truth not in (None, BACKGROUND, VOID, a + 1):
        return a, int(truth) - 1
    others = [*(k for k in ranked if k != a), *(k for k in range(len(classes)) if k != a)]
    return a, others[0]


def why_sentence(answers: Sequence[Answer], a: int, b: int, truth: int | None, classes: ClassList) -> str:
    """The answer in words, as plain text.

    Args:
        answers: of the method that is asked, and of one that came after it, if there is one.
        a, b: the classes of the question, from 0.
        truth: what the place is: 0 background, k + 1 class k, 255 void; None where nobody knows.
        classes: the K classes.
    """
    names, words = value_names(classes), []
    for place, one in enumerate(answers):
        called = f"\u201c{names[one.given]}\u201d"
        if place and one.given == answers[0].given:
            called = f"{called} as well"
        verdict = ""
        if truth is not None and truth != VOID and (truth != BACKGROUND or classes.has_background):
            verdict = " (right)" if one.given == truth else "" if place else f" (it is {names[truth]})"
        start = f"{one.title} calls this {called}{verdict}"
        words.append(f"{start}: {_balance(one, a, b, classes)}.")
    return " ".join(words)


def _balance(one: Answer, a: int, b: int, classes: ClassList) -> str:
    """Who has how much, and which channels make it so."""
    found, for_b = one.found, one.found.difference < 0
    winner, loser = (b, a) if for_b else (a, b)
    more, less = (found.of_b, found.of_a) if for_b else (found.of_a, found.of_b)
    if one.as_shares:
        # Below 0 a map shows nothing.
        much = (
            f"{classes.names[winner]} has {_two(more)} of its map's maximum here, {classes.names[loser]} {_two(less)}"
        )
    else:
        much = f"the logit of {classes.names[winner]} is {more:.1f} here, that of {classes.names[loser]} {less:.1f}"
    channels = found.strongest(NAMED, for_b)
    if not len(channels):
        return f"{much}, and no channel speaks for either"
    numbers = [str(c) for c in channels.tolist()]
    listed = numbers[0] if len(numbers) == 1 else f"{', '.join(numbers[:-1])} and {numbers[-1]}"
    word, verb = ("channels", "speak") if len(numbers) > 1 else ("channel", "speaks")
    share = found.share_of(channels, for_b)
    return f"{much}, since {word} {listed} {verb} most for it ({share:.0%} of all that does)"


def _two(value: float) -> str:
    return f"{max(value, 0.0):.2f}"
