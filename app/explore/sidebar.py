"""The sidebar of Explore, below the picture: which panes there are, and how their maps are made."""

from collections.abc import Collection
from dataclasses import dataclass

import streamlit as st

from app.attributions import HEADS, methods_help
from app.carried import choose_runs
from app.catalogue import Entry, Family
from app.links import as_list, from_list, keep, kept
from app.map_cache import Inference
from app.recipe_fields import rule_name, rules_help
from recam_core.attribution.table import METHODS
from recam_core.checkpoint.run_folder import rules_of_run
from recam_core.maps.inference import PAPER_SCALES, QUICK_SCALES
from recam_core.method.extraction import RULES

#: More panes than this leave none of them enough room.
MOST_PANES = 6
_AS_TRAINED = "as trained"
_SCALES = {
    "1 and 2 (as scored)": QUICK_SCALES,
    "1 alone (quickest)": (1.0,),
    "0.5, 1, 1.5 and 2 (the paper's)": PAPER_SCALES,
}


@dataclass(frozen=True)
class WantedPanes:
    """What is chosen in the sidebar.

    Attributes:
        entries: the runs.
        rule: the extraction rule that those take which can; None leaves each its own.
        how: the inference settings.
        attributions: (run, method, head) of each pane of another attribution method.
    """

    entries: list[Entry]
    rule: str | None
    how: Inference
    attributions: list[tuple[Entry, str, str]]


def restore_methods(family: Family, runs: list[str]) -> None:
    """Set the controls to what the address says.

    Args:
        family: that is looked with.
        runs: keys that the address names, also of other families.
    """
    keys = {entry.key for entry in family.entries}
    if known := [key for key in runs if key in keys]:
        st.session_state[f"explore_panes_{family.key}"] = known[:MOST_PANES]
    if kept("rule") in _rules(family):
        st.session_state["explore_rule"] = kept("rule")
    if kept("scales") in _SCALES:
        st.session_state["explore_scales"] = kept("scales")
    st.session_state["explore_attributions"] = [name for name in from_list(kept("attributions")) if name in METHODS]
    if asked := [key for key in from_list(kept("attributed")) if key in keys]:
        st.session_state[f"explore_attributed_{family.key}"] = asked
    if kept("explains") in HEADS:
        st.session_state["explore_attribution_head"] = kept("explains")


def choose_methods(family: Family) -> WantedPanes:
    """The controls of methods and maps, and of other attribution methods."""
    entries, rule, how = _runs_and_maps(family)
    return WantedPanes(entries, rule, how, _attributions(family, entries))


def _runs_and_maps(family: Family) -> tuple[list[Entry], str | None, Inference]:
    """Which runs are shown, and how their maps are made."""
    rules = _rules(family)
    _add_kept_run(family, {entry.key for entry in family.entries})
    with st.expander("Methods and maps"):
        help = "The shipped methods, and runs of yours that know the same classes."
        chosen = choose_runs(family, "Panes", "explore_panes", MOST_PANES, help)
        rule = st.selectbox(
            "Extraction rule of ReCAM",
            [_AS_TRAINED, *rules],
            key="explore_rule",
            persist_state="session",
            format_func=rule_name,
            help="How the weights w of FC1 and w' of FC2 become the weights of the map. A run that cannot be read by "
            "the chosen rule keeps its own.\n" + rules_help(rules),
        )
        scales = st.selectbox(
            "Scales",
            list(_SCALES),
            key="explore_scales",
            persist_state="session",
            help="Maps of the picture at several sizes are summed. More scales give finer maps, and take longer.",
        )
        mirror = st.toggle(
            "Mirror image too",
            value=True,
            key="explore_mirror",
            persist_state="session",
            help="Add the maps of the mirrored picture.",
        )
    keep("rule", rule, _AS_TRAINED)
    keep("scales", scales, next(iter(_SCALES)))
    how = Inference(_SCALES[scales], mirror)
    return chosen, None if rule == _AS_TRAINED else rule, how


def _attributions(family: Family, entries: list[Entry]) -> list[tuple[Entry, str, str]]:
    """(run, method, head) of the attribution panes that are chosen."""
    if not entries and not family.entries:
        return []
    by_key = {entry.key: entry for entry in family.entries}
    of = f"explore_attributed_{family.key}"
    usual = [(entries or family.entries)[0].key]
    st.session_state[of] = [key for key in st.session_state.get(of, usual) if key in by_key] or usual
    with st.expander("Other attribution methods", expanded=bool(st.session_state.get("explore_attributions"))):
        methods = st.multiselect(
            "Panes of",
            list(METHODS),
            format_func=lambda key: METHODS[key].title,
            key="explore_attributions",
            persist_state="session",
            placeholder="None",
            help="What other methods see in the same network, as panes beside the others. What takes long is told "
            "first, and made after a press.\n" + methods_help(),
        )
        runs = st.multiselect(
            "Asked of",
            list(by_key),
            format_func=lambda key: by_key[key].title,
            key=of,
            persist_state="session",
            disabled=not methods,
        )
        head = st.selectbox(
            "They explain",
            list(HEADS),
            format_func=HEADS.__getitem__,
            key="explore_attribution_head",
            persist_state="session",
            disabled=not methods,
            help="The logits of FC1 or of FC2, or those of the weights that make the run's own map. A run without FC2 "
            "explains FC1.",
        )
    keep("attributions", as_list(methods))
    keep("attributed", as_list(runs if methods else usual), as_list(usual))
    keep("explains", head if methods else "rule", "rule")
    return [(by_key[key], method, head) for method in methods for key in runs]


def _rules(family: Family) -> list[str]:
    """The extraction rules that at least one run of the family can be read by."""
    found = {rule for entry in family.entries for rule in rules_of_run(entry.info)}
    return [rule for rule in RULES if rule in found]


def _add_kept_run(family: Family, known: Collection[str]) -> None:
    """Put a run that was kept a moment ago among the chosen panes."""
    key, added = st.session_state.get("explore_add_pane", ("", ""))
    if key == family.key and added in known:
        del st.session_state["explore_add_pane"]
        chosen = st.session_state.get(f"explore_panes_{family.key}", [entry.key for entry in family.first_choice])
        st.session_state[f"explore_panes_{family.key}"] = [*chosen[: MOST_PANES - 1], added]
