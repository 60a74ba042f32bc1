"""What records of earlier versions say by their command line alone: it is read here, once, and nowhere else."""

import shlex
from itertools import pairwise
from typing import Any

#: A longer text is no command that somebody typed, and would take long to take apart.
_LONGEST = 20_000


def split_command(command: str) -> list[str]:
    """The words of a command line; none for a text that is no command line."""
    try:
        return shlex.split(command) if len(command) < _LONGEST else []
    except ValueError:
        return []


def with_start(values: dict[str, Any]) -> dict[str, Any]:
    """The values of a record, with the fields ``val``, ``init`` and ``imagenet`` that earlier versions did not write.

    Args:
        values: of ``run.json``, of any form.
    """
    if "init" in values or not isinstance(command := values.get("command", ""), str):
        return values
    words = split_command(command)
    return {
        **values,
        "val": _option(words, "--val"),
        "init": _option(words, "--init") or _option(words, "retrain"),
        "imagenet": _imagenet(values.get("recipe"), words),
    }


def command_of_now(command: str, method: str, recipe: dict[str, Any], had_no_row: bool) -> str:
    """The command of an older run with what it left to defaults that are others now.

    Args:
        command: as recorded.
        method: of the run.
        recipe: of the run.
        had_no_row: whether it was made before FC2 could have a background row, of data that would have one now.
    """
    had_fc2 = any(words in command for words in (" train recam ", " retrain "))
    if had_no_row and had_fc2 and "--background" not in command:
        command = f"{command} --background 0"
    update = recipe.get("update", "fc2")
    is_silent = not any(word in command for word in (" --update", " --from"))
    if method == "heads" and " retrain " in command and is_silent and update in ("fc2", "both"):
        command = f"{command} --update {update}"
    return command


def _option(words: list[str], flag: str) -> str:
    """The value of ``FLAG VALUE`` or ``FLAG=VALUE``; "" where there is no such option."""
    for word, following in pairwise([*words, ""]):
        if word == flag and not following.startswith("-"):
            return following
        if word.startswith(f"{flag}="):
            return word.partition("=")[2]
    return ""


def _imagenet(recipe: Any, words: list[str]) -> str:
    """Where ImageNet weights came from, of what the recipe of such a record says in words."""
    said = recipe.get("weights") if isinstance(recipe, dict) else None
    if not isinstance(said, str) or said.startswith("run "):
        return ""
    if said.startswith("file "):
        return _option(words, "--weights") or said.removeprefix("file ")
    return "none" if said == "none" else "packaged" if said.startswith("package ") else "download"
