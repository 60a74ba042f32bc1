"""``python -m recam_core segment``: a segmentation network on pseudo masks: train, score and use it."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from recam_core import ranks
from recam_core.cli.options import Opened, check_out, hold_out, print_notes, write_results
from recam_core.cli.train import worker_count
from recam_core.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from recam_core.data.sample import Dataset
    from recam_core.segment.prediction import NetworkTest


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Register ``segment`` with its sub-commands."""
    from recam_core.refine.finishes import FINISHES
    from recam_core.segment.networks import NETWORKS
    from recam_core.segment.recipe import PAPER_SCALES, PRESETS

    parser = subparsers.add_parser("segment", help="train, score and use a segmentation network on pseudo masks")
    parts = parser.add_subparsers(dest="part", metavar="PART", required=True)
    train = parts.add_parser(
        "train",
        help="train a network on masks",
        description="Networks: " + "; ".join(f"{name}: {kind.title}. {kind.about}" for name, kind in NETWORKS.items()),
    )
    train.add_argument("--data", required=True, metavar="SPEC", help="the pictures, such as scenes@train")
    train.add_argument("--masks", type=Path, metavar="DIR", help="what `masks --out` wrote (default: the ground truth)")
    train.add_argument("--out", required=True, type=Path, metavar="DIR", help="the folder of the network")
    train.add_argument("--preset", choices=tuple(PRESETS), default="paper", help="(default: paper)")
    train.add_argument("--network", choices=tuple(NETWORKS), help="(default: the preset's)")
    train.add_argument(
        "--weights",
        default="auto",
        help="what its backbone starts from: ImageNet weights (auto, packaged, download, none or a file), or the "
        "folder of a run, whose backbone knows the classes already",
    )
    train.add_argument("--steps", type=int, metavar="N", help="steps of the optimizer (default: the preset's)")
    train.add_argument("--batch-size", type=int, metavar="N", help="pictures a batch (default: the preset's)")
    train.add_argument("--crop", type=int, metavar="N", help="side of the crop in pixels (default: the preset's)")
    train.add_argument(
        "--prior",
        type=float,
        metavar="TAU",
        help="add the logarithm of each label's share of the pixels, times TAU, 0 to 1, to its score in the loss "
        "(logit adjustment), so that rare labels need fewer steps (default: 0, as published)",
    )
    train.add_argument(
        "--frozen",
        action="store_true",
        default=None,
        help="leave the early part of the backbone, up to a stride of 8, as it is: of a step a quarter of the time",
    )
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--workers", type=worker_count, help="loader processes")
    score = parts.add_parser("eval", help="score a network against ground truth")
    score.add_argument("networks", nargs="+", type=Path, metavar="NETWORK", help="folders of networks")
    score.add_argument("--band", type=int, metavar="N", help="besides, score only pixels within N of a contour")
    use = parts.add_parser("predict", help="write the masks that a network sees")
    use.add_argument("networks", nargs=1, type=Path, metavar="NETWORK", help="the folder of the network")
    use.add_argument("--out", required=True, type=Path, metavar="DIR", help="where the masks go, in the layout of VOC")
    use.add_argument(
        "--with-pictures", action="store_true", help="write the pictures, too, so that DIR opens as a data set"
    )
    use.add_argument("--coco", action="store_true", help="write annotations in COCO's form beside the masks, too")
    for one in (score, use):
        one.add_argument("--data", required=True, metavar="SPEC", help="the pictures, such as scenes@val")
        one.add_argument("--scales", nargs="+", type=float, default=list(PAPER_SCALES), metavar="S", help="of the test")
        one.add_argument("--no-mirror", action="store_true", help="leave the mirror images out")
        one.add_argument(
            "--finish",
            choices=tuple(FINISHES),
            default="none",
            help="what the probabilities pass: pamr, or as published crf-deeplab (extra crf) (default: none)",
        )
        one.add_argument("--crf", action="store_const", const="crf-deeplab", dest="finish", help=argparse.SUPPRESS)
        one.add_argument(
            "--prior",
            type=float,
            default=0.0,
            metavar="TAU",
            help="divide each label's probability by its share of the pixels that the network learnt from, to the "
            "power of TAU, 0 to 1 (logit adjustment); after few steps rare labels need it (default: 0, as published)",
        )
        one.add_argument("--limit", type=int, metavar="N", help="only the first N pictures")
    for one, run in ((train, _train), (score, _score), (use, _predict)):
        one.add_argument("--device", default="auto", help="auto, cuda, cuda:1, mps or cpu (default: auto)")
        if one is not use:
            one.add_argument("--json", type=Path, metavar="FILE", help="write the results to FILE")
        one.set_defaults(run=run, by_ranks=True)


def _train(arguments: argparse.Namespace) -> int:
    from recam_core.device import describe_device, pick_device
    from recam_core.progress import terminal
    from recam_core.segment.networks import NETWORKS
    from recam_core.segment.recipe import PRESETS, check_recipe
    from recam_core.segment.training import from_imagenet, network_made_by, train_segmentation, trained_before

    check_out(arguments.out)
    device, opened = pick_device(arguments.device), Opened()
    dataset = opened.open(arguments.data)
    recipe = replace(PRESETS[arguments.preset], weights=arguments.weights, seed=arguments.seed)
    for name in ("network", "steps", "batch_size", "crop", "prior", "frozen"):
        if getattr(arguments, name) is not None:
            recipe = replace(recipe, **{name: getattr(arguments, name)})
    check_recipe(recipe)
    mask_of, masks, made_from = _masks_of(dataset, arguments.masks)
    made_by = network_made_by(recipe, dataset, made_from)
    if (before := trained_before(arguments.out, made_by)) is not None:
        print(f"{arguments.out}: there already, by the same command; nothing was done.")
        write_results(arguments.json, before)
        return opened.status()
    print(f"{NETWORKS[recipe.network].title} on {dataset.spec}, masks of {masks}, {describe_device(device)}.")
    with terminal("segment") as progress:
        record = train_segmentation(
            recipe,
            dataset,
            mask_of,
            masks,
            arguments.out,
            device=device,
            workers=arguments.workers,
            progress=progress,
            made_by=made_by,
        )
    if not from_imagenet(record):
        print("Its backbone did not start from ImageNet: say so beside any figure of it.")
    print(f"{arguments.out}: {record['pictures']} pictures, loss {record['history'][-1]['loss']:.4f}")
    print_notes(dataset)
    write_results(arguments.json, record)
    return opened.status()


def _masks_of(dataset: Dataset, folder: Path | None) -> tuple[Callable[[int], np.ndarray | None], str, str]:
    """The mask of each picture, where they come from, and what stands for all that they hold."""
    from recam_core.data.digest import mask_stamp

    if folder is None:
        if not dataset.has_masks:
            raise UserError(f"{dataset.spec} has no ground truth; name pseudo masks with --masks DIR.")
        return dataset.mask, "the ground truth", mask_stamp(dataset)
    from recam_core.report.mask_set import MaskSet

    found = MaskSet(folder, dataset.classes)
    return lambda index: found.mask(dataset.ids[index]), str(folder), found.digest()


def _test(arguments: argparse.Namespace) -> NetworkTest:
    from recam_core.segment.prediction import NetworkTest

    return NetworkTest(tuple(arguments.scales), not arguments.no_mirror, arguments.prior, arguments.finish)


def _score(arguments: argparse.Namespace) -> int:
    from recam_core.device import pick_device
    from recam_core.progress import terminal
    from recam_core.scores.band import band_words
    from recam_core.scores.table import summary_table
    from recam_core.segment.prediction import check_test, scored
    from recam_core.segment.training import from_imagenet, load_segmentation

    test, device, opened = _test(arguments), pick_device(arguments.device), Opened()
    dataset = opened.open(arguments.data, arguments.limit)
    networks = [load_segmentation(folder, device) for folder in arguments.networks]
    for one in networks:
        check_test(one, test)
    bands = [None] if arguments.band is None else [None, arguments.band]
    found = []
    for one in networks:
        with terminal(one.path.name) as progress:
            found.append(scored(one, dataset, test, bands, arguments.limit, progress))
    results = {}
    if not ranks.is_first():
        return 0
    for band, evaluations in zip(bands, zip(*found, strict=True), strict=True):
        print("All pixels" if band is None else f"\nOnly pixels {band_words(band)}")
        print(summary_table(evaluations))
        results["all" if band is None else f"within {band}"] = [each.to_json() for each in evaluations]
    print_notes(dataset)
    for one in networks:
        if not from_imagenet(one.record):
            print(f"{one.path.name} did not start from ImageNet.")
    write_results(arguments.json, {"data": dataset.spec, "scores": results})
    return opened.status()


def _predict(arguments: argparse.Namespace) -> int:
    from recam_core.data.digest import dataset_digest
    from recam_core.device import pick_device
    from recam_core.progress import terminal
    from recam_core.report.coco_masks import picture_names
    from recam_core.report.mask_set import digest_of, made_before, split_name, what_is_written, writing_mask_set
    from recam_core.segment.prediction import check_test, predictions
    from recam_core.segment.training import load_segmentation

    hold_out(arguments.out)
    test, device, opened = _test(arguments), pick_device(arguments.device), Opened()
    dataset = opened.open(arguments.data, arguments.limit)
    network = load_segmentation(arguments.networks[0], device)
    check_test(network, test)
    about = {
        "network": network.path.name,
        "weights_sha256": network.record.get("weights_sha256"),
        "data": dataset.spec,
        "test": asdict(test),
    }
    asked = arguments.limit, arguments.with_pictures, arguments.coco
    about["made_by"] = digest_of(about, asked, dataset_digest(dataset))
    if ranks.on_first(lambda: made_before(arguments.out, str(about["made_by"]))):
        print(f"{arguments.out}: there already, by the same command; nothing was done.")
        return opened.status()
    total = min(arguments.limit or len(dataset), len(dataset))
    names, split = picture_names(dataset) if arguments.coco else None, split_name(dataset.spec)
    with ExitStack() as stack:
        if ranks.is_first():
            writer = stack.enter_context(
                writing_mask_set(arguments.out, dataset.classes, split, about, arguments.with_pictures, names)
            )
        progress = stack.enter_context(terminal(network.path.name))
        pictures = predictions(network, dataset, test, arguments.limit)
        found = ((what_is_written(sample, arguments.with_pictures), mask) for sample, mask in pictures)
        for done, (sample, mask) in enumerate(ranks.in_order(found, total), start=1):
            writer.add(sample, mask)
            progress(done, total, "")
    print(f"{total} masks written to {arguments.out}.")
    return opened.status()
