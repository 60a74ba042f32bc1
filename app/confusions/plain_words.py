"""Names that people gave, as they are, where Markdown would read marks in them."""

_MARKS = frozenset("\\`*_{}[]()<>#+-.!|~$:&")


def plain(text: str) -> str:
    """Text for Markdown that shows it letter by letter."""
    return "".join(f"\\{letter}" if letter in _MARKS else letter for letter in text.replace("\n", " "))
