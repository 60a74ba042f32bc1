"""The pieces that an experiment's sentence is made of."""

from recam_core.experiments.noise import Difference


def percent(value: float) -> str:
    """A share in percent, such as ``52.3 %``."""
    return f"{100 * value:.1f} %"


def points(difference: Difference) -> str:
    """A difference of shares with its interval, such as ``+1.2 points (95 %: +0.3 to +2.1)``."""
    low, high = (f"{100 * end:+.1f}" for end in (difference.low, difference.high))
    return f"{100 * difference.value:+.1f} points (95 %: {low} to {high})"


def verdict(difference: Difference, more: str, less: str) -> str:
    """``more`` or ``less`` with the difference, or that it is within the noise.

    Args:
        difference: of two settings.
        more, less: what to say when it is above or below 0 beyond the noise.
    """
    if difference.within_noise:
        return f"the difference, {points(difference)}, is within the noise"
    return f"{more if difference.value > 0 else less} by {points(difference)}"


def listing(names: list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
