"""The few rules of style that this page has beyond those of the app."""

import streamlit as st

_RULES = """
<style>
.plain-table { overflow-x: auto; border: 1px solid var(--st-border-color, #8884); border-radius: 0.5rem; }
.plain-table table { border-collapse: collapse; width: 100%; font-size: 0.88rem; font-variant-numeric: tabular-nums; }
.plain-table th, .plain-table td { text-align: left; padding: 0.32rem 0.8rem; vertical-align: top;
  border-bottom: 1px solid color-mix(in srgb, currentColor 12%, transparent); overflow-wrap: anywhere; }
.plain-table tr:last-child > * { border-bottom: none; }
.plain-table thead th { font-weight: 600; overflow-wrap: normal; min-width: 4.6rem;
  background: color-mix(in srgb, currentColor 5%, transparent); }
.plain-table tbody th { font-weight: 400; opacity: 0.75; white-space: nowrap; }
.plain-table td.none { opacity: 0.45; }
.plain-table td.number { text-align: right; white-space: nowrap; }
.plain-table thead th.number { text-align: right; }
.plain-table td.up { color: var(--runs-up); } .plain-table td.down { color: var(--runs-down); }
</style>
"""


def apply() -> None:
    """Send the rules with the page."""
    st.html(_RULES)
