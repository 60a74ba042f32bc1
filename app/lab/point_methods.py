"""The panes behind a point: the run before, what was chosen, and the setting that was pressed."""

from dataclasses import replace
from pathlib import Path

from app.catalogue import Entry
from app.lab.chosen_point import setting_at
from app.lab.keep_job import readable_head
from app.lab.shown import Shown
from app.methods import Method, method_of_entry, method_of_heads
from app.models import shared_run
from recam_core.checkpoint.run_folder import read_info
from recam_core.experiments.lab import Measured
from recam_core.views.charts.setting_points import REFERENCE_PLACE


def seed_of(one: Measured, seed: int) -> int:
    """A seed that the setting has."""
    return min(seed, len(one.select) - 1)


def methods_of(shown: Shown, place: int, seed: int) -> list[Method]:
    """The run before first, as differences of scores are taken to it.

    Raises:
        UserError: a run was deleted meanwhile.
    """
    one = setting_at(shown, place)
    others = [one] if place != REFERENCE_PLACE else []
    found = shown.found
    if found.chosen is not None and found.chosen != one.label:
        others.insert(0, found.setting(found.chosen))
    return [_before(shown), *(_of_setting(shown, each, seed_of(each, seed)) for each in others)]


def _before(shown: Shown) -> Method:
    entry, reference = shown.entry, shown.found.reference
    before = method_of_entry(entry, "fc1")
    key, title = f"lab/{shown.id}/before", f"{entry.title}, not retrained"
    threshold = reference.select[0].scores.threshold
    if not reference.heads:
        return replace(before, key=key, title=title, threshold=threshold)
    head = reference.heads[0]
    return method_of_heads(key, title, shared_run(entry), head.fc1, head.fc2, before.rule, threshold)


def _of_setting(shown: Shown, one: Measured, seed: int) -> Method:
    key = f"lab/{shown.id}/{one.label}"
    title = one.label + (", chosen" if one.label == shown.found.chosen else "")
    threshold = one.select[seed].scores.threshold
    if one.heads:
        head = readable_head(one, seed)
        return method_of_heads(
            key, title, shared_run(shown.entry), head.fc1, head.fc2, head.recipe.rule, threshold
        )  # fmt: skip
    path = Path(one.runs[seed])
    trained = method_of_entry(Entry(path, read_info(path), False), one.setting.recipes[seed].rule)
    # No entry: nobody looks among the user's runs for maps of this one.
    return replace(trained, key=key, title=title, threshold=threshold, entry=None)
