"""Some of the runs, in an order."""

from collections.abc import Callable, Collection, Iterable
from typing import Any

from recam_core.errors import UserError
from recam_core.runs.headline import headline
from recam_core.runs.listed import ListedRun


def _miou(run: ListedRun) -> float | None:
    found = headline(run.info)
    return None if found is None else found.miou


#: What a list can be sorted by, and what a run's place follows from; None goes last.
ORDERS: dict[str, Callable[[ListedRun], Any]] = {
    "name": lambda run: run.name.lower(),
    "created": lambda run: run.created.timestamp() if run.created else None,
    "miou": _miou,
    "method": lambda run: run.info.method,
    "data": lambda run: run.info.data,
    "size": lambda run: run.bytes,
}


def filter_runs(
    runs: Iterable[ListedRun],
    *,
    text: str = "",
    methods: Collection[str] = (),
    starred: bool = False,
    shipped: bool | None = None,
) -> list[ListedRun]:
    """Those that fit all conditions, in their order.

    Args:
        runs: the runs.
        text: words that must all occur in the name, method, rule, data, parent or recipe; the case does not count.
        methods: keep these; none keeps all.
        starred: keep starred ones only.
        shipped: keep shipped ones (True) or one's own (False) only.
    """
    words = text.lower().split()
    return [
        run
        for run in runs
        if (not methods or run.info.method in methods)
        and (run.starred or not starred)
        and shipped in (None, run.shipped)
        and all(word in _text(run) for word in words)
    ]


def sort_runs(runs: Iterable[ListedRun], order: str = "name", descending: bool = False) -> list[ListedRun]:
    """The runs in an order of :data:`ORDERS`; starred ones do not come first, and those without a value come last.

    Raises:
        UserError: an unknown order.
    """
    if order not in ORDERS:
        raise UserError(f"Runs can be sorted by {', '.join(ORDERS)}, not by '{order}'.")
    runs = list(runs)
    place = {run.key: ORDERS[order](run) for run in runs}
    known = [run for run in runs if place[run.key] is not None]
    known.sort(key=lambda run: place[run.key], reverse=descending)
    return known + [run for run in runs if place[run.key] is None]


def _text(run: ListedRun) -> str:
    info = run.info
    recipe = " ".join(f"{name}={value}" for name, value in info.recipe.items())
    # Lambda is called "weight" in recipes.
    recipe += f" lambda={info.recipe.get('weight')}"
    network = info.network.get("backbone", "")
    return f"{run.name} {info.method} {info.rule} {info.data} {info.parent or ''} {network} {recipe}".lower()
