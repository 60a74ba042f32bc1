"""What a pane shows: a network's features read through one set of class weights."""

import hashlib
from dataclasses import dataclass

from torch import Tensor

from app.catalogue import Entry
from app.models import SharedRun, shared_run
from recam_core.method.extraction import RULES, class_weights


@dataclass(frozen=True)
class Method:
    """One pane's way from a picture to its maps.

    Attributes:
        key: for widgets.
        title: over the pane.
        about: a few words below the title.
        shared: the network whose features are used.
        weight: K x C, the class weights w''.
        weights_key: stands for the features and the weights together, in caches.
        threshold: its own background threshold, or None where none was chosen.
        rule: its extraction rule.
        entry: the run that it is read off, if it is one as it lies on disk.
        softmax: whether its class probabilities are those of a softmax.
    """

    key: str
    title: str
    about: str
    shared: SharedRun
    weight: Tensor
    weights_key: str
    threshold: float | None
    rule: str
    entry: Entry | None = None
    softmax: bool = False


def method_of_entry(entry: Entry, rule: str | None = None) -> Method:
    """A run's own maps, by its own rule or another one (ignored by runs without FC2).

    Raises:
        UserError: the run cannot be loaded.
    """
    shared = shared_run(entry)
    network = shared.run.network
    chosen = entry.info.rule if rule is None or network.fc2 is None else rule
    return Method(
        key=entry.key,
        title=entry.title,
        about=rule_words(chosen),
        shared=shared,
        weight=class_weights(chosen, network.fc1.detach(), None if network.fc2 is None else network.fc2.detach()),
        weights_key=f"{entry.info.weights_sha256}:{chosen}",
        threshold=entry.info.threshold,
        rule=chosen,
        entry=entry,
        softmax=entry.info.method == "sce",
    )


def method_of_heads(
    key: str, title: str, shared: SharedRun, fc1: Tensor, fc2: Tensor, rule: str, threshold: float | None
) -> Method:
    """Maps by retrained FC1 and FC2 (K x C) on the features of ``shared``."""
    device = shared.run.network.device
    weight = class_weights(rule, fc1.detach().to(device), fc2.detach().to(device))
    digest = hashlib.blake2b(weight.cpu().numpy().tobytes(), digest_size=16).hexdigest()
    return Method(
        key=key,
        title=title,
        about=rule_words(rule),
        shared=shared,
        weight=weight,
        weights_key=f"{shared.run.info.weights_sha256}:{digest}",
        threshold=threshold,
        rule=rule,
    )


def rule_words(rule: str) -> str:
    """An extraction rule in a few words."""
    return f"rule {rule.replace('_', ' ')}" if RULES[rule].needs_fc2 else "weights of FC1"
