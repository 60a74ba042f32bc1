"""Lists, counts and sizes in words, for messages and tables."""

from collections.abc import Iterable, Sequence


def few(things: Iterable[object], most: int = 3) -> str:
    """The first things of a list, with commas, and how many more there are: ``a, b, c and 4 more``."""
    things = list(things)
    more = f" and {len(things) - most} more" if len(things) > most else ""
    return ", ".join(str(thing) for thing in things[:most]) + more


def listing(words: Sequence[str], most: int | None = None) -> str:
    """Words as a sentence lists them: ``a``, ``a and b``, ``a, b and c``; more than ``most`` as :func:`few` does."""
    if most is not None and len(words) > most:
        return few(words, most)
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def counted(number: int, thing: str) -> str:
    """A number of things: ``1 picture``, ``1,200 pictures``."""
    return f"{number:,} {thing}" + ("" if number == 1 else "s")


def megabytes(size: int) -> str:
    """Bytes as ``12.3 MB``, few of them as ``12.3 KB``."""
    return f"{size / 1e6:,.1f} MB" if size >= 1e5 else f"{size / 1e3:,.1f} KB"
