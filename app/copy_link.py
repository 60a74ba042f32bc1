"""Copy link: one press puts the address that the browser uses into the clipboard, and says for whom it works."""

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

_HTML = """
<button type="button" class="copy" aria-expanded="false" title="Copy the address of this view">
  <svg viewBox="0 0 20 20" aria-hidden="true"><path d="M8.5 11.5a3 3 0 0 0 4.3 0l2.9-2.9a3 3 0 0 0-4.3-4.3l-1.2 1.2"/>
  <path d="M11.5 8.5a3 3 0 0 0-4.3 0l-2.9 2.9a3 3 0 0 0 4.3 4.3l1.2-1.2"/></svg>Copy link
</button>
<div class="said" role="status" hidden>
  <strong></strong>
  <input type="text" readonly aria-label="Address of this view">
  <p class="here" hidden>This address works on this computer only: others need the lab under a name or number of their
  network.</p>
  <div class="notes"></div>
</div>
"""
_CSS = """
:host { display: block; position: relative; font-family: var(--st-font); color: var(--st-text-color); }
[hidden] { display: none !important; }
.copy { display: inline-flex; align-items: center; gap: 0.4rem; min-height: 2rem; padding: 0.1rem 0.7rem; font: inherit;
  color: inherit; white-space: nowrap; background: var(--st-background-color); cursor: pointer;
  border: 1px solid var(--st-border-color); border-radius: var(--st-base-radius); }
.copy:hover { border-color: var(--st-primary-color); color: var(--st-primary-color); }
:is(.copy, input):focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
.copy svg { width: 1.1rem; height: 1.1rem; fill: none; stroke: currentColor; stroke-width: 1.6; stroke-linecap: round; }
.said { position: fixed; z-index: 1000; width: min(24rem, calc(100vw - 2rem)); padding: 0.7rem 0.9rem;
  box-sizing: border-box; background: var(--st-background-color); border: 1px solid var(--st-border-color);
  border-radius: var(--st-base-radius); box-shadow: 0 4px 16px rgb(0 0 0 / 0.22); font-size: 0.9rem; }
.said p { margin: 0.4rem 0 0; }
.said input { display: block; width: 100%; box-sizing: border-box; margin-top: 0.4rem; padding: 0.3rem 0.45rem;
  font: inherit; color: inherit; background: var(--st-secondary-background-color);
  border: 1px solid var(--st-border-color); border-radius: var(--st-base-radius); }
"""
_component = st.components.v2.component(
    "recam_copy_link", html=_HTML, css=_CSS, js=Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
)


def copy_link(notes: Sequence[str] = (), *, key: str) -> None:
    """A button that copies the address of the page as it stands.

    Args:
        notes: sentences about what the address holds, shown below it.
        key: of the component.
    """
    _component(key=key, data={"notes": list(notes)}, width="content", height="content")
