"""The list of runs: the row above it, with what to look for and the order, and the table. A press marks rows."""

from collections.abc import Sequence
import streamlit as st
from app.links import keep, kept
from app.settings import METHOD_TITLES
from recam_core.runs.listed import filter_runs, sort_runs
from recam_core.runs.listed import ListedRun
import hashlib
from app.runs.chosen import choose_in_table, table_version
from recam_core.runs.listed import headline


_WHOSE = {"all": None, "own": False, "shipped": True}
#: By the name in the address: how it is called, the order of the core, and whether the largest comes first.
_ORDERS = {
    "newest": ("newest first", "created", True),
    "name": ("name", "name", False),
    "miou": ("best mIoU first", "miou", True),
    "method": ("method", "method", False),
    "data": ("training data", "data", False),
    "size": ("largest first", "size", True),
}


def filter_bar(runs: Sequence[ListedRun]) -> list[ListedRun]:
    """Draw the row; the runs that it lets pass, in its order. The address keeps what is set."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="runs_filter"):
        text = st.text_input(
            "Find",
            value=kept("find"),
            placeholder="name, data, mask=hard, lambda=0.3 …",
            key="runs_find",
            persist_state="session",
            width=260,
        ).strip()
        methods = st.multiselect(
            "Methods",
            list(METHOD_TITLES),
            default=[name for name in kept("methods").split(",") if name in METHOD_TITLES],
            format_func=METHOD_TITLES.__getitem__,
            key="runs_methods",
            persist_state="session",
            placeholder="all",
            width=230,
        )
        order = st.selectbox(
            "Order",
            list(_ORDERS),
            index=list(_ORDERS).index(kept("order")) if kept("order") in _ORDERS else 0,
            format_func=lambda name: _ORDERS[name][0],
            key="runs_order",
            persist_state="session",
            width=170,
        )
        whose = st.segmented_control(
            "Whose",
            list(_WHOSE),
            default=kept("whose") if kept("whose") in _WHOSE else "all",
            required=True,
            format_func={"all": "All", "own": "Yours", "shipped": "Shipped"}.__getitem__,
            key="runs_whose",
            persist_state="session",
        )
        starred = st.toggle("Starred only", value=kept("starred") == "1", key="runs_starred", persist_state="session")
    keep("find", text)
    keep("methods", ",".join(methods))
    keep("order", order, "newest")
    keep("whose", whose, "all")
    keep("starred", "1" if starred else "")
    found = filter_runs(runs, text=text, methods=methods, starred=starred, shipped=_WHOSE[whose])
    _, by, descending = _ORDERS[order]
    return sort_runs(found, by, descending)


#: Taller lists scroll within the table.
_MOST_ROWS, _ROW = 12, 36


def runs_table(runs: Sequence[ListedRun], chosen: Sequence[str]) -> None:
    """Draw the runs; the rows of the chosen ones are marked."""
    keys = [run.key for run in runs]
    # Rows are remembered by their number, so another list, or a choice made elsewhere, is another table.
    identity = hashlib.sha256("\0".join(keys).encode("utf-8", "replace")).hexdigest()[:12]
    key = f"runs_table_{identity}_{table_version()}"

    def pressed() -> None:
        rows = st.session_state[key]["selection"]["rows"]
        choose_in_table([keys[row] for row in rows if row < len(keys)], keys)

    st.dataframe(
        [_row(run) for run in runs],
        key=key,
        hide_index=True,
        width="stretch",
        height=min(len(runs), _MOST_ROWS) * _ROW + _ROW + 4,
        row_height=_ROW,
        placeholder="",
        on_select=pressed,
        selection_mode="multi-row",
        selection_default={"selection": {"rows": [row for row, one in enumerate(keys) if one in chosen]}},
        column_config={
            "★": st.column_config.TextColumn(width=36, help="Starred runs"),
            "run": st.column_config.TextColumn(width="medium", pinned=True),
            "mIoU": st.column_config.NumberColumn(
                format="percent", help="By the run's own rule, on val if it was measured there."
            ),
            "of": st.column_config.TextColumn(help="The split on which the mIoU was measured.", width="small"),
            "λ": st.column_config.NumberColumn(format="%g", width="small"),
            "β": st.column_config.NumberColumn(
                format="%g", width="small", help="Weight of the background row of FC2, where it has one."
            ),
            "made": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm", help="Universal time"),
            "MB": st.column_config.NumberColumn(format="%.0f", width="small"),
        },
        alt="The runs with their methods, settings and scores",
    )


def _row(run: ListedRun) -> dict[str, object]:
    info, score = run.info, headline(run.info)
    has_fc2 = info.method in ("recam", "heads")
    weight, mask, epochs, row = (info.recipe.get(name) for name in ("weight", "mask", "epochs", "background"))
    return {
        "★": "★" if run.starred else "",
        "run": run.name,
        "method": METHOD_TITLES[info.method],
        "mIoU": None if score is None else score.miou,
        "of": "" if score is None else score.split,
        "rule": info.rule.replace("_", " "),
        "λ": float(weight) if has_fc2 and isinstance(weight, (int, float)) else None,
        "β": float(row) if has_fc2 and isinstance(row, (int, float)) and row > 0 else None,
        "mask": mask if has_fc2 and isinstance(mask, str) else "",
        "epochs": epochs if isinstance(epochs, int) else None,
        "trained on": info.data,
        "from": info.parent or "",
        "made": run.created,
        "MB": run.bytes / 1e6,
    }
