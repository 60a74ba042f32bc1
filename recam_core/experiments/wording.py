"""The pieces that an experiment's sentence is made of."""

import math

from recam_core.experiments.noise import Difference


def percent(value: float) -> str:
    """A share in percent, such as ``52.3 %``."""
    return f"{100 * value:.1f} %"


def points(difference: Difference) -> str:
    """A difference of shares with its interval, such as ``+1.2 points (95 %: +0.3 to +2.1)``."""
    if math.isnan(difference.value):
        return "an unknown number of points"
    if math.isnan(difference.low):
        return f"{100 * difference.value:+.1f} points (no interval from one picture)"
    # Rates of about a per cent differ by tenths of a point.
    digits = 1 if max(abs(difference.low), abs(difference.high)) >= 0.01 else 2
    value, low, high = (f"{100 * each:+.{digits}f}" for each in (difference.value, difference.low, difference.high))
    return f"{value} points (95 %: {low} to {high})"


def capital(text: str) -> str:
    """The text with its first letter in upper case."""
    return text[:1].upper() + text[1:]
