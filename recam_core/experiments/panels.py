"""Chart panels out of measured settings."""

from collections.abc import Sequence

from recam_core.experiments.chart import Series
from recam_core.experiments.figures import FIGURES
from recam_core.experiments.noise import measured
from recam_core.experiments.protocol import REPORT, SELECT, Protocol
from recam_core.experiments.setting import Measured

SEED_SPREAD = "lowest and highest of the seeds"


def panels(
    settings: Sequence[Measured],
    x: Sequence[float | str],
    protocol: Protocol,
    figures: Sequence[str] = tuple(FIGURES),
    group: str = "",
) -> dict[str, tuple[Series, ...]]:
    """One panel a figure; in each, one series a part.

    Args:
        settings: in the order of the x axis.
        x: where each lies.
        protocol: names the parts.
        figures: keys of :data:`FIGURES`.
        group: in front of the names of the series, where a panel holds several groups.
    """
    found = {}
    for name in figures:
        figure, title, _ = FIGURES[name]
        series = []
        for part in (SELECT, REPORT):
            each = [[float(figure(s.scores.confusion, s.scores.has_background)) for s in one.on(part)]
                    for one in settings]  # fmt: skip
            series.append(
                Series(
                    f"{group}, {getattr(protocol, part)}" if group else getattr(protocol, part),
                    part,
                    tuple(x),
                    tuple(measured(one.on(part), figure) for one in settings),
                    tuple(min(values) if len(values) > 1 else None for values in each),
                    tuple(max(values) if len(values) > 1 else None for values in each),
                    tuple(one.label for one in settings),
                )
            )
        found[title] = tuple(series)
    return found


def joined(*groups: dict[str, tuple[Series, ...]]) -> dict[str, tuple[Series, ...]]:
    """The panels of several groups, those of the same title in one."""
    titles = dict.fromkeys(title for group in groups for title in group)
    return {title: tuple(series for group in groups for series in group.get(title, ())) for title in titles}
