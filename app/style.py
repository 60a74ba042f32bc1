"""The few rules of style that Streamlit's theme has no option for."""

import streamlit as st

_RULES = """
<style>
.block-container, [data-testid="stMainBlockContainer"] { padding: 4.2rem 2.5rem 3rem; }
/* Explore: title, sentence and picture stand close together, so that the panes are seen with them. */
.st-key-explore_top h1 { font-size: 1.4rem; padding: 0; }
.st-key-explore_top [data-testid="stMarkdownContainer"] { margin: 0; }
.st-key-explore_top p { margin: 0; font-size: 0.95rem; }
.st-key-explore_lead p { font-size: 1.05rem; }
.st-key-explore_lead:empty { display: none; }
.st-key-explore_heading button { min-height: 2rem; padding: 0.1rem 0.7rem; }
@media (max-width: 640px) {
  .block-container, [data-testid="stMainBlockContainer"] { padding: 4rem 1rem 2rem; }
  .st-key-explore_top h1 { font-size: 1.25rem; }
  .st-key-explore_present_start { display: none; }
}
/* Thumbnails are buttons, so that they are reached and pressed by keyboard; their label is for screen readers. */
.st-key-explore_thumbnails button { aspect-ratio: 1; width: 100%; min-height: 0; padding: 0; background-size: cover;
  background-position: center; overflow: hidden; }
.st-key-explore_thumbnails button p { position: absolute; clip-path: inset(50%); width: 1px; height: 1px;
  overflow: hidden; }
/* The mark on a picture that tells nothing; which ones have it, and its words, come with the thumbnails. */
.st-key-explore_thumbnails button::after { position: absolute; left: 0; right: 0; bottom: 0; font-size: 0.66rem;
  line-height: 1.5; color: #fff; background: #10181bcc; }
.st-key-explore_thumbnails [data-testid="stHorizontalBlock"] { flex-wrap: nowrap; gap: 0.5rem; }
.st-key-explore_thumbnails [data-testid="stColumn"] { min-width: 0; flex: 1 1 0; }
/* Why: the photos under the evidence and under a channel are looked at, not studied pixel by pixel. */
.st-key-why_parts img, .st-key-why_channels img { max-width: 30rem; }
.st-key-why_answer p { font-size: 1.05rem; }
.legend { display: flex; flex-wrap: wrap; gap: 0.35rem 1.1rem; font-size: 0.86rem; align-items: center; }
.legend span { display: inline-flex; align-items: center; gap: 0.4rem; }
.legend img, .legend i { height: 1.05rem; width: 1.6rem; border-radius: 0.2rem; display: inline-block; flex: none; }
.legend img.bar { width: 9rem; }
</style>
"""


def apply() -> None:
    """Send the rules with the page."""
    st.html(_RULES)
