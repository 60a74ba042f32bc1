"""What a filter asks for, in words."""

from collections.abc import Mapping

from recam_core.analysis.picture_filter import PictureFilter
from recam_core.data.sample import ClassList


def filter_words(wanted: PictureFilter, classes: ClassList, titles: Mapping[str, str]) -> str:
    """One sentence; "" for a filter that lets everything pass.

    Args:
        wanted: the filter.
        classes: that it names by number.
        titles: by method key.
    """
    parts = []
    if wanted.classes:
        link = " or " if wanted.class_mode == "any" else " and "
        parts.append("showing " + link.join(classes.names[k] for k in wanted.classes))
    if wanted.number:
        least, most = wanted.number
        parts.append(f"with {least} classes" if least == most else f"with {least} to {most} classes")
    if wanted.size:
        parts.append(f"with an object of {wanted.size[0]:.0%} to {wanted.size[1]:.0%} of the picture")
    if wanted.score:
        title = titles.get(wanted.score_of, wanted.score_of)
        parts.append(f"where {title} has an mIoU of {wanted.score[0]:.0%} to {wanted.score[1]:.0%}")
    if wanted.worse:
        worse, better = (titles.get(key, key) for key in wanted.worse)
        by = f" by {100 * wanted.margin:.0f} points or more" if wanted.margin else ""
        parts.append(f"where {worse} is worse than {better}{by}")
    return f"Only pictures {', '.join(parts)}." if parts else ""
