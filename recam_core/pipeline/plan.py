"""What a pipeline consists of: commands of this program in their order, and the presets that fill them in.

Whatever several steps need is made by a step of its own, once: the maps of each data set lie in stores that thresholds,
boundaries and masks are made from; methods whose networks differ in their classifiers alone share the pass that makes
them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from recam_core.checkpoint.run_folder import INFO_FILE
from recam_core.data.sample import Dataset
from recam_core.data.spec import open_dataset
from recam_core.errors import UserError
from recam_core.maps.kept import files_of
from recam_core.method.extraction import RULES, check_rule
from recam_core.refine.boundaries import RECORD_FILE as BOUNDARIES_FILE
from recam_core.refine.finishes import check_finish
from recam_core.refine.ways import WAYS, Route, check_seeds
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
        test: options of the network's test, see :class:`recam_core.segment.prediction.NetworkTest`.
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
    test: tuple[str, ...] = ()
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
        segment=("--preset", "small", "--network", "lite0_slim", "--crop", "192", "--prior", "0.5"),
        # Less than a quarter of the pixels of scales 1 and 2 with mirror images: on the animals' train.select 1.7
        # points of seed mIoU less by BCE-CAM and none by ReCAM's heads, on the scenes' 4.6 more.
        scales=("--scales", "1.5", "--no-mirror"),
        train_steps=Bounded(3 / BATCH, 150, 600),
        recam_steps=Bounded(1 / BATCH, 50, 200),
        segment_steps=Bounded(2 / BATCH, 90, 400),
        segment_from_run=True,
        # Chosen on the animals' train.select. So few steps give rare labels nothing without a prior; the published half
        # scale and mirror images cost more than half of the test, and 2.9 points; PAMR takes the place of the published
        # dense CRF, which needs a compiler.
        test=("--scales", "0.75", "1.0", "--no-mirror", "--prior", "0.25", "--finish", "pamr"),
        boundary_pictures=Bounded(1 / 4, 160, 600),
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
        marker: the file in that folder which its command writes last, so that what a command finished after this
            process was killed is found there; "" where none says so.
        shares: whether its command takes ``--processes``, which changes nothing but its speed.
        ranks: how many processes carry it out where it has so many cores to itself, see :mod:`recam_core.ranks`.
    """

    name: str
    command: tuple[str, ...]
    needs: tuple[str, ...] = ()
    makes: Path | None = None
    marker: str = ""
    shares: bool = False
    ranks: int = 1


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
        rule: extraction rule of ReCAM's maps; or an attribution method with a head, such as ``region_cam-fc1``, whose
            maps are the seeds of every method that has the head; None for the rule that is usual for ReCAM's training.
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

    def attribution(self, method: str) -> str | None:
        """The attribution method with its head that makes the seeds of a method; None where its own rule does."""
        if self.rule is None or self.rule in RULES:
            return None
        head = self.rule.partition("-")[2].partition("-against-")[0]
        return self.rule if head == "fc1" or method == "recam" else None

    def scores(self, name: str) -> Path:
        """The file of the scores of a step."""
        return self.out / "scores" / f"{name}.json"

    def networks(self) -> list[tuple[str, ...]]:
        """The methods, grouped by the backbone that they share; attributions share no pass."""
        shares = self.trained_heads and not any(map(self.attribution, self.methods))
        if shares and {"bce", "recam"} <= set(self.methods):
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
    some = _pictures(mapped_pictures(plan, len(dataset)), len(dataset))
    # Else their maps lie in the store of the training pictures.
    if chosen and (some or not _holds(dataset, open_dataset(chosen[1]))):
        sets["select"] = chosen[1]

    def step(name: str, needs: Sequence[str], command: Sequence[object], makes: Path | None = None) -> Step:
        where = () if makes is None else ("--out", str(makes))
        words = (*map(str, command), *where, "--device", plan.device)
        marker = "" if makes is None else _MARKERS.get(words[0], "")
        # Two processes leave less of two cores idle than two threads, where each has pictures of a batch.
        together = 2 if words[0] == "train" and len(dataset) >= 4 else 1
        return Step(name, words, tuple(needs), makes, marker, shares=words[0] == "cams", ranks=together)

    steps = _trainings(plan, dataset, step)
    for group in plan.networks():
        for name, spec in sets.items():
            words = ("cams", *(out / method for method in group), "--data", spec, *scales, *_seeds(plan, group[0]))
            words = (*words, *some) if name == "train" else words
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
    if plan.rule is not None:
        # Of whole networks the paper's preset has no background row.
        has_row = (plan.trained_heads or "small" in PRESETS[plan.preset].train) and dataset.classes.has_background
        check_head = partial(check_rule, has_fc2=True, has_background_row=has_row, what="a ReCAM of this pipeline")
        if plan.rule in RULES or "-" not in plan.rule:
            check_head(plan.rule)
        else:
            # Only where it is needed: captum takes a second to load.
            from recam_core.attribution.attributed_set import check_asked

            check_asked(plan.rule, dataset.classes.names, check_head)
            if "-against-" in plan.rule:
                raise UserError(
                    f"The maps '{plan.rule}' leave out the class that the others are held against, so that no mask "
                    "would show it: name the method and the head alone."
                )
        if "recam" not in plan.methods and not any(map(plan.attribution, plan.methods)):
            raise UserError(
                f"The rule '{plan.rule}' is for the maps of ReCAM, which is not among the methods; the maps of "
                "BCE-CAM and SCE-CAM are CAMs of FC1, or attributions such as region_cam-fc1."
            )
        check_seeds(plan.rule, plan.routes)
    if plan.seed < 0:
        raise UserError("The seed is 0 or more.")
    if dataset.classes.has_background and plan.select is None:
        raise UserError(
            f"{plan.data} has a background: name pictures with ground truth to choose its thresholds on with --select, "
            "such as a part of train."
        )


def notes_of_plan(plan: PipelinePlan, dataset: Dataset) -> list[str]:
    """What is to be known of a plan before it is carried out; arguments as :func:`steps_of`."""
    both = {"bce", "recam"} <= set(plan.methods) and plan.attribution("bce") is not None
    if both and plan.trained_heads and dataset.classes.has_background:
        return [
            f"ReCAM's heads are FC2 on the FC1 of BCE-CAM, so that {plan.rule} gives both the same seeds: "
            f"{str(plan.rule).replace('-fc1', '-fc2', 1)} is ReCAM's own, and --depth full trains its FC1, too."
        ]
    return []


def _seeds(plan: PipelinePlan, method: str) -> tuple[str, ...]:
    """The words that name the seeds of a method where they are no extraction rule's."""
    named = plan.attribution(method)
    return () if named is None else ("--rule", named)


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
    rule = ("--rule", plan.rule) if plan.rule in RULES else ()
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
    seeds = _seeds(plan, method)
    kept = {name: ("--maps", folder, *preset.scales, *seeds) for name, folder in folders.items()}
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
        some = _pictures(bounded(preset.boundary_pictures, pictures), pictures)
        words = ("boundaries", run, "--data", plan.data, *kept["train"], *preset.boundaries, *some, *sure)
        steps.append(step(f"boundaries-{method}", before, (*words, "--seed", plan.seed), edges))
        within, before = ("--boundaries", edges), [*before, f"boundaries-{method}"]
    ways = [word for way in dict.fromkeys(route.way for route in plan.routes) for word in ("--way", way)]
    ways += [word for one in dict.fromkeys(route.finish for route in plan.routes) for word in ("--finish", one)]
    scored = plan.scores(f"masks-{method}")
    words = ("masks", run, "--data", plan.data, *kept["train"], *within, *ways, *chosen, "--json", scored)
    words = (*words, *_pictures(bounded(preset.mask_pictures, pictures), pictures))
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
        words = ("segment", "eval", network, "--data", plan.val, *preset.test)
        words = (*words, "--json", plan.scores(f"score-{method}"))
        steps.append(step(f"score-{method}", (f"network-{method}",), words))
    return steps


def mapped_pictures(plan: PipelinePlan, pictures: int) -> int:
    """Of how many of the training pictures maps are made: those of the fewer are among those of the more."""
    preset, walks = PRESETS[plan.preset], WAYS[plan.way].walks
    bounds = (preset.mask_pictures, *((preset.boundary_pictures,) if walks else ()))
    return max(bounded(bound, pictures) for bound in bounds)


def bounded(bound: Bounded | None, pictures: int) -> int:
    """How many of so many pictures a step takes."""
    return pictures if bound is None else min(bound.of(pictures), pictures)


def _pictures(count: int, pictures: int) -> tuple[object, ...]:
    return () if count >= pictures else ("--pictures", count)
