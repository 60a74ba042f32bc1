"""The ways from seeds to scores of pseudo masks: directly, or by a walk within learnt boundaries; a way is an entry in
:data:`WAYS`. Any finish may follow upon any way."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from recam_core.data.sample import Dataset, Sample
from recam_core.errors import UserError
from recam_core.maps.activation_maps import FULL, ActivationMaps
from recam_core.maps.dataset_maps import MapSettings
from recam_core.method.extraction import RULES, class_weights, gives_log_odds
from recam_core.model.network import CamNetwork
from recam_core.refine.advcam import climbed_maps
from recam_core.refine.boundary_network import BoundaryNetwork
from recam_core.refine.finishes import EVEN_SHARE, FINISHES, Pixels, check_finish, finished_pixels, from_levels
from recam_core.refine.kept_climbs import KeptClimbs
from recam_core.refine.random_walk import STAGES, STEPS, walk_stages
from recam_core.refine.seeds import seeds_of_dataset
from recam_core.scores.thresholds import EVEN_ODDS

#: The rule whose values the maps of a walk, and of AdvCAM, are like: activations, of which the greatest is 1.
ACTIVATIONS = "fc1"


@dataclass(frozen=True)
class Way:
    """One way from seeds to scores.

    Attributes:
        title: for people.
        about: what it does, in a sentence.
        climbs: whether the maps are those of AdvCAM.
        walks: whether they walk within boundaries, which must have been learnt.
    """

    title: str
    about: str
    climbs: bool = False
    walks: bool = False


WAYS = {
    "direct": Way("direct", "The seeds themselves."),
    "advcam": Way(
        "AdvCAM", "Each picture is moved so that its classes are seen better, and the maps are added up.", climbs=True
    ),
    "irn": Way(
        "IRN", "The maps walk over the picture, but not across the boundaries that IRN's heads see.", walks=True
    ),
    "advcam+irn": Way("AdvCAM, IRN", "The maps of AdvCAM, to the power of 1.5, walk.", climbs=True, walks=True),
}
#: The background threshold of what has walked, where none was chosen: the published one of VOC.
WALKED_THRESHOLD = 0.28
#: What the maps of AdvCAM are raised to before they walk.
_CLIMBED_POWER = 1.5


@dataclass(frozen=True)
class Route:
    """A way and what finishes it.

    Attributes:
        way: of :data:`WAYS`.
        finish: of :data:`recam_core.refine.finishes.FINISHES`.
    """

    way: str
    finish: str

    @property
    def key(self) -> str:
        """As results name it."""
        return f"{self.way}+{self.finish}"

    @property
    def title(self) -> str:
        """For people; "" of the seeds as they are."""
        parts = [WAYS[self.way].title] if self.way != "direct" else []
        parts += [FINISHES[self.finish].title] if self.finish != "none" else []
        return ", ".join(parts)


#: The seeds as they are, which all others are held against.
SEEDS = Route("direct", "none")


def routes_of(ways: Sequence[str], finishes: Sequence[str], has_boundaries: bool) -> list[Route]:
    """Every way with every finish, each once. Raises UserError for one that is unknown, or lacks its boundaries."""
    for way in ways:
        if way not in WAYS:
            raise UserError(f"There is no way '{way}'; there are {', '.join(WAYS)}.")
        if WAYS[way].walks and not has_boundaries:
            raise UserError(
                f"The way '{way}' needs boundaries: `boundaries RUN --data SPEC --out DIR` learns them from seeds."
            )
    return list(dict.fromkeys(Route(way, check_finish(finish)) for way in ways for finish in finishes))


def usual_way_threshold(way: str, finish: str, seeds: float) -> float:
    """The background threshold that a way and a finish begin with where none was chosen.

    Even odds after a dense CRF, whose scores are log-odds; the published threshold of what has walked; else that of the
    seeds, whose maps are divided by their maxima as those of AdvCAM are.
    """
    if FINISHES[finish].crf is not None:
        return EVEN_ODDS
    return WALKED_THRESHOLD if WAYS[way].walks else seeds


def set_out(
    way: str, seeds: ActivationMaps, rule: str, climbed: ActivationMaps | None = None
) -> tuple[ActivationMaps, str]:
    """The maps that go a way, before they walk, and the rule that says what their values mean.

    Args:
        way: of :data:`WAYS`.
        seeds: the maps of a picture.
        rule: the extraction rule that made them.
        climbed: those of AdvCAM (:func:`recam_core.refine.advcam.climbed_maps`), for the ways that take them.

    Raises:
        UserError: the way takes the maps of AdvCAM, and there are none.
    """
    if not WAYS[way].climbs:
        return seeds, rule
    if climbed is None:
        raise UserError(f"The way '{way}' begins with the maps of AdvCAM, which were not made.")
    if not WAYS[way].walks:
        return climbed, ACTIVATIONS
    raised = np.rint((climbed.activations / FULL) ** _CLIMBED_POWER * FULL).astype(np.uint8)
    return replace(climbed, activations=raised), ACTIVATIONS


def check_seeds(rule: str, routes: Sequence[Route]) -> None:
    """See to it that the ways can start from such seeds. Raises UserError where one needs the weights of classes."""
    climbing = [route.way for route in routes if WAYS[route.way].climbs]
    if climbing and (rule not in RULES or not RULES[rule].makes_weights):
        raise UserError(
            f"The way '{climbing[0]}' climbs along the class weights of an extraction rule, and '{rule}' has none; "
            "take the ways direct and irn, or the seeds of another rule."
        )


def walked(maps: ActivationMaps, boundary: np.ndarray, rule: str) -> ActivationMaps:
    """Maps after the walk, divided by their maximum over all classes together, as published thresholds are meant.

    Maps of probabilities walk as probabilities; what comes out is read as activations, by the rule ``fc1``.

    Args:
        maps: of a picture.
        boundary: on the grid of the maps, h x w float32, 0..1.
        rule: the extraction rule that made the maps.
    """
    return walked_stages(maps, boundary, rule, (STEPS,))[0]


def walked_stages(
    maps: ActivationMaps, boundary: np.ndarray, rule: str, stages: Sequence[int] = STAGES
) -> list[ActivationMaps]:
    """Maps on their walk, after each of so many steps (ascending); the last one is like those of :func:`walked`."""
    values = from_levels(maps.activations.astype(np.float32), rule)
    each = walk_stages(1 - values if gives_log_odds(rule) else values, boundary, stages)
    most = each.max(axis=(1, 2, 3), keepdims=True, initial=0)
    levels = np.rint(np.divide(each, most, out=np.zeros_like(each), where=most > 0) * FULL).astype(np.uint8)
    return [ActivationMaps(maps.id, maps.size, maps.classes, one) for one in levels]


def refined_of_dataset(
    network: CamNetwork,
    dataset: Dataset,
    rule: str,
    routes: Sequence[Route],
    settings: MapSettings,
    boundaries: BoundaryNetwork | None = None,
    limit: int | None = None,
    seeds_at: float = EVEN_SHARE,
    kept: Mapping[str, ActivationMaps] | None = None,
    climbs: KeptClimbs | None = None,
    tick: Callable[[], None] = lambda: None,
) -> Iterator[tuple[Sample, dict[Route, Pixels]]]:
    """Yield each picture with what each route makes of its maps: the arg-max class and the activation of each pixel.

    Under ``torchrun`` each rank has its share (:func:`recam_core.maps.dataset_maps.maps_of_dataset`).

    Args:
        network: in evaluation mode; its device is used (walks and finishes take the CPU).
        dataset: the pictures.
        rule: extraction rule, or attribution method with a head; see
            :func:`recam_core.refine.seeds.seeds_of_dataset`.
        routes: see :func:`routes_of`.
        settings: how maps are made.
        boundaries: for the ways that need them.
        limit: only the first so many pictures; None for all.
        seeds_at: the threshold of the seeds, where a dense CRF takes them for as probable as the background; maps that
            have walked have the published one.
        kept: maps that need not be made, see :func:`recam_core.maps.kept.kept_maps`.
        climbs: where the maps of AdvCAM are kept, see :func:`recam_core.refine.advcam.kept_climbs`; None keeps none.
        tick: called in the middle of the work on pictures that take long; may raise Cancelled.

    Raises:
        UserError: what :func:`recam_core.refine.seeds.seeds_of_dataset` and :func:`check_seeds` refuse.
    """
    check_seeds(rule, routes)
    ways, has_background = {route.way for route in routes}, dataset.classes.has_background
    weight = class_weights(rule, network.fc1, network.fc2) if any(WAYS[way].climbs for way in ways) else None
    for sample, made in seeds_of_dataset(network, dataset, rule, settings, limit, kept, tick):
        climbed = boundary = None
        if weight is not None:
            classes, scales, mirror = made.classes, settings.scales, settings.mirror
            climbed = climbed_maps(
                network,
                sample.image,
                weight,
                classes,
                scales=scales,
                mirror=mirror,
                id=sample.id,
                kept=climbs,
                tick=tick,
            )
        if boundaries is not None and any(WAYS[way].walks for way in ways):
            boundary = boundaries.boundary(sample.image)
        maps = {}
        for way in ways:
            maps[way] = set_out(way, made, rule, climbed)
            if WAYS[way].walks and boundary is not None:
                maps[way] = walked(maps[way][0], boundary, maps[way][1]), ACTIVATIONS
        found = {}
        for route in routes:
            even = WALKED_THRESHOLD if WAYS[route.way].walks else seeds_at
            found[route] = finished_pixels(
                *maps[route.way], sample.image, route.finish, has_background=has_background, even=even
            )
        yield sample, found
    if weight is not None and climbs is not None:
        climbs.make_room()
