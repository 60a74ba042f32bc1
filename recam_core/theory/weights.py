"""How alike the classifiers' rows of two classes are: classes that share weights light up for one another."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from recam_core.checkpoint.run_folder import WEIGHTS_FILE, RunInfo
from recam_core.checkpoint.tensor_file import opened_tensors
from recam_core.errors import UserError
from recam_core.method.extraction import RULES, class_weights

#: What each set of rows is called.
TITLES = {"fc1": "FC1", "fc2": "FC2", "maps": "the maps' weights w″"}


@dataclass(frozen=True)
class ClassCosines:
    """Cosine similarities between the classes of a run.

    Attributes:
        names: K class names.
        matrices: by ``fc1``, ``fc2`` (of runs that have it) and ``maps`` (w'' of the run's rule, where that makes
            weights of both), K x K float64: 1 on the diagonal, nan where a row is all 0.
    """

    names: tuple[str, ...]
    matrices: dict[str, np.ndarray]

    def mean(self, key: str) -> float:
        """The mean over all pairs of different classes; nan for a single class."""
        off = self.matrices[key][~np.eye(len(self.names), dtype=bool)]
        return float(np.nanmean(off)) if np.isfinite(off).any() else float("nan")

    def closest(self, key: str, count: int = 5) -> list[tuple[int, int, float]]:
        """The pairs of different classes with the highest similarity, the highest first."""
        first, second = np.triu_indices(len(self.names), 1)
        values = self.matrices[key][first, second]
        known = np.flatnonzero(np.isfinite(values))
        order = known[np.argsort(-values[known], kind="stable")][:count]
        return [(int(first[n]), int(second[n]), float(values[n])) for n in order]


def cosine_matrix(rows: np.ndarray) -> np.ndarray:
    """K x K cosine similarities of K x C rows; nan for a row without length."""
    rows = np.asarray(rows, dtype=np.float64)
    length = np.linalg.norm(rows, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        unit = np.where(length[:, None] > 0, rows / length[:, None], np.nan)
    return np.clip(unit @ unit.T, -1, 1)


def class_cosines(folder: Path, info: RunInfo) -> ClassCosines:
    """The similarities of a run, from its weights' file alone: no network is built.

    Args:
        folder: of the run.
        info: its record.

    Raises:
        UserError: the weights are missing, damaged or not those of the record.
    """
    file = folder / WEIGHTS_FILE
    with opened_tensors(file) as weights:
        found = {name: weights.get_tensor(name).float() for name in ("fc1", "fc2") if name in weights.keys()}  # noqa: SIM118
    classes, channels = len(info.classes), info.network.get("channels")
    for name, rows in found.items():
        if rows.ndim != 2 or len(rows) < classes or rows.shape[1] != channels or not torch.isfinite(rows).all():
            raise UserError(f"{file} is damaged: '{name}' is not {classes} rows of {channels} numbers.")
    if "fc1" not in found:
        raise UserError(f"{file} has no FC1.")
    matrices = {name: cosine_matrix(rows[:classes].numpy()) for name, rows in found.items()}
    rule = RULES.get(info.rule)
    if "fc2" in found and rule is not None and rule.needs_fc2 and rule.makes_weights and info.rule != "fc2":
        matrices["maps"] = cosine_matrix(class_weights(info.rule, found["fc1"], found["fc2"]).numpy())
    return ClassCosines(tuple(info.classes), matrices)
