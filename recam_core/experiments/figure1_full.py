"""Figure 1 by whole networks: backbone and all, trained by each loss on the pictures of a single class."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from recam_core.checkpoint.run_folder import INFO_FILE, load_run, read_info
from recam_core.data.digest import all_labels
from recam_core.data.sample import ClassList, Dataset, Fault, Sample
from recam_core.errors import UserError
from recam_core.experiments.figure1 import ALL, GROUP, LOSSES, Figure1, HeadSettings, check_settings
from recam_core.experiments.figure1_heads import cross_validated, gain_of, hardest_group, row_of, single_label_classes
from recam_core.experiments.pooled_vectors import imagenet_run, pooled_vectors, single_label_pictures
from recam_core.gate import device_gate
from recam_core.progress import ProgressFn, on_bar, silent
from recam_core.train.loop import train
from recam_core.train.recipe import Recipe, check_recipe


@dataclass
class SingleClassPictures:
    """The pictures of a data set that show one class alone, of some of its classes; a data set itself.

    Attributes:
        whole: what they are of.
        members: numbers of the classes in ``whole``, which are numbered anew in this order.
        places: of the pictures in ``whole``.
        spec: for records; it opens nothing.
    """

    whole: Dataset
    members: tuple[int, ...]
    places: tuple[int, ...]
    spec: str = field(init=False)

    def __post_init__(self) -> None:
        self.spec = f"{self.whole.spec}, pictures of one class of {', '.join(self.classes.names)}"

    @property
    def classes(self) -> ClassList:
        return ClassList(tuple(self.whole.classes.names[k] for k in self.members), self.whole.classes.has_background)

    @property
    def ids(self) -> Sequence[str]:
        return [self.whole.ids[place] for place in self.places]

    @property
    def has_masks(self) -> bool:
        return False

    def __len__(self) -> int:
        return len(self.places)

    def labels(self, index: int) -> np.ndarray:
        return self.whole.labels(self.places[index])[list(self.members)]

    def mask(self, index: int) -> np.ndarray | None:
        return None

    def load(self, index: int) -> Sample:
        sample = self.whole.load(self.places[index])
        return Sample(sample.id, sample.image, sample.labels[list(self.members)])

    def faults(self, progress: ProgressFn = silent) -> Iterator[Fault]:
        yield from self.whole.faults(progress)


def single_class_pictures(dataset: Dataset, members: Sequence[int]) -> SingleClassPictures:
    """The pictures that show one class alone, if it is one of ``members``."""
    labels = all_labels(dataset)
    alone = (labels.sum(axis=1) == 1) & labels[:, list(members)].any(axis=1)
    return SingleClassPictures(dataset, tuple(members), tuple(np.flatnonzero(alone).tolist()))


def figure1_full(
    fit: Dataset,
    report: Dataset,
    recipe: Recipe,
    settings: HeadSettings,
    folder: Path,
    *,
    device: torch.device | str = "cpu",
    workers: int | None = None,
    progress: ProgressFn = silent,
) -> Figure1:
    """Train what is not there yet, and test it.

    The hard group is found by linear classifiers on the features of ImageNet's backbone, cross-validated on ``fit``.

    Args:
        fit, report: data sets with the same classes.
        recipe: of every training; its method and seed are set here.
        settings: gives the seeds and the size of the group.
        folder: holds a run a scope, loss and seed; finished ones are taken, one that was cut off goes on.
        device, workers: as of :func:`recam_core.train.loop.train`.
        progress: called after each step; may raise Cancelled, which leaves what is finished.

    Raises:
        UserError: settings or data that cannot be used, or a folder with other runs.
    """
    check_settings(settings, len(fit.classes))
    recipes = {loss: replace(recipe, method=loss) for loss in LOSSES}
    for one in recipes.values():
        check_recipe(one)
    used = single_label_classes(fit, report, settings.group, progress)
    start = imagenet_run(recipe.backbone, fit.classes, device)
    vectors = [single_label_pictures(pooled_vectors(start, one, progress)) for one in (fit, report)]
    _, confusion = cross_validated(vectors[0].of(used), len(used), settings, lambda: progress)
    members = {ALL: used, GROUP: tuple(used[place] for place in hardest_group(confusion, settings.group))}
    trainings = [(scope, loss, seed) for scope in members for loss in LOSSES for seed in settings.seeds]
    sets = {scope: [single_class_pictures(one, classes) for one in (fit, report)] for scope, classes in members.items()}
    right: dict[tuple[str, str], list[np.ndarray]] = {}
    for number, (scope, loss, seed) in enumerate(trainings):
        step = partial(_step, progress, number, len(trainings), f"{scope} {loss} seed {seed}: ")
        out = folder / f"{scope}-{loss}-seed{seed}"
        one = replace(recipes[loss], seed=seed)
        if not _is_there(out, one, sets[scope][0]):
            train(one, sets[scope][0], out, device=device, workers=workers, watch=on_bar(step), half=True)
        right.setdefault((scope, loss), []).append(_right(out, sets[scope][1], device))
    truth = {scope: _truth(report) for scope, (_, report) in sets.items()}
    return Figure1(
        f"{recipe.backbone}, {recipe.epochs} epochs from ImageNet's weights",
        "pictures",
        "full",
        fit.spec,
        report.spec,
        {scope: fit_set.classes.names for scope, (fit_set, _) in sets.items()},
        tuple(name for k, name in enumerate(fit.classes.names) if k not in used),
        {scope: len(fit_set) for scope, (fit_set, _) in sets.items()},
        {scope: len(report_set) for scope, (_, report_set) in sets.items()},
        {scope: len(report_set) for scope, (_, report_set) in sets.items()},
        tuple(row_of(scope, loss, float("nan"), np.stack(each), truth[scope]) for (scope, loss), each in right.items()),
        {
            scope: gain_of(np.stack(right[scope, "sce"]), np.stack(right[scope, "bce"]), np.arange(len(truth[scope])))
            for scope in sets
        },
        confusion,
        {"recipe": recipe.to_json(), "seeds": list(settings.seeds), "group": settings.group},
    )


def _step(progress: ProgressFn, number: int, count: int, words: str, done: int, total: int, note: str = "") -> None:
    progress(number * total + done, count * total, words + note)


def _is_there(out: Path, recipe: Recipe, data: SingleClassPictures) -> bool:
    """Whether a folder holds this very training, finished.

    Raises:
        UserError: it holds another one.
    """
    if not (out / INFO_FILE).is_file():
        return False
    info = read_info(out)
    wanted = {name: list(value) if isinstance(value, tuple) else value for name, value in recipe.to_json().items()}
    same = all(info.recipe.get(name) == value for name, value in wanted.items() if name != "weights")
    if not same or info.data != data.spec:
        raise UserError(f"{out} holds a run with other settings or data; choose another folder or delete it.")
    return True


@torch.inference_mode()
def _right(out: Path, data: SingleClassPictures, device: torch.device | str) -> np.ndarray:
    """Which pictures a network names rightly, by the greatest logit at scale 1."""
    network = load_run(out, device).network
    found = np.zeros(len(data), dtype=bool)
    for index in range(len(data)):
        sample = data.load(index)
        with device_gate(network.device):
            _, logits = network(network.preprocess(sample.image))
            found[index] = sample.labels[int(logits[0].argmax())]
    return found


def _truth(data: SingleClassPictures) -> np.ndarray:
    return np.array([int(data.labels(index).argmax()) for index in range(len(data))])
