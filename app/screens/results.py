"""Results: which runs there are, and what was measured of them."""

from collections.abc import Iterator
from typing import Any

import streamlit as st

from app.catalogue import Entry, Family, read_catalogue

#: Further scores in ``run.json``, as the table heads them. Like the mIoU they are shares, shown as per cent.
_DETAILS = {
    "mean_false_positive_rate": "false positive rate",
    "mean_false_negative_rate": "false negative rate",
    "wrong_class": "wrong class",
    "lost_to_background": "lost to background",
}


def main() -> None:
    """Draw the page."""
    st.title("Results")
    catalogue = read_catalogue()
    if not catalogue.families:
        st.info("There are no runs yet: the page *Explore* says how to make one.", icon=":material/inventory_2:")
        return
    st.markdown(
        "What was measured of each run, by split and extraction rule, better and worse alike. Differences are to the "
        "BCE-CAM of the same family on the same split. Published figures, which are of other data, stand under "
        "*About the method*."
    )
    for family in catalogue.families:
        _family(family)


def _family(family: Family) -> None:
    st.subheader(family.title)
    st.caption(f"{family.about} {len(family.classes)} classes: {', '.join(family.classes.names)}.")
    rows = [row for entry in family.entries for row in _rows(entry)]
    rows.sort(key=lambda row: row["split"] != "val")  # what is reported before what settings were chosen on
    if rows:
        _add_differences(rows)
        st.dataframe(
            rows,
            hide_index=True,
            width="stretch",
            column_config={
                **{name: st.column_config.NumberColumn(format="percent") for name in ("mIoU", *_DETAILS.values())},
                "threshold": st.column_config.NumberColumn(
                    format="%.2f", help="Background threshold; none where every pixel goes to its arg-max class."
                ),
                "threshold from": st.column_config.TextColumn(
                    help="A threshold chosen on the very pictures that are scored makes the mIoU slightly too good."
                ),
                "to BCE-CAM": st.column_config.NumberColumn(
                    format="%+.1f", help="Difference of the mIoU, in points of per cent."
                ),
            },
        )
    else:
        st.info(
            "Nothing was measured of these runs yet: `python -m recam_core evaluate` does it.",
            icon=":material/straighten:",
        )
    for entry in family.entries:
        with st.expander(f"{entry.title}: how it was made"):
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
                "_reference": entry.info.method == "bce" and rule == "fc1",
            }


def _add_differences(rows: list[dict[str, Any]]) -> None:
    """Each row's mIoU less that of BCE-CAM on its split."""
    base: dict[str, float] = {}
    for row in rows:
        if row.pop("_reference"):
            base.setdefault(row["split"], row["mIoU"])
    for row in rows:
        row["to BCE-CAM"] = 100 * (row["mIoU"] - base[row["split"]]) if row["split"] in base else None


def _provenance(entry: Entry) -> None:
    """Settings and origin of a run."""
    info = entry.info
    rule, backbone = info.rule.replace("_", " "), info.network.get("backbone", "unknown")
    st.markdown(
        f"Method **{info.method}**, rule **{rule}**, {_row_words(info.recipe)}backbone **{backbone}**, trained on "
        f"`{info.data}`" + (f", starting from **{info.parent}**." if info.parent else ".")
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
