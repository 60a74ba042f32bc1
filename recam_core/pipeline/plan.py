"""What a pipeline consists of: commands of this program in their order, and the presets that fill them in.

Whatever several steps need is made by a step of its own, once: the maps of each data set lie in stores that thresholds,
boundaries and masks are made from; methods whose networks differ in their classifiers alone share the pass that makes
them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from recam_core.checkpoint.run_folder import INFO_FILE
from recam_core.data.sample import Dataset
from recam_core.data.spec import open_dataset
from recam_core.errors import UserError
from recam_core.maps.kept import files_of
from recam_core.method.extraction import check_rule
from recam_core.refine.boundaries import RECORD_FILE as BOUNDARIES_FILE
from recam_core.refine.finishes import check_finish
from recam_core.refine.ways import WAYS, Route
from recam_core.segment.training import RECORD_FILE as SEGMENT_FILE

METHODS = ("bce", "sce", "recam")
#: How ReCAM is made of BCE-CAM: its classifiers alone, on the features of the BCE network, or the whole network.
DEPTHS = ("heads", "full")
#: Pictures a batch of the small presets of all trainings.
BATCH = 16


@dataclass(frozen=True)
class Bounded:
    """A number of steps or pictures that grows with the data, between two bounds.

    Attributes:
        share: of the number of pictures in the data.
        least, most: the bounds.
    """

    share: float
    least: int
    most: int

    def of(self, pictures: int) -> int:
        """The number for so many pictures."""
        return min(max(round(self.share * pictures), self.least), self.most)


@dataclass(frozen=True)
class Preset:
    """What a preset adds to the commands.

    Attributes:
        about: for people.
        train: options of the trainings of classifiers.
        recam: of ReCAM's besides, where all of it is trained.
        depth: of :data:`DEPTHS`.
        boundaries, segment: options of these steps.
        scales: of maps.
        test_scales: of the network's test.
        train_steps, recam_steps, segment_steps: of the optimizer, in batches of 16; None leaves it to the presets of
            these trainings.
        segment_from_run: whether the segmentation network starts from the backbone that its masks were made with, which
            knows the classes by then, and not from ImageNet as published.
        boundary_pictures, mask_pictures: that boundaries are learnt from, and that get masks; None for all.
    """

    about: str
    train: tuple[str, ...]
    recam: tuple[str, ...] = ()
    depth: str = "full"
    boundaries: tuple[str, ...] = ()
    segment: tuple[str, ...] = ()
    scales: tuple[str, ...] = ()
    test_scales: tuple[str, ...] = ()
    train_steps: Bounded | None = None
    recam_steps: Bounded | None = None
    segment_steps: Bounded | None = None
    segment_from_run: bool = False
    boundary_pictures: Bounded | None = None
    mask_pictures: Bounded | None = None


_PAPER_SCALES = ("--scales", "0.5", "1.0", "1.5", "2.0")
PRESETS = {
    "voc2012": Preset(
        "the published settings for VOC 2012: ResNet-50, then DeepLabV2 with ResNet-101",
        ("--preset", "paper", "--backbone", "resnet50"),
        boundaries=("--preset", "paper"),
        segment=("--preset", "paper"),
        scales=_PAPER_SCALES,
    ),
    "coco2014": Preset(
        "the published settings for MS COCO 2014: lambda 0.1, batches of 6, 100,000 steps",
        ("--preset", "paper", "--backbone", "resnet50"),
        recam=("--lambda", "0.1", "--batch-size", "6"),
        boundaries=("--preset", "paper"),
        segment=("--preset", "paper", "--steps", "100000"),
        scales=_PAPER_SCALES,
    ),
    "small": Preset(
        "EfficientNet-Lite0 throughout and ReCAM's classifiers on the features of BCE-CAM, for two CPU cores: an hour "
        "for 3,000 photographs",
        ("--preset", "small"),
        depth="heads",
        boundaries=("--preset", "small", "--epochs", "1"),
        segment=("--preset", "small", "--network", "lite0_slim", "--crop", "192"),
        # Less than a quarter of the pixels of scales 1 and 2 with mirror images: on the animals' train.select 1.7
        # points of seed mIoU less by BCE-CAM and none by ReCAM's heads, on the scenes' 4.6 more.
        scales=("--scales", "1.5", "--no-mirror"),
        test_scales=("--scales", "1.0"),
        train_steps=Bounded(3 / BATCH, 150, 600),
        recam_steps=Bounded(1 / BATCH, 50, 200),
        segment_steps=Bounded(2 / BATCH, 100, 400),
        segment_from_run=True,
        boundary_pictures=Bounded(1 / 4, 200, 600),
        mask_pictures=Bounded(3 / 8, 300, 1200),
    ),
}


@dataclass(frozen=True)
class Step:
    """One command.

    Attributes:
        name: of the step, and of its record.
        command: the arguments behind ``python -m recam_core``, which decide the result.
        needs: the steps whose results it reads.
        makes: the folder that it makes, removed before it is made anew with other settings; None for one that scores.
        marker: the file in that folder which its command writes last, and whose folder it refuses from then on; "" of a
            command that may be given again.
        shares: whether its command takes ``--processes``, which changes nothing but its speed.
    """

    name: str
    command: tuple[str, ...]
    needs: tuple[str, ...] = ()
    makes: Path | None = None
    marker: str = ""
    shares: bool = False


#: By command, see :class:`Step`.
_MARKERS = {"train": INFO_FILE, "retrain": INFO_FILE, "boundaries": BOUNDARIES_FILE, "segment": SEGMENT_FILE}


@dataclass(frozen=True)
class PipelinePlan:
    """What is asked of a pipeline.

    Attributes:
        data: specification of the training pictures.
        out: the folder of everything.
        preset: of :data:`PRESETS`.
        select: pictures with ground truth that thresholds are chosen on; needed where there is a background.
        val: pictures with ground truth that networks are scored on; None for none.
        methods: of :data:`METHODS`.
        depth: of :data:`DEPTHS`; None for the preset's.
        rule: extraction rule of ReCAM's maps; None for the one that is usual for its training.
        way, finish: from seeds to masks, see :mod:`recam_core.refine.ways` and :mod:`recam_core.refine.finishes`.
        seed: of all trainings.
        device: see :func:`recam_core.device.pick_device`.
    """

    data: str
    out: Path
    preset: str = "voc2012"
    select: str | None = None
    val: str | None = None
    methods: tuple[str, ...] = ("bce", "recam")
    depth: str | None = None
    rule: str | None = None
    way: str = "irn"
    finish: str = "pamr"
    seed: int = 0
    device: str = "auto"

    @property
    def routes(self) -> list[Route]:
        """What masks are scored by, from the seeds to what the network learns from."""
        ways, finishes = dict.fromkeys(("direct", self.way)), dict.fromkeys(("none", self.finish))
        return [Route(way, finish) for way in ways for finish in finishes]

    @property
    def trained_heads(self) -> bool:
        """Whether ReCAM is classifiers on the features of BCE-CAM."""
        return (self.depth or PRESETS[self.preset].depth) == "heads"

    def scores(self, name: str) -> Path:
        """The file of the scores of a step."""
        return self.out / "scores" / f"{name}.json"

    def networks(self) -> list[tuple[str, ...]]:
        """The methods, grouped by the backbone that they share."""
        if self.trained_heads and {"bce", "recam"} <= set(self.methods):
            return [("bce", "recam"), *((method,) for method in self.methods if method == "sce")]
        return [(method,) for method in self.methods]


def steps_of(plan: PipelinePlan, dataset: Dataset) -> list[Step]:
    """The commands of a pipeline in their order.

    Args:
        plan: what is asked for.
        dataset: that ``plan.data`` opens.

    Raises:
        UserError: an unknown preset, way or finish, or no pictures to choose thresholds on.
    """
    _check(plan, dataset)
    has_background = dataset.classes.has_background
    out, scales = plan.out, PRESETS[plan.preset].scales
    chosen = ("--select", plan.select) if has_background and plan.select else ()
    sets = {"train": plan.data} | ({"val": plan.val} if plan.val else {})
    if chosen and not _holds(dataset, open_dataset(chosen[1])):
        sets["select"] = chosen[1]

    def step(name: str, needs: Sequence[str], command: Sequence[object], makes: Path | None = None) -> Step:
        where = () if makes is None else ("--out", str(makes))
        words = (*map(str, command), *where, "--device", plan.device)
        marker = "" if makes is None else _MARKERS.get(words[0], "")
        return Step(name, words, tuple(needs), makes, marker, shares=words[0] == "cams")

    steps = _trainings(plan, dataset, step)
    for group in plan.networks():
        for name, spec in sets.items():
            words = ("cams", *(out / method for method in group), "--data", spec, *scales)
            folder = out / "maps" / f"{'-'.join(group)}-{name}"
            steps.append(step(f"maps-{name}-{'-'.join(group)}", [f"train-{method}" for method in group], words, folder))
    for group in plan.networks():
        for method in group:
            steps += _refined(plan, dataset, step, method, "-".join(group), tuple(sets), chosen)
    return steps


def _check(plan: PipelinePlan, dataset: Dataset) -> None:
    for kind, value, known in (("preset", plan.preset, PRESETS), ("way", plan.way, WAYS)):
        if value not in known:
            raise UserError(f"There is no {kind} '{value}'; there are {', '.join(known)}.")
    check_finish(plan.finish)
    if unknown := [method for method in plan.methods if method not in METHODS]:
        raise UserError(f"There is no method '{unknown[0]}'; there are {', '.join(METHODS)}.")
    if plan.rule is not None and "recam" not in plan.methods:
        raise UserError("A rule is for the maps of ReCAM, which is not among the methods.")
    if plan.rule is not None:
        # Of whole networks the paper's preset has no background row.
        has_row = plan.trained_heads or "small" in PRESETS[plan.preset].train
        check_rule(plan.rule, True, has_row and dataset.classes.has_background, "a ReCAM of this pipeline")
    if plan.seed < 0:
        raise UserError("The seed is 0 or more.")
    if dataset.classes.has_background and plan.select is None:
        raise UserError(
            f"{plan.data} has a background: name pictures with ground truth to choose its thresholds on with --select, "
            "such as a part of train."
        )


def _holds(whole: Dataset, part: Dataset) -> bool:
    """Whether all files of one data set are in another, too."""
    files = files_of(whole)
    return bool(files) and all(files.get(id) == file for id, file in files_of(part).items())


def _trainings(plan: PipelinePlan, dataset: Dataset, step: Callable[..., Step]) -> list[Step]:
    preset, out, pictures = PRESETS[plan.preset], plan.out, len(dataset)
    trained = (*preset.train, "--seed", plan.seed, "--data", plan.data)
    epochs, recam_epochs = (
        () if steps is None else ("--epochs", max(round(steps.of(pictures) * BATCH / pictures), 1))
        for steps in (preset.train_steps, preset.recam_steps)
    )
    rule = () if plan.rule is None else ("--rule", plan.rule)
    steps = []
    if {"bce", "recam"} & set(plan.methods):
        steps.append(step("train-bce", (), ("train", "bce", *trained, *epochs), out / "bce"))
    if "sce" in plan.methods:
        steps.append(step("train-sce", (), ("train", "sce", *trained, *epochs), out / "sce"))
    if "recam" in plan.methods:
        if plan.trained_heads:
            # With a background row FC2 is trained alone, without one FC1 besides: what won in docs/results.md.
            update = ("--update", "fc2") if dataset.classes.has_background else ("--update", "both")
            words = ("retrain", out / "bce", "--data", plan.data, *update, *rule, "--seed", plan.seed)
        else:
            words = ("train", "recam", *trained, *recam_epochs, *preset.recam, *rule, "--init", out / "bce")
        steps.append(step("train-recam", ("train-bce",), words, out / "recam"))
    return steps


def _refined(
    plan: PipelinePlan,
    dataset: Dataset,
    step: Callable[..., Step],
    method: str,
    group: str,
    sets: Sequence[str],
    chosen: tuple[str, ...],
) -> list[Step]:
    """What is made of the maps of a method, to the scores of its network."""
    preset, out, pictures = PRESETS[plan.preset], plan.out, len(dataset)
    run, edges, masks, network = (out / f"{part}{method}" for part in ("", "boundaries-", "masks-", "network-"))
    made = {name: f"maps-{name}-{group}" for name in sets}
    folders = {name: out / "maps" / f"{group}-{name}" for name in sets}
    kept = {name: ("--maps", folder, *preset.scales) for name, folder in folders.items()}
    # Pictures that thresholds are chosen on have a store of their own, or lie in that of the training pictures.
    selected = "select" if "select" in sets else "train"
    before, steps = [f"train-{method}", made["train"]], []
    if chosen:
        words = ("evaluate", run, "--data", chosen[1], *kept[selected], "--keep-threshold")
        steps.append(step(f"threshold-{method}", (f"train-{method}", made[selected]), words))
        before.append(f"threshold-{method}")
    within: tuple[object, ...] = ()
    if WAYS[plan.way].walks:
        sure = () if chosen else ("--foreground", "0.5", "--background", "0.1")
        some = _pictures(preset.boundary_pictures, pictures)
        words = ("boundaries", run, "--data", plan.data, *kept["train"], *preset.boundaries, *some, *sure)
        steps.append(step(f"boundaries-{method}", before, (*words, "--seed", plan.seed), edges))
        within, before = ("--boundaries", edges), [*before, f"boundaries-{method}"]
    ways = [word for way in dict.fromkeys(route.way for route in plan.routes) for word in ("--way", way)]
    ways += [word for one in dict.fromkeys(route.finish for route in plan.routes) for word in ("--finish", one)]
    scored = plan.scores(f"masks-{method}")
    words = ("masks", run, "--data", plan.data, *kept["train"], *within, *ways, *chosen, "--json", scored)
    words = (*words, *_pictures(preset.mask_pictures, pictures))
    if selected == "select":
        words = (*words, "--maps", folders["select"])
        before = [*before, made["select"]]
    steps.append(step(f"masks-{method}", before, words, masks))
    bound = () if preset.segment_steps is None else ("--steps", preset.segment_steps.of(pictures))
    if preset.segment_from_run:
        bound = (*bound, "--weights", run)
    words = ("segment", "train", *preset.segment, *bound, "--seed", plan.seed, "--data", plan.data, "--masks", masks)
    steps.append(step(f"network-{method}", (f"masks-{method}",), words, network))
    if plan.val is not None:
        at = ("--thresholds", scored) if chosen else ()
        words = ("masks", run, "--data", plan.val, *kept["val"], *within, *ways, *at)
        words = (*words, "--json", plan.scores(f"val-{method}"))
        steps.append(step(f"val-{method}", (*before, made["val"], f"masks-{method}"), words))
        words = ("segment", "eval", network, "--data", plan.val, *preset.test_scales)
        words = (*words, "--json", plan.scores(f"score-{method}"))
        steps.append(step(f"score-{method}", (f"network-{method}",), words))
    return steps


def _pictures(bound: Bounded | None, pictures: int) -> tuple[object, ...]:
    return () if bound is None or bound.of(pictures) >= pictures else ("--pictures", bound.of(pictures))
