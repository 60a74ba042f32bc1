"""Words that a chart shows as they are: Plotly reads tags, entities and ``%{...}`` in every text."""

_MARKUP = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "%": "&#37;", "$": "&#36;", "\n": " ", "\r": " "})


def plain(text: object, most: int | None = None) -> str:
    """The text for a title, label, legend, hover or hover template of Plotly, with nothing in it interpreted.

    Whatever a user, a file or a data set has named goes through here once, on its way into a figure; ``customdata``
    that a hover template shows is text of Plotly, too.

    Args:
        text: as it is meant to be read.
        most: characters that have room; a longer text is cut and ends with an ellipsis.
    """
    words = str(text)
    if most is not None and len(words) > most:
        words = words[: max(most - 1, 0)].rstrip() + "…"
    return words.translate(_MARKUP)
