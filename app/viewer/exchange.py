"""Who has the last word on a view: the hand in the browser, until the page asks for another one.

A run of the script hears what the browser had reported when the run began. Pages keep that, in the address or in the
session, and give it back in the next run, by which time the browser may have reported something newer. So a view that
is given is only taken for a wish if it is not one that was returned a moment ago.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.viewer.view import checked_view

#: As many returned views are remembered; runs can overtake one another by a few.
_REMEMBERED = 8


@dataclass(frozen=True)
class Exchange:
    """What a session and one viewer have told one another.

    Attributes:
        sent: the view that goes with the message to the browser.
        revision: its number; the browser takes ``sent`` over whenever it is a new one.
        given: what the page gave in the last run.
        returned: what it was returned in the last runs.
    """

    sent: dict[str, Any]
    revision: int
    given: dict[str, Any]
    returned: tuple[dict[str, Any], ...]

    @property
    def current(self) -> dict[str, Any]:
        """The view as it is now, as far as is known."""
        return self.returned[-1]


def exchanged(
    before: Exchange | None,
    given: Mapping[str, Any] | None,
    reported: Mapping[str, Any] | None,
    insists: bool = False,
) -> Exchange:
    """The exchange after this run of the script.

    Args:
        before: that after the last run; None in the first.
        given: the view that the page gives.
        reported: what the browser has reported (with the ``revision`` that it had taken over); None if it has not
            reported anything since it appeared on the page.
        insists: whether the view that is given is a wish even if it is one that was returned a moment ago.
    """
    wanted, heard = checked_view(given), checked_view(reported)
    if before is None:
        return Exchange(wanted, 1, wanted, (wanted,))
    if reported is None:
        # Nothing to lose: a viewer that appears (again) has only what it is sent.
        is_wish = wanted != before.sent
    else:
        is_same = wanted == {name: value for name, value in heard.items() if name in wanted}
        is_wish = not is_same and (insists or (wanted != before.given and wanted not in before.returned))
    sent, revision = (wanted, before.revision + 1) if is_wish else (before.sent, before.revision)
    # Until the browser has taken over what is sent, that holds where it says something.
    current = heard if reported is not None and reported.get("revision") == revision else heard | sent
    return Exchange(sent, revision, wanted, (*before.returned, current)[-_REMEMBERED:])
