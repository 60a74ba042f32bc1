"""Errors that carry a sentence for the person in front of the screen."""

#: The exit status of a command that did all it could, but left out pictures that cannot be read.
LEFT_OUT = 3


class UserError(Exception):
    """Something that the user can put right; the message says what is wrong and what to do.

    The command line prints the message and exits with status 2; the app shows it in an error box. Neither
    shows a traceback for it.
    """
