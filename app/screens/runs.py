"""Runs: all that there are, what can be done with them, and how they compare."""

import streamlit as st

from app.catalogue import read_catalogue
from app.plain_words import plain
from app.runs.actions import actions, import_panel, show_faults
from app.runs.chosen import chosen_field, chosen_keys, share_runs, take_runs
from app.runs.comparison import comparison
from app.runs.one_run import one_run
from app.runs.plain_table import send_style
from app.runs.table import filter_bar, runs_table
from recam_core.runs.listed import list_runs


def main() -> None:
    """Draw the page."""
    send_style()
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"):
        st.title("Runs", width="content")
        import_panel()
    found = list_runs()
    for fault in found.faults:
        st.warning(f"Left out: {plain(fault)}", icon=":material/broken_image:")
    show_faults()
    if not found.runs:
        st.info(
            "There are no runs yet: import one, or make one on the page *Explore* or by `python -m recam_core train`.",
            icon=":material/inventory_2:",
        )
        return
    by_key = {run.key: run for run in found.runs}
    catalogue = read_catalogue()
    take_runs(catalogue)
    keys = chosen_keys(by_key)
    shown = filter_bar(found.runs)
    if shown:
        runs_table(shown, keys)
    else:
        st.info(f"None of the {len(by_key)} runs is like that; loosen the filters.", icon=":material/filter_alt_off:")
    chosen_field({key: run.name for key, run in by_key.items()})
    chosen = [by_key[key] for key in keys]
    share_runs(chosen, catalogue)
    if not chosen:
        st.caption("Mark a run to see its settings, rename, export or delete it; mark several to compare them.")
        return
    actions(chosen, found.runs, catalogue)
    if len(chosen) == 1:
        one_run(chosen[0])
    else:
        comparison(chosen, catalogue)
