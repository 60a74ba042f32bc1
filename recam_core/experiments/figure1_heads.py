"""Figure 1 by heads: linear classifiers on pooled features that stay as they are, and what is chosen for them."""

import itertools
import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from recam_core.checkpoint.run_folder import Run, load_run
from recam_core.data.digest import all_labels
from recam_core.data.sample import ClassList, Dataset
from recam_core.errors import UserError
from recam_core.experiments.figure1 import (
    ALL,
    GROUP,
    LOSSES,
    TITLES,
    WHAT,
    Figure1,
    Figure1Row,
    HeadSettings,
    check_settings,
)
from recam_core.experiments.noise import RESAMPLES, Difference, interval
from recam_core.experiments.pooled_vectors import (
    LabelledVectors,
    counted,
    imagenet_run,
    named_backbone,
    pooled_vectors,
    single_label_features,
    single_label_pictures,
)
from recam_core.experiments.protocol import data_and_report
from recam_core.progress import ProgressFn, silent
from recam_core.retrain.head_recipe import HeadRecipe
from recam_core.retrain.head_runs import CosineAdam
from recam_core.scores.bootstrap import picture_weights

#: Parts of the cross-validation.
FOLDS = 5
#: A class with fewer training vectors than this cannot be in every fold's training.
LEAST = 5
#: So many groups are tried one by one; beyond, the group grows from the worst pair.
_EXHAUSTIVE = 60_000


def figure1(
    source: str,
    data: str,
    report: str = "@val",
    what: str = "pictures",
    settings: HeadSettings = HeadSettings(),  # noqa: B008 - frozen
    device: torch.device | str = "cpu",
    progress: ProgressFn = silent,
) -> Figure1:
    """The figure by heads, from names to the result.

    Args:
        source: the folder of a run, or ``imagenet`` or ``imagenet:BACKBONE``.
        data, report: specifications of what is trained on and reported on; ``@SPLIT`` is of the same data.
        what: a key of :data:`WHAT`; single-label features are masked by the run's own maps, so they need a run.
        settings: of the classifiers.
        device: of the backbone.
        progress: called after each picture and each epoch; may raise Cancelled.

    Raises:
        UserError: names, settings or data that cannot be used.
    """
    check_settings(settings)
    if what not in WHAT:
        raise UserError(f"There is no '{what}' to classify: choose one of {', '.join(WHAT)}.")
    fit, tested = data_and_report(data, report)
    check_settings(settings, len(fit.classes))
    backbone = named_backbone(source)
    if backbone is not None and what == "features":
        raise UserError("Single-label features are masked by the maps of a run; ImageNet's backbone has none.")
    run = load_run(source, device) if backbone is None else imagenet_run(backbone, fit.classes, device)
    if what == "pictures":  # before any feature is computed
        single_label_classes(fit, tested, settings.group, progress)
    read = single_label_pictures if what == "pictures" else single_label_features
    vectors, tested_vectors = (read(pooled_vectors(run, one, progress)) for one in (fit, tested))
    return figure1_heads(
        vectors,
        tested_vectors,
        fit.classes,
        settings,
        source=source_name(source, run),
        what=what,
        specs=(fit.spec, tested.spec),
        progress=progress,
    )


def source_name(source: str, run: Run) -> str:
    """The run as a record names it: without where on this computer it lies."""
    return f"{run.path.parent.name}/{run.path.name}".strip("/") if named_backbone(source) is None else run.info.name


def figure1_heads(
    fit: LabelledVectors,
    report: LabelledVectors,
    classes: ClassList,
    settings: HeadSettings,
    *,
    source: str,
    what: str,
    specs: tuple[str, str],
    progress: ProgressFn = silent,
) -> Figure1:
    """The figure by linear classifiers on pooled features.

    Args:
        fit, report: single-label vectors to train on and to test on, of the same C channels and classes.
        classes: the K classes.
        settings: of the classifiers.
        source: what made the features, for the record.
        what: a key of :data:`WHAT`.
        specs: of both data sets, for the record.
        progress: called after each epoch of each batch of classifiers; may raise Cancelled.

    Raises:
        UserError: settings out of range, or fewer classes with enough vectors than the group is to have.
    """
    check_settings(settings)
    used = usable_classes(counted(fit, len(classes)), counted(report, len(classes)), settings.group)
    fit_all, report_all = fit.of(used), report.of(used)
    steps = (len(LOSSES) * 2 * 2) * settings.epochs
    stage = itertools.count()

    def staged(done: int, total: int, note: str = "", at: int = 0) -> None:
        progress(at * settings.epochs + done, steps, note)

    def next_stage() -> ProgressFn:
        return partial(staged, at=next(stage))

    rates, confusion = cross_validated(fit_all, len(used), settings, next_stage)
    group = hardest_group(confusion, settings.group)
    scopes = {ALL: used, GROUP: tuple(used[place] for place in group)}
    rows: list[Figure1Row] = []
    gains: dict[str, Difference] = {}
    counts: dict[str, dict[str, int]] = {"fit": {}, "report": {}, "pictures": {}}
    for scope, members in scopes.items():
        train, test = (fit_all, report_all) if scope == ALL else (fit.of(members), report.of(members))
        if scope == GROUP:
            rates, _ = cross_validated(train, len(members), settings, next_stage)
        right = {}
        for loss in LOSSES:
            weights = train_linear(
                train, len(members), loss, [(rates[loss], seed) for seed in settings.seeds], settings, next_stage()
            )
            predicted = (test.x @ weights.transpose(1, 2)).argmax(dim=2)
            right[loss] = (predicted == test.y).numpy()
            rows.append(row_of(scope, loss, rates[loss], right[loss], test.y.numpy()))
        gains[scope] = gain_of(right["sce"], right["bce"], test.picture.numpy())
        counts["fit"][scope], counts["report"][scope] = len(train.y), len(test.y)
        counts["pictures"][scope] = len(torch.unique(test.picture))
    return Figure1(
        source,
        what,
        "heads",
        *specs,
        {scope: tuple(classes.names[k] for k in members) for scope, members in scopes.items()},
        tuple(name for k, name in enumerate(classes.names) if k not in used),
        counts["fit"],
        counts["report"],
        counts["pictures"],
        tuple(rows),
        gains,
        confusion,
        {**vars(settings), "rates": list(settings.rates), "seeds": list(settings.seeds)},
    )


def usable_classes(fit: np.ndarray, report: np.ndarray, group: int) -> tuple[int, ...]:
    """Classes with enough examples to be learnt in each fold and to be tested.

    Args:
        fit, report: K counts of the single-label examples of each class, to train on and to test on.
        group: how many classes the hard group is to have.

    Raises:
        UserError: fewer than that.
    """
    used = tuple(np.flatnonzero((fit >= LEAST) & (report >= 1)).tolist())
    if len(used) < max(group, 2):
        raise UserError(
            f"Only {len(used)} classes have {LEAST} single-label examples to train on and one to test on; the hard "
            f"group is to have {group}. Ask for a smaller group, for single-label features, or for other data."
        )
    return used


def single_label_classes(fit: Dataset, report: Dataset, group: int, progress: ProgressFn = silent) -> tuple[int, ...]:
    """:func:`usable_classes` for pictures of a single class, by their labels alone; raises as that does."""
    labels = [all_labels(one, progress) for one in (fit, report)]
    fit_counts, report_counts = (rows[rows.sum(axis=1) == 1].sum(axis=0) for rows in labels)
    return usable_classes(fit_counts, report_counts, group)


def train_linear(
    vectors: LabelledVectors,
    classes: int,
    loss: str,
    runs: Sequence[tuple[float, int]],
    settings: HeadSettings,
    progress: ProgressFn = silent,
    without: Sequence[Tensor] | None = None,
) -> Tensor:
    """Bias-free linear classifiers, as FC1 and FC2 are, trained side by side by AdamW on batches.

    Args:
        vectors: N to learn.
        classes: K of them.
        loss: ``bce`` (equation 1) or ``sce``.
        runs: R pairs of a learning rate and a seed, which decides the first weights and the order.
        settings: all else.
        progress: called after each epoch; may raise Cancelled.
        without: R times the rows that a run must not see, for cross-validation.

    Returns:
        R x K x C.
    """
    count, channels = vectors.x.shape
    rows = [torch.arange(count)] * len(runs)
    if without is not None:
        rows = [torch.arange(count)[~torch.isin(torch.arange(count), out)] for out in without]
    generators = [torch.Generator().manual_seed(seed) for _, seed in runs]
    bound = channels**-0.5
    weights = torch.stack([(torch.rand(classes, channels, generator=g) * 2 - 1) * bound for g in generators])
    recipes = [HeadRecipe(lr=rate, weight_decay=settings.weight_decay) for rate, _ in runs]
    adam = CosineAdam([weights], recipes)
    target = torch.nn.functional.one_hot(vectors.y, classes).float()
    # Runs of one batch step together; where folds differ by a vector, the larger ones drop it in this epoch.
    fewest = min(len(part) for part in rows)
    steps = max(math.ceil(fewest / settings.batch_size), 1)
    for epoch in range(settings.epochs):
        order = torch.stack(
            [part[torch.randperm(len(part), generator=g)][:fewest] for part, g in zip(rows, generators, strict=True)]
        )
        for step in range(steps):
            batch = order[:, step * settings.batch_size : (step + 1) * settings.batch_size]
            x, y = vectors.x[batch], target[batch]
            z = x @ weights.transpose(1, 2)
            believed = z.softmax(dim=2) if loss == "sce" else z.sigmoid()
            gradient = (believed - y).transpose(1, 2) @ x / batch.shape[1]
            if loss == "bce":
                gradient /= classes  # the mean of equation 1
            adam.step([gradient], (epoch + step / steps) / settings.epochs)
        progress(epoch + 1, settings.epochs, f"{TITLES[loss]} classifiers")
    return weights


def cross_validated(
    vectors: LabelledVectors, classes: int, settings: HeadSettings, next_stage: Callable[[], ProgressFn]
) -> tuple[dict[str, float], np.ndarray]:
    """The rate that suits each loss, and the confusion (K x K counts) of both losses together with it.

    Each vector is told by classifiers that have not seen its picture. ``next_stage`` gives the progress function of
    each loss.
    """
    pictures, place = torch.unique(vectors.picture, return_inverse=True)
    fold = (torch.arange(len(pictures)) % FOLDS)[place]
    out = [torch.nonzero(fold == one).flatten() for one in range(FOLDS)]
    runs = [(rate, 0) for rate in settings.rates for _ in range(FOLDS)]
    rates, confusion = {}, np.zeros((classes, classes), dtype=np.int64)
    for loss in LOSSES:
        weights = train_linear(
            vectors, classes, loss, runs, settings, next_stage(), [part for _ in settings.rates for part in out]
        )
        best: tuple[float, float, Tensor] = (-1.0, settings.rates[0], vectors.y)
        for number, rate in enumerate(settings.rates):
            predicted = torch.empty_like(vectors.y)
            for one in range(FOLDS):
                predicted[out[one]] = (vectors.x[out[one]] @ weights[number * FOLDS + one].T).argmax(dim=1)
            right = float((predicted == vectors.y).float().mean())
            if right > best[0]:
                best = right, rate, predicted
        rates[loss] = best[1]
        np.add.at(confusion, (vectors.y.numpy(), best[2].numpy()), 1)
    return rates, confusion


def hardest_group(confusion: np.ndarray, size: int) -> tuple[int, ...]:
    """The classes that are confused most with one another.

    Args:
        confusion: K x K counts, rows the truth.
        size: how many classes.

    Returns:
        Their numbers, rising: those with the highest mean share of one member's vectors that another member is given.
        Of all groups, while these are few; else the worst pair, grown by the class that adds most.
    """
    rates = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    np.fill_diagonal(rates, 0)
    both = rates + rates.T
    count = len(both)
    size = min(size, count)
    if math.comb(count, size) <= _EXHAUSTIVE:
        groups = np.array(list(itertools.combinations(range(count), size)))
        sums = both[groups[:, :, None], groups[:, None, :]].sum(axis=(1, 2))
        return tuple(groups[int(sums.argmax())].tolist())
    members = list(divmod(int(both.argmax()), count))
    while len(members) < size:
        gain = both[members].sum(axis=0)
        gain[members] = -1
        members.append(int(gain.argmax()))
    return tuple(sorted(members))


def row_of(scope: str, loss: str, rate: float, right: np.ndarray, truth: np.ndarray) -> Figure1Row:
    """A bar of S x N bools: which vectors each seed's classifier has right."""
    means = np.stack([right[:, truth == k].mean(axis=1) for k in np.unique(truth)])
    return Figure1Row(scope, loss, rate, tuple(right.mean(axis=1).tolist()), tuple(means.mean(axis=0).tolist()))


def gain_of(one: np.ndarray, other: np.ndarray, picture: np.ndarray) -> Difference:
    """The difference of two accuracies with its interval over draws of the pictures and of the seeds.

    Args:
        one, other: S x N bools, which vectors are right.
        picture: N, the picture of each vector; a picture is drawn with all of its vectors.
    """
    value = float(one.mean() - other.mean())
    _, place = np.unique(picture, return_inverse=True)
    pictures = int(place.max()) + 1
    if pictures == 1:
        return Difference(value, math.nan, math.nan)
    generator = np.random.default_rng(0)
    weights = picture_weights(generator, pictures, RESAMPLES)[place]  # N x R
    seeds = generator.multinomial(len(one), np.full(len(one), 1 / len(one)), size=RESAMPLES) / len(one)  # R x S
    difference = (one.astype(np.float64) - other) @ weights  # S x R
    return interval(value, (difference * seeds.T).sum(axis=0) / weights.sum(axis=0))
