"""Errors that carry a sentence for the person in front of the screen."""


class UserError(Exception):
    """Something that the user can put right; the message says what is wrong and what to do.

    The command line prints the message and exits with status 2; the app shows it in an error box. Neither
    shows a traceback for it.
    """
