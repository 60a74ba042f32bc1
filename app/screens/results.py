"""Results: what each method gains over BCE-CAM, on which data, and all that was measured."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app.catalogue import Entry, Family, has_no_runs, read_catalogue
from app.chart import key_while, palette, pressed, show_chart
from app.datasets import dataset
from app.guard import sentences
from app.links import open_explore, open_runs
from app.plain_words import as_code, plain
from recam_core.analysis.head_to_head import HeadToHead
from recam_core.views.charts.gains import GainRow, gain_chart, gains_csv

#: Further scores in ``run.json``, as the table heads them. Like the mIoU they are shares, shown as per cent.
_DETAILS = {
    "mean_false_positive_rate": "false positive rate",
    "mean_false_negative_rate": "false negative rate",
    "wrong_class": "wrong class",
    "lost_to_background": "lost to background",
}
#: The split that is reported; others are what settings were chosen on.
_REPORTED = "val"
_NO_INTERVAL = "no interval"


@dataclass(frozen=True)
class Gain:
    """A run against the BCE-CAM of its family, by its own rule.

    Attributes:
        family: title of the family.
        run: title of the run.
        keys: of BCE-CAM and of the run.
        miou, base: mIoU of the run and of BCE-CAM, 0..1.
        duel: with the interval, and wins and losses; None where the record keeps none.
    """

    family: str
    run: str
    keys: tuple[str, str]
    miou: float
    base: float
    duel: HeadToHead | None

    @property
    def interval(self) -> tuple[float | None, float | None]:
        """Of the difference, in shares; None where there is none."""
        return (None, None) if self.duel is None else (self.duel.low, self.duel.high)

    @property
    def verdict(self) -> str:
        """What the interval says."""
        return _NO_INTERVAL if self.duel is None or None in self.interval else self.duel.verdict


def main() -> None:
    """Draw the page."""
    st.title("Results")
    catalogue = read_catalogue()
    if has_no_runs(catalogue):
        return
    _lead(catalogue.families)
    st.markdown(
        "Below is what was measured of each run, by split and extraction rule, better and worse alike. Differences are "
        "to the BCE-CAM of the same family on the same split. Published figures, which are of other data, stand under "
        "*About the method*."
    )
    for family in catalogue.families:
        _family(family)


# What is said first -----------------------------------------------------------------------------------------------


def _lead(families: Sequence[Family]) -> None:
    """The chart of all gains, and a sentence a data set."""
    gains = {family.key: _gains(family) for family in families}
    every = [gain for found in gains.values() for gain in found]
    if not every:
        return
    _chart(every)
    st.caption(
        "Each dot is a run of that data set: right of 0 it is better than BCE-CAM, left of it worse. Lines are 95% "
        "intervals over pictures; what may be chance, or has no interval, is grey."
    )
    _behind(every, {family.title: family for family in families})
    for family in families:
        if gains[family.key]:
            st.markdown(f"- **{plain(family.title)}.** {_sentence(family, gains[family.key])}")


def _gains(family: Family) -> list[Gain]:
    """Of each run by its own rule on the split that is reported, where BCE-CAM was scored there, too."""
    first = family.by_method("bce")
    base = None if first is None else _scores(first)
    if first is None or base is None:
        return []
    found = []
    for entry in family.entries:
        scores = _scores(entry)
        if entry.key == first.key or scores is None or scores.get("data") != base.get("data"):
            continue
        duel = HeadToHead.from_json(scores.get("against"))
        # A comparison with another run is not one with BCE-CAM.
        duel = duel if duel is not None and duel.over == _name(first) else None
        found.append(Gain(family.title, entry.title, (first.key, entry.key), scores["miou"], base["miou"], duel))
    return found


def _name(entry: Entry) -> str:
    """What `evaluate` calls a run by its own rule."""
    return f"{entry.info.name} {entry.info.rule}"


def _scores(entry: Entry) -> dict[str, Any] | None:
    """What the record of a run says of its own rule on the reported split."""
    by_rule = entry.info.scores.get(_REPORTED)
    scores = by_rule.get(entry.info.rule) if isinstance(by_rule, dict) else None
    is_whole = isinstance(scores, dict) and isinstance(scores.get("miou"), (int, float))
    return scores if is_whole else None


def _sentence(family: Family, gains: Sequence[Gain]) -> str:
    """Of the ReCAM of a family (or the last run), since that is what the lab is about."""
    recam = family.by_method("recam") or family.by_method("heads")
    gain = next((one for one in gains if recam is not None and one.run == recam.title), gains[-1])
    run, first = plain(gain.run), family.by_method("bce")
    base = plain(first.title) if first is not None else "BCE-CAM"
    if gain.duel is None:
        change = f"{100 * (gain.miou - gain.base):+.1f}".replace("-", "−")
        return (
            f"{run} has {100 * gain.miou:.1f} % of mIoU and {base} {100 * gain.base:.1f} % ({change} points). How far "
            "that may be chance was not kept; `evaluate` with `--bootstrap 1000 --keep-scores` keeps it."
        )
    return gain.duel.words(run, base)


def _chart(gains: Sequence[Gain]) -> None:
    """The gains as dots with their intervals, one line a run."""
    if not 0 <= (st.session_state.get("results_gain") or 0) < len(gains):
        st.session_state["results_gain"] = None  # runs were deleted meanwhile
    rows = gain_rows(gains, st.session_state.get("results_gain"))

    def place(key: str) -> int | None:
        found = pressed(key)
        return int(found[0][0]) if found else None

    def press() -> None:
        if place(key) is not None:
            st.session_state["results_gain"] = place(key)

    key = key_while("results_gains", lambda key: place(key) in (None, st.session_state.get("results_gain")))
    with st.container(key="results_chart"):
        show_chart(
            gain_chart(rows, palette(), title="points of mIoU over BCE-CAM", legend=False),
            key=key,
            modes=("points",),
            name="gains",
            csv=gains_csv(rows, group="data", name="run"),
            alt="What each run gains over the BCE-CAM of its data set, in points of mIoU, with 95% intervals. The "
            "field below chooses one by keyboard.",
            on_press=press,
        )


def gain_rows(gains: Sequence[Gain], looked_at: int | None) -> list[GainRow]:
    """The gains, from top to bottom, as the chart and its CSV have them.

    Args:
        gains: of all families.
        looked_at: the place of the one that is marked.
    """
    rows = []
    for place, gain in enumerate(gains):
        low, high = (None if bound is None else 100 * bound for bound in gain.interval)
        change = 100 * (gain.miou - gain.base)
        rows.append(GainRow(gain.run, change, low, high, gain.verdict, gain.family, marked=place == looked_at))
    return rows


def _behind(gains: Sequence[Gain], families: dict[str, Family]) -> None:
    """The way from a dot to its scores class by class, and to its maps."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="results_behind"):
        place = st.selectbox(
            "Behind a dot",
            range(len(gains)),
            index=None,
            format_func=lambda place: f"{gains[place].family}: {gains[place].run}",
            key="results_gain",
            placeholder="Press a dot, or choose here",
            width=360,
        )
        if place is None:
            return
        gain = gains[place]
        family = families[gain.family]
        if st.button("Class by class, on Runs", icon=":material/difference:", key="results_to_runs", wrap=True):
            open_runs(gain.keys)
        if st.button("Its maps, in Explore", icon=":material/compare:", key="results_to_explore", wrap=True):
            with sentences():
                open_explore(data=family.pictures, picture=dataset(family.pictures).ids[0], runs=gain.keys)


# Everything ---------------------------------------------------------------------------------------------------------


def _family(family: Family) -> None:
    st.subheader(plain(family.title))
    st.caption(f"{plain(family.about)} {len(family.classes)} classes: {plain(', '.join(family.classes.names))}.")
    rows = [row for entry in family.entries for row in _rows(entry)]
    rows.sort(key=lambda row: row["split"] != "val")  # what is reported before what settings were chosen on
    if rows:
        first = family.by_method("bce")
        _add_differences(rows, "" if first is None else _name(first))
        st.dataframe(
            rows,
            hide_index=True,
            width="stretch",
            # What matters comes first: on a phone three columns are in sight.
            column_order=[
                "run",
                "mIoU",
                "to BCE-CAM",
                "95 %",
                "rule",
                "split",
                *_DETAILS.values(),
                "threshold",
                "threshold from",
            ],
            column_config={
                "run": st.column_config.TextColumn(width=110),
                "mIoU": st.column_config.NumberColumn(format="percent", width=75),
                "95 %": st.column_config.TextColumn(
                    width=115,
                    help="Interval of the difference over pictures: one that leaves out 0 is more than chance.",
                ),
                **{name: st.column_config.NumberColumn(format="percent") for name in _DETAILS.values()},
                "threshold": st.column_config.NumberColumn(
                    format="%.2f", help="Background threshold; none where every pixel goes to its arg-max class."
                ),
                "threshold from": st.column_config.TextColumn(
                    help="A threshold chosen on the very pictures that are scored makes the mIoU slightly too good."
                ),
                "to BCE-CAM": st.column_config.NumberColumn(
                    format="%+.1f", width=95, help="Difference of the mIoU, in points of per cent."
                ),
            },
        )
    else:
        st.info(
            "Nothing was measured of these runs yet: `python -m recam_core evaluate` does it.",
            icon=":material/straighten:",
        )
    for entry in family.entries:
        with st.expander(f"{plain(entry.title)}: how it was made"):
            _provenance(entry)


def _rows(entry: Entry) -> Iterator[dict[str, Any]]:
    """One row a split and rule that a run's record holds scores of."""
    for split, by_rule in entry.info.scores.items():
        if not isinstance(by_rule, dict):
            continue
        for rule, scores in by_rule.items():
            if not isinstance(scores, dict) or not isinstance(scores.get("miou"), (int, float)):
                continue
            fixed = scores.get("fixed")
            # The other figures belong to the threshold that the mIoU belongs to.
            details = fixed or scores.get("best") or {}
            threshold = scores.get("threshold")
            yield {
                "run": entry.title,
                "rule": rule.replace("_", " ") + (" (its own)" if rule == entry.info.rule else ""),
                "split": split,
                "mIoU": scores["miou"],
                **{title: details.get(name) for name, title in _DETAILS.items() if name in details},
                "threshold": threshold,
                "threshold from": "" if threshold is None else (fixed or {}).get("threshold_from", "these pictures"),
                "_against": HeadToHead.from_json(scores.get("against")),
                "_reference": entry.info.method == "bce" and rule == "fc1",
            }


def _add_differences(rows: list[dict[str, Any]], name: str) -> None:
    """Each row's mIoU less that of BCE-CAM on its split, with its interval where it is kept.

    Args:
        rows: of :func:`_rows`.
        name: of BCE-CAM, as records of comparisons have it.
    """
    base: dict[str, float] = {}
    for row in rows:
        if row.pop("_reference"):
            base.setdefault(row["split"], row["mIoU"])
    for row in rows:
        row["to BCE-CAM"] = 100 * (row["mIoU"] - base[row["split"]]) if row["split"] in base else None
        duel = row.pop("_against")
        known = duel is not None and duel.low is not None and duel.over == name
        row["95 %"] = f"{100 * duel.low:+.1f} to {100 * duel.high:+.1f}".replace("-", "−") if known else ""


def _provenance(entry: Entry) -> None:
    """Settings and origin of a run."""
    info = entry.info
    rule, backbone = info.rule.replace("_", " "), info.network.get("backbone", "unknown")
    st.markdown(
        f"Method **{plain(info.method)}**, rule **{plain(rule)}**, {_row_words(info.recipe)}backbone "
        f"**{plain(backbone)}**, trained on {as_code(info.data)}"
        + (f", starting from **{plain(info.parent)}**." if info.parent else ".")
    )
    if info.command:
        st.code(info.command, language="bash", wrap_lines=True)
    st.json(info.recipe, expanded=False)


def _row_words(recipe: dict[str, Any]) -> str:
    """What a recipe says of a background row; nothing where there is none."""
    weight, power = recipe.get("background"), recipe.get("background_power")
    if not (isinstance(weight, (int, float)) and weight > 0 and isinstance(power, (int, float))):
        return ""
    return f"FC2 with a **background row** (β {weight:g}, G {power:g}), "
