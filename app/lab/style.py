"""The few rules of style that this page has beyond those of the app."""

import streamlit as st

_RULES = """
<style>
.legend i.lab-dot, .legend i.lab-ring { width: 0.7rem; height: 0.7rem; border-radius: 50%; border: 2px solid; }
.legend i.lab-ring { width: 0.95rem; height: 0.95rem; }
.legend i.lab-cell { width: 1rem; height: 1rem; border: 3px solid; border-radius: 3px; }
.legend i.lab-line { width: 1.3rem; height: 2px; border-radius: 0; }
.legend i.lab-bar { width: 5px; height: 1rem; border-radius: 3px; opacity: 0.45; }
.legend i.ramp { width: 7rem; height: 0.6rem; }
.lab-parts { display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: 0.6rem; }
.lab-parts div { border: 1px solid var(--st-border-color, #8884); border-radius: 0.5rem; padding: 0.45rem 0.8rem;
  font-size: 0.86rem; overflow-wrap: anywhere; }
.lab-parts b { display: block; font-weight: 600; }
.lab-parts small { opacity: 0.7; font-size: 0.8rem; }
.lab-sentence { border-left: 4px solid var(--st-primary-color, #0f7c90); padding: 0.2rem 0 0.2rem 0.9rem;
  font-size: 1.06rem; line-height: 1.5; max-width: 62rem; margin: 0; overflow-wrap: anywhere; }
</style>
"""


def apply() -> None:
    """Send the rules with the page."""
    st.html(_RULES)
