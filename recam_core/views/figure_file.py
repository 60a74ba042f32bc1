"""Figures as file bytes: PNG for slides, SVG for the web, PDF for papers."""

import threading
import warnings
from io import BytesIO

import matplotlib
from matplotlib.figure import Figure
from matplotlib.text import Text

from recam_core.errors import UserError

#: File kinds and their media types.
FIGURE_KINDS: dict[str, str] = {"png": "image/png", "svg": "image/svg+xml", "pdf": "application/pdf"}
#: Text stays text (searchable, editable, with its fonts embedded in PDF); equal figures give equal bytes.
_SETTINGS = {"svg.fonttype": "none", "pdf.fonttype": 42, "svg.hashsalt": "recam"}
#: Settings of matplotlib belong to the process, and sessions of the app are threads.
_LOCK = threading.Lock()


def figure_bytes(figure: Figure, kind: str) -> bytes:
    """The bytes of a file of the figure, at the resolution that the figure was made for.

    Args:
        figure: any figure.
        kind: a key of :data:`FIGURE_KINDS`.

    Raises:
        UserError: the kind is unknown.
    """
    if kind not in FIGURE_KINDS:
        raise UserError(f"Figures are written as {', '.join(FIGURE_KINDS)}, not as {kind!r}.")
    stream = BytesIO()
    dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}
    # Fonts of the computer may have outlines that PDF takes as shapes only.
    foreign = any(len(text.get_fontfamily()) > 1 for text in figure.findobj(Text))
    settings = _SETTINGS | ({"pdf.fonttype": 3} if foreign else {})
    with _LOCK, matplotlib.rc_context(settings), warnings.catch_warnings():
        # What no font has is drawn as boxes in PNG and PDF, which `figure_text.missing_font` tells.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(stream, format=kind, dpi=figure.dpi, facecolor=figure.get_facecolor(), metadata=dates[kind])
    return stream.getvalue()
