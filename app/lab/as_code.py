"""Specifications of data in running words: as code, as an ``@`` would make an address of them."""


def as_code(text: str) -> str:
    """Text for Markdown in the letters of code; a backtick in it, which would end them, becomes an apostrophe."""
    return f"`{text.replace('`', chr(39))}`"
