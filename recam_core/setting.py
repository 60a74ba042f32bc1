"""What is known of a setting besides its value: a recipe's fields carry it.

The options of the command line, the fields of forms, the axes of grids, the checks of a recipe and the commands that
are printed all come from here, so that a setting is added by one line in its recipe.
"""

from collections.abc import Callable, Collection
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from numbers import Integral, Real
from typing import Any

from recam_core.errors import UserError


@dataclass(frozen=True)
class SettingKind:
    """One setting of a recipe.

    Attributes:
        meaning: for people, a phrase.
        words: how a sentence names it, such as ``the epochs``; "" for one that is never named.
        label: over its field in a form; "" for one that no form asks for.
        flag: its option; "" where the command line has none.
        least, most: the smallest and the greatest value; None for no bound.
        is_open: of these two, which is itself not allowed.
        choices: the values of a text that has only so many.
        step: of its field in a form.
        read: from the text of a command line or a form to the value; raises ValueError or UserError.
        name, default: of the field, filled in by :func:`settings`.
    """

    meaning: str
    words: str = ""
    label: str = ""
    flag: str = ""
    least: float | None = None
    most: float | None = None
    is_open: tuple[bool, bool] = (False, False)
    choices: tuple[str, ...] = ()
    step: float | None = None
    read: Callable[[str], Any] | None = None
    name: str = ""
    default: Any = None

    @property
    def kind(self) -> type:
        """``int``, ``float``, ``bool``, ``tuple`` or ``str``."""
        return type(self.default)

    def holds(self, value: Any) -> bool:
        """Whether the setting can have a value of its kind."""
        if self.choices:
            return value in self.choices
        above, below = self.is_open
        enough = self.least is None or (value > self.least if above else value >= self.least)
        return enough and (self.most is None or (value < self.most if below else value <= self.most))

    def range_words(self) -> str:
        """What the setting can be, such as ``1 to 10,000``."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        above, below = self.is_open
        least = f"above {_number(self.least)}" if above else _number(self.least)
        if self.most is None:
            return least if above else f"{least} or more"
        return f"{least} to {'below ' * below}{_number(self.most)}"

    def of_text(self, text: str) -> Any:
        """The value that a text means. Raises ValueError, or UserError with a sentence."""
        return (self.read or self.kind)(text.strip())


def _number(value: float | None) -> str:
    return "any number" if value is None else f"{value:,.10g}"


def setting(default: Any, known: SettingKind, **changed: Any) -> Any:
    """A field of a recipe: its default, and what is known of it, with what differs from that."""
    return field(default=default, metadata={"setting": known, "changed": changed})


@cache
def settings(recipe: type) -> dict[str, SettingKind]:
    """The settings of a recipe, a dataclass, by their names and in its order; fields without one are left out."""
    return {
        one.name: SettingKind(
            **{
                **{part.name: getattr(one.metadata["setting"], part.name) for part in fields(SettingKind)},
                **one.metadata["changed"],
                "name": one.name,
                "default": one.default,
            }
        )
        for one in fields(recipe)
        if "setting" in one.metadata
    }


def check_kinds(recipe: Any, what: str) -> None:
    """Compare each value with the kind of its default (a field without one is a text).

    Args:
        recipe: a dataclass; it may come from a record, which may hold anything.
        what: it is, as the sentence begins.

    Raises:
        UserError: the first setting of another kind.
    """
    for one in fields(recipe):
        value = getattr(recipe, one.name)
        if not _is_like(value, "" if one.default is MISSING else one.default):
            raise UserError(f"{what} cannot work: the setting '{one.name}' cannot be {str(value)[:60]!r}.")


def check_settings(recipe: Any, what: str) -> None:
    """:func:`check_kinds`, and compare each value with its bounds.

    Raises:
        UserError: the first setting of another kind, or out of its bounds.
    """
    check_kinds(recipe, what)
    for name, known in settings(recipe.__class__).items():
        if known.words and not known.holds(getattr(recipe, name)):
            raise UserError(f"{what} cannot work: {known.words} must be {known.range_words()}.")


def _is_like(value: Any, example: Any) -> bool:
    if isinstance(example, tuple):
        same = isinstance(value, tuple) and len(value) == len(example)
        return same and all(map(_is_like, value, example))
    if isinstance(example, bool) or isinstance(value, bool):
        return isinstance(example, bool) and isinstance(value, bool)
    kind = Integral if isinstance(example, int) else Real if isinstance(example, float) else str
    return isinstance(value, kind)


def options(recipe: Any, base: Any, always: Collection[str] = ()) -> list[str]:
    """The words of a command line that give ``recipe``.

    Args:
        recipe: a dataclass.
        base: what the command begins with; only what differs from it is named.
        always: settings that are named all the same.
    """
    words = []
    for name, known in settings(recipe.__class__).items():
        value = getattr(recipe, name)
        if known.flag and (name in always or value != getattr(base, name)):
            words += [known.flag, exact_text(value)]
    return words


def exact_text(value: Any) -> str:
    """A value as a command line takes it; a number in few digits, but all that it has."""
    if not isinstance(value, float):
        return str(value)
    short = f"{value:g}"
    return short if float(short) == value else repr(value)
