"""Settings whose values are of the kind that they should be; records that came from elsewhere may hold anything."""

from dataclasses import MISSING, fields
from numbers import Integral, Real
from typing import Any

from recam_core.errors import UserError


def check_kinds(settings: Any, what: str) -> None:
    """Compare each field of a dataclass with its default; one without a default is a text.

    Args:
        settings: the dataclass.
        what: it is, as the sentence begins.

    Raises:
        UserError: the first field whose value is of another kind.
    """
    for field in fields(settings):
        value = getattr(settings, field.name)
        if not _is_like(value, "" if field.default is MISSING else field.default):
            raise UserError(f"{what} cannot work: the setting '{field.name}' cannot be {str(value)[:60]!r}.")


def _is_like(value: Any, example: Any) -> bool:
    if isinstance(example, tuple):
        same = isinstance(value, tuple) and len(value) == len(example)
        return same and all(map(_is_like, value, example))
    if isinstance(example, bool) or isinstance(value, bool):
        return isinstance(example, bool) and isinstance(value, bool)
    kind = Integral if isinstance(example, int) else Real if isinstance(example, float) else str
    return isinstance(value, kind)
