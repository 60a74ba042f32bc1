"""The settings of runs side by side, and those in which they differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from recam_core.checkpoint.run_folder import RunInfo

#: Settings of a recipe under the names that the paper or the record has for them.
_NAMES = {
    "weight": "lambda",
    "lr": "learning rate",
    "loss": "loss on FC2",
    "background": "background row (beta)",
    "background_power": "exponent of its mask (G)",
}
#: Said once, outside the recipe.
_ELSEWHERE = ("method", "rule", "seed", "backbone", "output_stride")
#: Said of runs whose FC2 has a background row; elsewhere they mean nothing.
_OF_THE_ROW = ("background", "background_power")


@dataclass(frozen=True)
class SettingRow:
    """One setting: its name, and its value as text in each run (None where a run has no such setting)."""

    name: str
    values: tuple[str | None, ...]

    @property
    def differs(self) -> bool:
        """Whether not all runs have one value."""
        return len(set(self.values)) > 1


def run_settings(info: RunInfo) -> dict[str, str]:
    """Every setting of a run as text, the weightiest first; without those that it has not."""
    return {name: value for name, value in _settings(info).items() if value is not None}


def _settings(info: RunInfo) -> dict[str, str | None]:
    found: dict[str, Any] = {
        "method": info.method,
        "rule": info.rule,
        "backbone": info.network.get("backbone"),
        "output stride": info.network.get("output_stride"),
        "training data": info.data,
        "classes": len(info.classes),
        "started from": info.parent,
    }
    for name, value in info.recipe.items():
        if name not in _ELSEWHERE and (name not in _OF_THE_ROW or info.recipe.get("background")):
            found[_NAMES.get(name, name.replace("_", " "))] = value
    found["seed"] = info.seed
    found["threshold"] = info.threshold
    found |= {f"version of {name}": version for name, version in info.versions.items()}
    return {name: None if value is None else _as_text(value) for name, value in found.items()}


def compare_settings(infos: Sequence[RunInfo]) -> list[SettingRow]:
    """Every setting that any of the runs has, in the order of the first that has it."""
    settings = [_settings(info) for info in infos]
    names = dict.fromkeys(name for one in settings for name in one)
    rows = [SettingRow(name, tuple(one.get(name) for one in settings)) for name in _versions_last(names)]
    return [row for row in rows if any(value is not None for value in row.values)]


def _versions_last(names: dict[str, None]) -> list[str]:
    return sorted(names, key=lambda name: name.startswith("version of "))


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(_as_text(one) for one in value)
    return str(value)
