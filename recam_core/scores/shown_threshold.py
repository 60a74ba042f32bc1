"""The background threshold that a pane begins with."""

from collections.abc import Sequence

from recam_core.data.sample import ClassList

#: Where no run that is shown has a threshold of its own; near those of the published seeds (0.21 and 0.15).
USUAL_THRESHOLD = 0.25


def shown_threshold(own: float | None, others: Sequence[float | None], classes: ClassList) -> float | None:
    """A method's own threshold, else the first one that another method beside it has, else the usual one.

    Args:
        own: of the method; None where none was chosen.
        others: of all methods beside it, in their order.
        classes: without a background class there is nothing to cut off: the result is None.
    """
    if not classes.has_background:
        return None
    return next((value for value in (own, *others) if value is not None), USUAL_THRESHOLD)
