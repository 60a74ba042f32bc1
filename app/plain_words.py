"""Names and messages as they are, where Streamlit would read Markdown in them.

Whatever a person, a file or an address has named (classes, pictures, runs, notes, data sets), and every message that
may quote such a name, goes through here on its way into a heading, label, help text, caption, toast or error. Options
of ``selectbox`` and ``multiselect``, ``st.text`` and tables take text as it is; those of ``pills`` and
``segmented_control`` do not.
"""

import re
import unicodedata

from recam_core.guest import told

#: Where Markdown gives a letter a meaning; a backslash before it makes it stand for itself. Within a word an underscore
#: means nothing, and signs of lists, headings and quotations count at the beginning alone.
_MARKS = re.compile(
    r"[\\`*\[\]<$~&|]"
    r"|(?<![^\W_])_|_(?![^\W_])"
    r"|:(?=[A-Za-z:])"
    r"|^[-+#=>]"
)
_NUMBERED = re.compile(r"^(\d+)([.)])")
#: Takes no room and breaks no line. Streamlit looks for these once more after Markdown was read, where a backslash is
#: gone: emoji and icons between colons, arrows and other signs made of several, addresses of pages and of mail.
_JOINER = "\u2060"
_AGAIN = re.compile(
    r"(?P<colon>:)(?=[\w+\-/]+:)"
    r"|(?P<sign>(?<!\S)[<\->~](?=[\->=]{1,2}(?!\S)))"
    r"|(?P<scheme>https?:)(?=//)"
    r"|(?P<www>www)(?=\.)"
    r"|(?P<at>@)(?=[-\w]+\.)",
    re.IGNORECASE,
)
#: Categories of Unicode that show nothing or turn the text around them: controls, formats and halves of pairs.
_UNSEEN = ("Cc", "Cs", "Zl", "Zp")
#: Marks that turn the direction of what follows, beyond their own text.
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def plain(text: object) -> str:
    """Text for Markdown that shows it letter by letter, in one line."""
    words = _AGAIN.sub(rf"\g<0>{_JOINER}", _line(text))
    # At a blank, the stars of bold letters around it would not count.
    before, after = (_JOINER if words[end].isspace() else "" for end in (0, -1)) if words else ("", "")
    return before + _NUMBERED.sub(r"\1\\\2", _MARKS.sub(r"\\\g<0>", words)) + after


def as_code(text: object) -> str:
    """Text for Markdown in the letters of code, letter by letter, in one line: for specifications and commands."""
    words = _line(text).replace(":material/", f":{_JOINER}material/")
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", words)), default=0))
    room = " " if words.startswith("`") or words.endswith("`") or not words.strip() else ""
    return f"{fence}{room}{words}{room}{fence}"


def _line(text: object) -> str:
    """One line of letters that can be shown, to a visitor of a hosted app without the server's folders."""
    words = " ".join(told(str(text)).splitlines())
    return "".join(
        "\ufffd" if letter in _TURNING or unicodedata.category(letter) in _UNSEEN else letter
        for letter in words.replace("\t", " ")
    )
