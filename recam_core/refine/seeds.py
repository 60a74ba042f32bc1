"""The seeds that masks are made of: maps by an extraction rule, or by an attribution method such as Region-CAM."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from recam_core import ranks
from recam_core.data.sample import Dataset, Sample
from recam_core.errors import UserError
from recam_core.maps.activation_maps import ActivationMaps
from recam_core.maps.dataset_maps import MapSettings, kept_or_made, with_kept
from recam_core.maps.in_parts import Asked
from recam_core.method.extraction import RULES
from recam_core.model.network import CamNetwork


def seeds_of_dataset(
    network: CamNetwork,
    dataset: Dataset,
    rule: str,
    settings: MapSettings,
    limit: int | None = None,
    kept: Mapping[str, ActivationMaps] | None = None,
    tick: Callable[[], None] = lambda: None,
) -> Iterator[tuple[Sample, ActivationMaps]]:
    """Yield each picture with its maps, in the order of the data set; under ``torchrun``, those of this rank's share.

    Args:
        network: in evaluation mode, of the classes of the data set.
        dataset: the pictures.
        rule: an extraction rule, or an attribution method with a head, such as ``region_cam-fc1``.
        settings: how maps are made; see :func:`seed_settings`.
        limit: only the first so many pictures; None for all.
        kept: maps that need not be made, see :func:`recam_core.maps.kept.kept_maps`.
        tick: called after each pass of attributions; may raise Cancelled.

    Raises:
        UserError: what :func:`recam_core.maps.dataset_maps.kept_or_made` refuses, or attributions of classes that
            the network names itself.
    """
    if rule in RULES:
        yield from kept_or_made(network, dataset, rule, settings, limit, kept)
        return
    # Only where it is needed: captum takes a second to load.
    from recam_core.attribution.attributed_set import Attributed, attributions_of_dataset, read_rule

    check_labels(rule, settings.labels)
    named = read_rule(rule, dataset.classes.names)
    if named is None:
        raise UserError(f"There is neither an extraction rule nor an attribution method '{rule}'.")
    method, head, against = named
    asked = Attributed(network, "The network", "", tuple(dataset.classes.names), method, head, against)
    count = len(dataset) if limit is None else min(limit, len(dataset))

    def made(missing: list[int]) -> Iterator[tuple[Sample, ActivationMaps]]:
        return attributions_of_dataset(asked, dataset, lambda *_: tick(), indices=missing)

    yield from with_kept(dataset, ranks.share(range(count)), {} if kept is None else kept, made)


def check_labels(rule: str, labels: str) -> None:
    """Raise UserError for attributions of classes that the network names itself."""
    if rule not in RULES and labels != "truth":
        raise UserError(f"The maps '{rule}' are made for the classes of the ground-truth label: leave --labels out.")


def asked_seeds(rules: Iterable[str], settings: MapSettings) -> dict[str, Asked]:
    """How those of these maps are made that are no extraction rule's, for stores of them."""
    asked = [rule for rule in rules if rule not in RULES]
    if not asked:
        return {}
    from recam_core.attribution.attributed_set import attributions_of_run

    return {rule: Asked(seed_settings(rule, settings), attributions_of_run) for rule in asked}


def seed_settings(rule: str, settings: MapSettings) -> MapSettings:
    """The settings as seeds of this name are made: attributions have scales and mirror images of their own."""
    if rule in RULES:
        return settings
    from recam_core.attribution.attributed_set import views_of_rule

    views = views_of_rule(rule.partition("-against-")[0], ())  # which class they are against changes nothing
    return settings if views is None else replace(settings, scales=views[0], mirror=views[1])
