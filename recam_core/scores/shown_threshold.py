"""The background threshold that a pane begins with."""

from collections.abc import Sequence

from recam_core.data.sample import ClassList
from recam_core.method.extraction import gives_log_odds

#: Where no run that is shown has a threshold of its own; near those of the published seeds (0.21 and 0.15).
USUAL_THRESHOLD = 0.25
#: The same for maps of probabilities: the class is as likely as not.
EVEN_ODDS = 0.5
#: The same for Region-CAM, whose maps fill whole objects: near what was chosen on other pictures (docs/results.md).
WHOLE_REGIONS = 0.5


def usual_threshold(rule: str) -> float:
    """The threshold of maps of a rule where none was chosen."""
    return {"log-odds": EVEN_ODDS, "regions": WHOLE_REGIONS}.get(_kind(rule), USUAL_THRESHOLD)


def shown_threshold(rule: str, chosen: Sequence[tuple[float | None, str]], classes: ClassList) -> float | None:
    """The first threshold that was chosen on maps of the same kind, else the usual one.

    A share of a map's maximum and a probability are no thresholds for each other's maps, and neither are those of maps
    of an object's most telling parts and of whole objects.

    Args:
        rule: of the maps.
        chosen: thresholds (None where none was chosen), each with the rule that it was chosen with: the method's own,
            then those of the methods beside it, in their order.
        classes: without a background class there is nothing to cut off: the result is None.
    """
    if not classes.has_background:
        return None
    alike = (value for value, other in chosen if value is not None and _kind(other) == _kind(rule))
    return next(alike, usual_threshold(rule))


def _kind(rule: str) -> str:
    """Maps of one kind can share a threshold; attributions are named METHOD-HEAD."""
    if rule.startswith("region_cam-"):
        return "regions"
    return "log-odds" if gives_log_odds(rule) else "shares"
