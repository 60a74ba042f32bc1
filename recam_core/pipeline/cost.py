"""What a pipeline will take on this machine, told before it begins: pieces of its work are timed, and counted up."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import takewhile
from pathlib import Path

import numpy as np
import torch

from recam_core.data.sample import Dataset
from recam_core.data.spec import open_dataset
from recam_core.data.subset import spread
from recam_core.errors import UserError
from recam_core.maps.activation_maps import ActivationMaps, grid_size
from recam_core.maps.inference import QUICK_SCALES
from recam_core.model.network import CamNetwork
from recam_core.pipeline.plan import BATCH, PRESETS, PipelinePlan, Step, bounded, mapped_pictures, steps_of
from recam_core.refine.advcam import seconds_a_class
from recam_core.refine.boundaries import SMALL, BoundaryRecipe
from recam_core.refine.boundary_network import BoundaryNetwork
from recam_core.refine.finishes import finished_pixels
from recam_core.refine.pairs import pair_sums
from recam_core.refine.pamr import forget_weights
from recam_core.refine.random_walk import STEPS, random_walk
from recam_core.refine.ways import WAYS
from recam_core.segment.networks import network_kind
from recam_core.segment.recipe import PAPER_SCALES as TEST_SCALES
from recam_core.segment.recipe import PRESETS as SEGMENT_PRESETS
from recam_core.segment.training import pixel_loss
from recam_core.train.recipe import preset as recipe_of

#: Pictures whose sizes and classes stand for all.
_LOOKED_AT = 24
#: Steps of a walk that are timed.
_TIMED_STEPS = 16
#: What cores make of steps that share them: two do not finish in half the time of one.
EFFICIENCY = 0.85


@dataclass(frozen=True)
class UnitCosts:
    """Seconds of one core.

    Attributes:
        features: of a pass through the classifier's backbone, a pixel.
        training: of a pass there and back, a pixel.
        edges: of the boundaries of a picture and its mirror image, a pixel.
        boundary_training: of boundaries being learnt, a pixel.
        walk, finish: a pixel, with as many classes as pictures have.
        climb: of AdvCAM, a class and pixel.
        test_finish: of the network's test, a pixel.
        network_training, network: of the segmentation network, a pixel.
    """

    features: float
    training: float
    edges: float
    boundary_training: float
    walk: float
    finish: float
    climb: float
    test_finish: float
    network_training: float
    network: float


def seconds_apart(plan: PipelinePlan) -> dict[str, float]:
    """:func:`step_seconds` by a process of its own: what this one holds would count as held by each step it starts.

    Raises:
        UserError: what was asked for cannot be timed.
    """
    asked = json.dumps(asdict(plan), default=str)
    command = [sys.executable, "-m", "recam_core.pipeline.cost"]
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise UserError(f"What the pipeline will take could not be timed: {said[-1] if said else done.returncode}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def step_seconds(plan: PipelinePlan, dataset: Dataset, steps: Sequence[Step]) -> dict[str, float]:
    """About how many seconds of one CPU core each step takes, by its name; the pieces take some seconds to time.

    Args:
        plan: what is asked for.
        dataset: that ``plan.data`` opens.
        steps: of :func:`recam_core.pipeline.plan.steps_of`.
    """
    preset, looked_at = PRESETS[plan.preset], spread(dataset, _LOOKED_AT)
    samples = [looked_at.load(index) for index in range(len(looked_at))]
    image_size = samples[0].image.shape[:2]
    pixels = float(np.mean([sample.image.shape[0] * sample.image.shape[1] for sample in samples]))
    classes = float(np.mean([sample.labels.sum() for sample in samples]))
    unit = measured_units(plan, samples[0].image, len(dataset.classes), classes, dataset.classes.has_background)
    sizes = {"train": len(dataset)}
    sizes |= {name: len(open_dataset(spec)) for name, spec in (("val", plan.val), ("select", plan.select)) if spec}
    mapped = sizes | {"train": mapped_pictures(plan, len(dataset))}
    views = _views(preset.scales, QUICK_SCALES)
    way, finishes = WAYS[plan.way], sum(route.finish != "none" for route in plan.routes)

    def refined(count: int) -> float:
        each = unit.finish * finishes
        each += (unit.edges + unit.walk) if way.walks else 0
        each += unit.climb * classes if way.climbs else 0
        return each * pixels * count

    def maps(name: str) -> float:
        of, _, methods = name.partition("-")
        named = plan.attribution(methods)  # which share no pass, so that the step is of one method
        passes = views if named is None else _attribution_passes(named, classes, image_size)
        return mapped[of] * pixels * passes * unit.features

    def learnt() -> float:
        count = bounded(preset.boundary_pictures, len(dataset))
        crop = SMALL[1] if _option(preset.boundaries, "--preset") == "small" else BoundaryRecipe(0, 0).crop
        epochs = int(_option(preset.boundaries, "--epochs") or BoundaryRecipe(0, 0).epochs)
        views_of_crops = count * crop**2
        return count * pixels * unit.finish + views_of_crops * (epochs * unit.boundary_training + unit.edges)

    segment = SEGMENT_PRESETS[str(_option(preset.segment, "--preset"))]
    network_steps = int(_option(preset.segment, "--steps") or segment.steps)
    if preset.segment_steps is not None:
        network_steps = preset.segment_steps.of(len(dataset))
    crop = int(_option(preset.segment, "--crop") or segment.crop)
    pictures_seen = network_steps * segment.batch_size * segment.accumulated
    heads = len(dataset) * pixels * unit.features
    costs = {
        "train": lambda method: (
            heads if method == "recam" and plan.trained_heads else _training(plan, method, unit, sizes)
        ),
        "maps": maps,
        "threshold": lambda _: 0.0,
        "boundaries": lambda _: learnt(),
        "masks": lambda _: refined(bounded(preset.mask_pictures, len(dataset)) + sizes.get("select", 0)),
        "network": lambda _: pictures_seen * crop**2 * unit.network_training,
        "val": lambda _: refined(sizes["val"]),
        "score": lambda _: sizes["val"] * pixels * (_views(preset.test, TEST_SCALES) * unit.network + unit.test_finish),
    }
    kinds = {step.name: step.name.partition("-") for step in steps}
    return {name: costs[kind](rest) for name, (kind, _, rest) in kinds.items()}


def _attribution_passes(rule: str, classes: float, size: tuple[int, int]) -> float:
    """Of a picture of scale 1, those back counted as two."""
    from recam_core.attribution.maps import cost

    return cost(rule.partition("-")[0], max(round(classes), 1), size).seconds(1.0)


def _training(plan: PipelinePlan, method: str, unit: UnitCosts, sizes: dict[str, int]) -> float:
    preset = PRESETS[plan.preset]
    recipe = recipe_of(method, str(_option(preset.train, "--preset")))
    bound = preset.recam_steps if method == "recam" else preset.train_steps
    seen = recipe.epochs * sizes["train"] if bound is None else bound.of(sizes["train"]) * BATCH
    return seen * recipe.crop**2 * unit.training


def measured_units(
    plan: PipelinePlan, image: np.ndarray, class_count: int, classes: float, has_background: bool
) -> UnitCosts:
    """Time one piece of each kind of work on one core, with fresh weights.

    Args:
        plan: its preset and way say which networks.
        image: H x W x 3, uint8; a picture of a usual size.
        class_count: K.
        classes: that a picture has, on the average.
        has_background: see :class:`recam_core.data.sample.ClassList`.
    """
    preset, way = PRESETS[plan.preset], WAYS[plan.way]
    recipe = recipe_of("bce", str(_option(preset.train, "--preset")))
    network = CamNetwork(_option(preset.train, "--backbone") or recipe.backbone, class_count, recipe.output_stride)
    network.eval()
    pixels = image.shape[0] * image.shape[1]
    shown = max(round(classes), 1)
    grid = grid_size(image.shape[:2])
    levels = np.random.default_rng(0).integers(0, 255, (shown, *grid)).astype(np.uint8)
    maps = ActivationMaps("", image.shape[:2], np.arange(shown) % class_count, levels)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        whole = network.preprocess(image)
        crop = torch.zeros(2, 3, recipe.crop, recipe.crop).contiguous(memory_format=torch.channels_last)

        def seen() -> None:
            with torch.inference_mode():
                network.features(whole)

        def trained() -> None:
            network.features(crop).mean().backward()

        edges = learnt = walk = climb = 0.0
        if way.walks:
            heads = BoundaryNetwork(network)
            some = torch.zeros(2, *grid_size((recipe.crop, recipe.crop)), dtype=torch.uint8)

            def learn() -> None:
                logits, moves = heads(crop)
                pair_sums(logits, moves, some).loss.backward()

            learnt = _seconds(learn) / (2 * recipe.crop**2)
            heads.eval()
            edges = _seconds(lambda: heads.boundary(image)) / pixels
            value, none = np.ones((shown, *grid), np.float32), np.zeros(grid, np.float32)
            walk = _seconds(lambda: random_walk(value, none, steps=_TIMED_STEPS)) / pixels * STEPS / _TIMED_STEPS
        if way.climbs:
            climb = seconds_a_class(network, image, _scales(preset.scales) or QUICK_SCALES) / pixels

        def finished(name: str) -> None:
            forget_weights()  # each picture comes once
            finished_pixels(maps, "fc1", image, name, has_background=has_background)

        finish, test_finish = (
            _seconds(partial(finished, name)) / pixels if name not in (None, "none") else 0.0
            for name in (plan.finish, _option(preset.test, "--finish"))
        )
        features, training = _seconds(seen) / pixels, _seconds(trained) / crop[:, 0].numel()
        settings = SEGMENT_PRESETS[str(_option(preset.segment, "--preset"))]
        kind = network_kind(_option(preset.segment, "--network") or settings.network)
        segmenter = kind.build(class_count + has_background)
        segmenter.to(memory_format=torch.channels_last)
        segmenter.freeze_norm()
        views = torch.zeros(2, 3, settings.crop, settings.crop).contiguous(memory_format=torch.channels_last)
        truth = torch.ones(2, settings.crop, settings.crop, dtype=torch.uint8)

        def segmented() -> None:
            with torch.inference_mode():
                segmenter(views)

        there_and_back = _seconds(lambda: pixel_loss(segmenter(views), truth, has_background).backward())
        segmenter.eval()
        there = _seconds(segmented)
    finally:
        torch.set_num_threads(threads)
    seen_pixels = truth.numel()
    return UnitCosts(
        features,
        training,
        edges,
        learnt,
        walk,
        finish,
        climb,
        test_finish,
        there_and_back / seen_pixels,
        there / seen_pixels,
    )


def _seconds(work: Callable[[], object]) -> float:
    """Of this process, which others on the machine do not lengthen; the first go is not timed."""
    work()
    begin = time.process_time()
    work()
    return time.process_time() - begin


def _views(words: Sequence[str], usual: Sequence[float]) -> float:
    """How many pictures of scale 1 all scales and mirror images of these options are."""
    return (1 if "--no-mirror" in words else 2) * sum(number**2 for number in _scales(words) or usual)


def _scales(words: Sequence[str]) -> list[float]:
    rest = words[words.index("--scales") + 1 :] if "--scales" in words else ()
    return [float(word) for word in takewhile(lambda word: not word.startswith("--"), rest)]


def _option(words: Sequence[str], name: str) -> str | None:
    return words[words.index(name) + 1] if name in words else None


def main() -> None:
    """Time what standard input asks for, and print it."""
    values = json.load(sys.stdin)
    plan = PipelinePlan(**{**values, "out": Path(values["out"]), "methods": tuple(values["methods"])})
    dataset = open_dataset(plan.data)
    print(json.dumps(step_seconds(plan, dataset, steps_of(plan, dataset))))


if __name__ == "__main__":
    main()
