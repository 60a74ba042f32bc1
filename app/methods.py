"""What a pane shows: a network's features read through one set of class weights."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from app.catalogue import Entry
from app.models import SharedRun, shared_run
from recam_core.checkpoint.run_folder import rules_of_run
from recam_core.method.extraction import MapWeights, gives_log_odds, map_weights, rule_words


@dataclass(frozen=True)
class Attribution:
    """How a pane's maps are made where another attribution method than the CAM of a rule makes them.

    Attributes:
        entry: the run.
        method: a key of :data:`recam_core.attribution.table.METHODS`.
        head: whose logits are explained: ``fc1``, ``fc2`` or a rule that makes class weights.
        against: pairs of a class and the other one that it is explained against; () explains each by itself.
    """

    entry: Entry
    method: str
    head: str
    against: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Method:
    """One pane's way from a picture to its maps.

    Attributes:
        key: for widgets.
        title: over the pane.
        about: a few words below the title.
        load: gives the network whose features are used, and what maps are made with. Maps that are kept need
            neither, and reading three networks takes longer than opening a page may.
        weights_key: stands for the features and the weights together, in caches.
        threshold: its own background threshold, or None where none was chosen.
        rule: its extraction rule.
        entry: the run that it is read off, if it is one as it lies on disk.
        softmax: whether its class probabilities are those of a softmax.
        attribution: another way to its maps than by ``rule``; see :mod:`app.attributions`.
    """

    key: str
    title: str
    about: str
    load: Callable[[], tuple[SharedRun, MapWeights]]
    weights_key: str
    threshold: float | None
    rule: str
    entry: Entry | None = None
    softmax: bool = False
    attribution: Attribution | None = None

    @property
    def shared(self) -> SharedRun:
        """The network. Raises UserError where its weights are missing, damaged or of another architecture."""
        return self.load()[0]

    @property
    def weight(self) -> MapWeights:
        """What maps are made with. Raises UserError as :attr:`shared` does."""
        return self.load()[1]


def method_of_entry(entry: Entry, rule: str | None = None) -> Method:
    """A run's own maps, by its own rule or another one; its network is not read yet.

    A run that cannot be read by the other rule, for want of FC2 or of FC2's background row, keeps its own.
    """
    chosen = rule if rule in rules_of_run(entry.info) else entry.info.rule

    def load() -> tuple[SharedRun, MapWeights]:
        shared = shared_run(entry)
        fc1, fc2 = shared.run.network.fc1, shared.run.network.fc2
        return shared, map_weights(chosen, fc1.detach(), None if fc2 is None else fc2.detach())

    return Method(
        key=entry.key,
        title=entry.title,
        about=rule_words(chosen),
        load=load,
        weights_key=f"{entry.info.weights_sha256}:{chosen}",
        threshold=entry.info.threshold if gives_log_odds(chosen) == gives_log_odds(entry.info.rule) else None,
        rule=chosen,
        entry=entry,
        softmax=entry.info.method == "sce",
    )


def method_of_heads(
    key: str, title: str, shared: SharedRun, fc1: Tensor, fc2: Tensor, rule: str, threshold: float | None
) -> Method:
    """Maps by retrained FC1 (K x C) and FC2 (K x C, or K + 1 rows) on the features of ``shared``."""
    device = shared.run.network.device
    weight = map_weights(rule, fc1, fc2).to(device)
    return Method(
        key=key,
        title=title,
        about=rule_words(rule),
        load=lambda: (shared, weight),
        weights_key=f"{shared.run.info.weights_sha256}:{weight.digest}",
        threshold=threshold,
        rule=rule,
    )
