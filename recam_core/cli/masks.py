"""``python -m recam_core masks``: pseudo masks of a data set, refined, scored and written."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from recam_core import ranks
from recam_core.atomic_write import write_json
from recam_core.cli.cams import add_inference_options, add_kept_maps, maps_kept, seed_rule, settings_for
from recam_core.cli.options import Opened, hold_out, print_notes, write_results
from recam_core.errors import UserError
from recam_core.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from recam_core.checkpoint.run_folder import Run
    from recam_core.data.sample import Dataset, Sample
    from recam_core.refine.boundary_network import BoundaryNetwork
    from recam_core.refine.ways import Route
    from recam_core.scores.evaluate import Evaluation, Tally
    from recam_core.scores.scores import Scores

#: So many pictures with ground truth say whether masks come out worse than seeds; of a larger set it is told then.
_TELLING = 40


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Register ``masks``."""
    from recam_core.refine.finishes import FINISHES
    from recam_core.refine.ways import WAYS

    parser = subparsers.add_parser(
        "masks",
        help="refine seeds to pseudo masks; score and write them",
        description="Make the maps of a run, refine them in each way with each finish, score all beside each other, "
        "and write the masks of the last one in the layout of VOC. Ways: "
        + "; ".join(f"{name}: {one.about}" for name, one in WAYS.items())
        + " Finishes: "
        + "; ".join(f"{name}: {one.about}" for name, one in FINISHES.items()),
    )
    parser.add_argument("run_folder", type=Path, metavar="RUN", help="a run folder")
    parser.add_argument("--data", required=True, metavar="SPEC", help="the data set, such as scenes@train")
    parser.add_argument(
        "--way",
        action="append",
        choices=tuple(WAYS),
        help="repeat it for several (default: direct; with --boundaries both)",
    )
    parser.add_argument(
        "--finish", action="append", choices=tuple(FINISHES), help="repeat it for several (default: none and pamr)"
    )
    parser.add_argument("--boundaries", type=Path, metavar="DIR", help="what `boundaries` made, for the way irn")
    parser.add_argument(
        "--seed-threshold",
        type=float,
        metavar="T",
        help="of the seeds: there a dense CRF takes a class and the background for equally probable (default: 0.275; "
        "of an attribution method the one that `evaluate --keep-threshold` chose; of maps that have walked always "
        "0.28)",
    )
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--threshold", type=float, metavar="T", help="background threshold of the masks")
    chosen.add_argument(
        "--select", metavar="SPEC", help="choose each finish's threshold on these pictures, such as scenes@train.select"
    )
    chosen.add_argument(
        "--thresholds", type=Path, metavar="FILE", help="those that another call chose and wrote with --json FILE"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="write the masks there")
    parser.add_argument(
        "--with-pictures", action="store_true", help="write the pictures, too, so that DIR opens as a data set"
    )
    parser.add_argument("--coco", action="store_true", help="write annotations in COCO's form beside the masks, too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the scores to FILE")
    parser.add_argument(
        "--pictures", type=int, metavar="N", help="of N pictures, spread evenly over the data (default: all)"
    )
    add_kept_maps(parser)
    add_inference_options(parser)
    parser.set_defaults(run=run, by_ranks=True)


def run(arguments: argparse.Namespace) -> int:
    """Choose thresholds, make the masks, score and write them."""
    from recam_core.checkpoint.run_folder import load_run
    from recam_core.data.subset import spread
    from recam_core.device import pick_device
    from recam_core.refine.boundaries import load_boundaries
    from recam_core.refine.known_boundaries import SCORES_FILE
    from recam_core.refine.ways import check_seeds, routes_of
    from recam_core.report.mask_set import check_place
    from recam_core.scores.evaluate import check_classes
    from recam_core.scores.table import summary_table

    if arguments.with_pictures and arguments.out is None:
        raise UserError("--with-pictures writes the pictures beside the masks: name a folder for both with --out.")
    if arguments.coco and arguments.out is None:
        raise UserError("--coco writes annotations beside the masks: name a folder for both with --out.")
    if arguments.out is not None:
        hold_out(arguments.out)
        check_place(arguments.out, arguments.with_pictures)
    if arguments.seed_threshold is not None and not 0.01 <= arguments.seed_threshold <= 0.99:
        raise UserError("--seed-threshold lies between 0.01 and 0.99.")
    has_boundaries = arguments.boundaries is not None
    ways = arguments.way or (["direct", "irn"] if has_boundaries else ["direct"])
    routes = routes_of(ways, arguments.finish or ["none", "pamr"], has_boundaries)
    opened = Opened()
    dataset = opened.open(arguments.data, arguments.limit)
    if arguments.pictures is not None:
        dataset = spread(dataset, arguments.pictures)
    loaded = load_run(arguments.run_folder, pick_device(arguments.device))
    info, last = loaded.info, routes[-1]
    rule = seed_rule(arguments, info)
    check_seeds(rule, routes)
    check_classes(info.class_list, dataset.classes, f"The run {info.name}", f"the data set {dataset.spec}")
    boundaries = load_boundaries(arguments.boundaries, loaded) if has_boundaries else None
    work = _Work(loaded, rule, routes, boundaries, opened, arguments)
    if arguments.out is not None:
        work = replace(work, made_by=_made_by(work, dataset))
        if (before := ranks.on_first(lambda: _made_before(work))) is not None:
            print(f"{arguments.out}: there already, by the same command; nothing was done.")
            write_results(arguments.json, before)
            return opened.status()
    _tell_cost(work, dataset)
    thresholds = _thresholds(work, dataset)
    tallies = _pass(work, dataset, thresholds, arguments.out)
    if not ranks.is_first():
        return 0
    found: dict[Route, Evaluation] = {}
    if dataset.has_masks:
        origin = f"chosen on {arguments.select}" if arguments.select else "given"
        for route in routes:
            name = ", ".join(part for part in (f"{info.name} {rule}", route.title) if part)
            found[route] = tallies[route].evaluation(name, threshold=thresholds.get(route), threshold_from=origin)
        print(summary_table(list(found.values())))
        if worse := _worse(work, tallies, dataset.spec):
            print(f"\n{worse}")
    else:
        print(f"{dataset.spec} has no ground truth, so the masks were not scored.")
    print_notes(dataset)
    results = {
        "data": dataset.spec,
        "run": info.name,
        "weights_sha256": info.weights_sha256,
        "rule": rule,
        "thresholds": {route.key: value for route, value in thresholds.items()},
        "evaluations": {route.key: each.to_json() for route, each in found.items()},
    }
    if arguments.out is not None:
        write_json(arguments.out / SCORES_FILE, results)
        at = thresholds.get(last)
        where = "every pixel to its arg-max class" if at is None else f"at a background threshold of {at:.2f}"
        print(f"Masks ({last.title or 'the seeds'}) written to {arguments.out}, {where}.")
    write_results(arguments.json, results)
    return opened.status()


def _worse(work: _Work, tallies: dict[Route, Tally], on: str) -> str:
    """Which masks come out worse than the seeds that they are made of, and why that may be; "" where none do."""
    from recam_core.refine.finishes import FINISHES
    from recam_core.refine.ways import SEEDS, WAYS

    found = {route: tally.evaluation().best for route, tally in tallies.items()}
    seeds = found[SEEDS]
    worse = [route for route in work.routes if found[route].miou < seeds.miou]
    if not worse:
        return ""
    listed = ", ".join(f"{route.title} {100 * found[route].miou:.1f}" for route in worse)
    words = f"Worse than the seeds on {on} (mIoU {100 * seeds.miou:.1f}), each at its best threshold: {listed}."
    if climbed := [route for route in worse if WAYS[route.way].climbs and not WAYS[route.way].walks]:
        words += f" {_climb_words(seeds, found[climbed[0]])}"
    if any(WAYS[route.way].walks for route in worse):
        words += f" {_boundary_words(work.arguments.boundaries)}"
    if any(not WAYS[route.way].walks and route.finish != "none" for route in worse):
        words += " A finish takes away what is thinner than its reach; where objects are small, leave it out."
    if seeds.threshold is not None and any(FINISHES[r.finish].crf and not WAYS[r.way].walks for r in worse):
        words += f" A dense CRF should know the threshold of the seeds: --seed-threshold {seeds.threshold:.2f}."
    return words


def _climb_words(seeds: Scores, climbed: Scores) -> str:
    """What AdvCAM gained and what it paid."""
    shares = [
        f"{what} ({each(seeds):.1%} before, {each(climbed):.1%} after)"
        for of_background, what, each in (
            (False, "the pixels that a class loses to another one", lambda one: one.wrong_class),
            (True, "those it loses to the background", lambda one: one.lost_to_background),
            (True, "the background that goes to a class", lambda one: one.background_claimed),
        )
        if seeds.has_background or not of_background
    ]
    return (
        "AdvCAM makes a class larger, over the object and over whatever else the classifier knows it by: compare "
        f"{', '.join(shares)}. It helps where seeds are too small and little else speaks for a class."
    )


def _boundary_words(folder: Path) -> str:
    """Where the boundaries come from, and what to change."""
    from recam_core.records import opened_record
    from recam_core.refine.boundaries import RECORD_FILE

    with opened_record(folder / RECORD_FILE) as record:
        recipe, right = record["recipe"], record.get("right") or {}
        words = (
            f"The boundaries were learnt from labels at the thresholds {float(recipe['foreground']):.2f} and "
            f"{float(recipe['background']):.2f}"
        )
        known = [
            f"{float(share):.0%} of the pixels of {what}"
            for what, share in (("a class", right.get("foreground")), ("the background", right.get("background")))
            if share is not None
        ]
    words += f", of which {' and '.join(known)} are right. " if known else ". "
    return words + (
        "Labels that are wrong teach boundaries where there are none: raise --foreground of `boundaries` where pixels "
        "of a class are wrong, lower --background where those of the background are, and look at them with --show."
    )


@dataclass(frozen=True)
class _Work:
    """What all passes over pictures share."""

    loaded: Run
    rule: str
    routes: list[Route]
    boundaries: BoundaryNetwork | None
    opened: Opened
    arguments: argparse.Namespace
    made_by: str = ""

    @property
    def seeds_at(self) -> float:
        """The threshold of the seeds, where a dense CRF takes them for as probable as the background."""
        from recam_core.method.extraction import RULES
        from recam_core.refine.finishes import EVEN_SHARE

        # Thresholds of extraction rules lie near the usual one, those of attribution methods anywhere.
        own = None if self.rule in RULES else self.loaded.info.threshold_of(self.rule)
        return next(at for at in (self.arguments.seed_threshold, own, EVEN_SHARE) if at is not None)


def _made_by(work: _Work, dataset: Dataset) -> str:
    """Stands for all that decides the masks that are written, and their scores."""
    from recam_core.data.digest import dataset_digest, mask_stamp
    from recam_core.file_reader import file_sha256
    from recam_core.refine.boundaries import HEADS_FILE
    from recam_core.refine.seeds import seed_settings
    from recam_core.report.mask_set import digest_of

    arguments, info = work.arguments, work.loaded.info
    heads = "" if arguments.boundaries is None else file_sha256(arguments.boundaries / HEADS_FILE)
    chosen: object = arguments.threshold
    if arguments.select:
        part = work.opened.open(arguments.select, arguments.limit)
        chosen = dataset_digest(part), mask_stamp(part)
    elif arguments.thresholds is not None:
        chosen = file_sha256(arguments.thresholds) if arguments.thresholds.is_file() else None
    elif chosen is None:
        chosen = info.threshold_of(work.rule)
    return digest_of(
        info.weights_sha256,
        work.rule,
        [route.key for route in work.routes],
        asdict(seed_settings(work.rule, settings_for(arguments, info))),
        (dataset_digest(dataset), mask_stamp(dataset), arguments.limit),
        heads,
        work.seeds_at,
        chosen,
        (arguments.with_pictures, arguments.coco),
    )


def _made_before(work: _Work) -> dict | None:
    """The results of a call that wrote these very masks, all of which are there; None else."""
    from recam_core.records import RecordError, read_record
    from recam_core.refine.known_boundaries import SCORES_FILE
    from recam_core.report.mask_set import made_before

    arguments = work.arguments
    if not made_before(arguments.out, work.made_by):
        return None
    try:
        return dict(read_record(arguments.out / SCORES_FILE))
    except (RecordError, TypeError, ValueError):
        return None  # it was killed in between


def _tell_cost(work: _Work, dataset: Dataset) -> None:
    """Say how long AdvCAM will take, before hours are spent."""
    from recam_core.refine.advcam import seconds_a_class, steps_a_class
    from recam_core.refine.ways import WAYS

    if not len(dataset) or not any(WAYS[route.way].climbs for route in work.routes):
        return
    settings = settings_for(work.arguments, work.loaded.info)
    each = seconds_a_class(work.loaded.network, dataset.load(0).image, settings.scales, settings.mirror)
    total = min(work.arguments.limit or len(dataset), len(dataset))
    first = range(0, len(dataset), max(len(dataset) // 50, 1))
    classes = sum(int(dataset.labels(index).sum()) for index in first) / len(first)
    print(
        f"AdvCAM takes {steps_a_class(settings.scales)} passes, there and back, for each class of a picture: some "
        f"{each:.1f} s, so about {each * classes * total / 60:.1f} minutes for {counted(total, 'picture')}; what is "
        "kept of earlier calls is not climbed again."
    )


def _thresholds(work: _Work, dataset: Dataset) -> dict[Route, float]:
    """The background threshold of each route, as far as one is known before the masks are made."""
    from recam_core.maps.activation_maps import threshold_level
    from recam_core.scores.evaluate import check_classes

    arguments, info, last = work.arguments, work.loaded.info, work.routes[-1]
    if not dataset.classes.has_background:
        if arguments.threshold is not None or arguments.select or arguments.thresholds:
            raise UserError(f"{dataset.spec} has no background class: every pixel goes to its arg-max class.")
        return {}
    if arguments.threshold is not None:
        threshold_level(arguments.threshold)
        return dict.fromkeys(work.routes, arguments.threshold)
    if arguments.select:
        part = work.opened.open(arguments.select, arguments.limit)
        if not part.has_masks:
            raise UserError(f"{part.spec} has no ground-truth masks, so no threshold can be chosen on it.")
        check_classes(dataset.classes, part.classes, f"The data set {dataset.spec}", f"the data set {part.spec}")
        tallies = _pass(work, part, {}, None)

        def best() -> dict[Route, float | None]:
            if worse := _worse(work, tallies, part.spec):
                print(worse)
            return {route: tallies[route].evaluation().best.threshold for route in work.routes}

        found = ranks.on_first(best)
        return {route: value for route, value in found.items() if value is not None}
    if arguments.thresholds:
        return _thresholds_of(arguments.thresholds, work)
    own = info.threshold_of(work.rule)
    known = {} if own is None else {route: own for route in work.routes if not route.title}
    if arguments.out is not None and last not in known:
        raise UserError(
            "Masks are written at a background threshold, and one that fits the maps does not fit what is made of "
            "them: choose it with --select SPEC, a part of train with ground truth, or give one with --threshold."
        )
    if arguments.out is None and not dataset.has_masks:
        raise UserError(f"{dataset.spec} has no ground truth to score masks against; have them written with --out DIR.")
    return known


def _thresholds_of(file: Path, work: _Work) -> dict[Route, float]:
    """The thresholds in the results of another call, of the same weights and rule."""
    from recam_core.maps.activation_maps import threshold_level
    from recam_core.records import opened_record

    with opened_record(file) as values:
        if not isinstance(values, dict) or not {"weights_sha256", "rule", "thresholds"} <= values.keys():
            raise UserError(
                f"{file} holds no thresholds of masks: give what `masks RUN --data SPEC --select SPEC --json FILE` "
                "wrote with the same run, rule, ways and finishes."
            )
        made_by = values["weights_sha256"], values["rule"]
        found = {
            route: float(values["thresholds"][route.key]) for route in work.routes if route.key in values["thresholds"]
        }
    if made_by != (work.loaded.info.weights_sha256, work.rule):
        raise UserError(f"The thresholds in {file} were chosen for another run or rule.")
    if missing := [route.key for route in work.routes if route not in found]:
        raise UserError(f"{file} has no threshold for {', '.join(missing)}: it was written by a call without them.")
    for value in found.values():
        threshold_level(value)
    return found


def _pass(work: _Work, dataset: Dataset, thresholds: dict[Route, float], out: Path | None) -> dict[Route, Tally]:
    """One pass over a data set: the counts of each route and of the seeds (on the first rank) and, where a folder is
    named, the masks of the last route. Masks that are worse than the seeds are told of as soon as some pictures say so.
    """
    from recam_core.guest import is_own
    from recam_core.maps.activation_maps import seed_mask
    from recam_core.progress import terminal
    from recam_core.refine.advcam import kept_climbs
    from recam_core.refine.seeds import seed_settings
    from recam_core.refine.ways import SEEDS, refined_of_dataset
    from recam_core.report.coco_masks import picture_names
    from recam_core.report.mask_set import split_name, what_is_written, writing_mask_set
    from recam_core.scores.evaluate import Tally

    arguments, info, last = work.arguments, work.loaded.info, work.routes[-1]
    settings = seed_settings(work.rule, settings_for(arguments, info))
    routes = list(dict.fromkeys((SEEDS, *work.routes)))
    tallies = {route: Tally(dataset.classes) for route in routes}
    kept = maps_kept(arguments, info, work.rule, dataset)
    private = is_own(dataset.spec)
    climbs = kept_climbs(info.weights_sha256, work.rule, settings.scales, settings.mirror, private=private)

    def made() -> Iterator[tuple[Sample, dict[Route, Tally], np.ndarray | None]]:
        pictures = refined_of_dataset(
            work.loaded.network,
            dataset,
            work.rule,
            routes,
            settings,
            work.boundaries,
            arguments.limit,
            work.seeds_at,
            kept,
            climbs,
        )
        for sample, found in pictures:
            counts = {route: Tally(dataset.classes) for route in routes}
            for route, pixels in found.items():
                counts[route].add_pixels(sample.id, *pixels, sample.mask)
            mask = None if out is None else seed_mask(*found[last], thresholds.get(last))
            yield what_is_written(sample, arguments.with_pictures), counts, mask

    total = min(arguments.limit or len(dataset), len(dataset))
    with ExitStack() as stack:
        writer = None
        if out is not None and ranks.is_first():
            about = {
                "run": info.name,
                "weights_sha256": info.weights_sha256,
                "rule": work.rule,
                "data": dataset.spec,
                "way": last.way,
                "finish": last.finish,
                "threshold": thresholds.get(last),
                "settings": asdict(settings),
                "made_by": work.made_by,
            }
            split = split_name(dataset.spec)
            names = picture_names(dataset) if arguments.coco else None
            writer = stack.enter_context(
                writing_mask_set(out, dataset.classes, split, about, arguments.with_pictures, names)
            )
        progress = stack.enter_context(terminal(f"{info.name}, {dataset.spec}"))
        # With --select it is known by now.
        tells = total > 2 * _TELLING and not arguments.select
        for done, (sample, counts, mask) in enumerate(ranks.in_order(made(), total), start=1):
            for route, one in counts.items():
                tallies[route].merge(one)
            if writer is not None and mask is not None:
                writer.add(sample, mask)
            progress(done, total, "")
            if tells and len(counts[SEEDS]) and len(tallies[SEEDS]) == _TELLING:
                worse = _worse(work, tallies, f"the first {_TELLING} pictures with ground truth")
                if worse:
                    print(f"\n{worse}", file=sys.stderr)
    return tallies
