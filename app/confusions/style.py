"""The few rules of style that this page has beyond those of the app."""

import streamlit as st

_RULES = """
<style>
/* Galleries: as many pictures side by side as have room; the count of pixels stands on the picture. */
[class*="st-key-confusions_gallery_pictures_"] { display: grid !important; gap: 0.6rem; }
.st-key-confusions_gallery_pictures_3 { grid-template-columns: repeat(auto-fill, minmax(min(10.5rem, 45%), 1fr)); }
.st-key-confusions_gallery_pictures_6 { grid-template-columns: repeat(auto-fill, minmax(min(12rem, 45%), 1fr)); }
[class*="st-key-confusions_gallery_pictures_"] > div { width: 100% !important; }
[class*="st-key-confusions_gallery_pictures_"] button { aspect-ratio: 1; width: 100%; min-height: 0; padding: 0.35rem;
  background-size: cover; background-position: center; background-repeat: no-repeat; overflow: hidden;
  align-items: flex-end; justify-content: flex-start; transition: transform 120ms, box-shadow 120ms; }
[class*="st-key-confusions_gallery_pictures_"] button:hover {
  transform: translateY(-2px); box-shadow: 0 4px 14px #0004; }
[class*="st-key-confusions_gallery_pictures_"] button p { font-size: 0.74rem; line-height: 1.4; padding: 0 0.4rem;
  border-radius: 0.3rem; color: #fff; background: #10181bcc; }
[class*="st-key-confusions_gallery_one_"] > div { width: 100% !important; }
[class*="st-key-confusions_gallery_pictures_"] [class*="st-key-confusions_gallery_why_"] button { aspect-ratio: auto;
  min-height: 1.9rem; padding: 0 0.2rem; justify-content: flex-start; }
[class*="st-key-confusions_gallery_pictures_"] [class*="st-key-confusions_gallery_why_"] button:hover {
  transform: none; box-shadow: none; }
[class*="st-key-confusions_gallery_pictures_"] [class*="st-key-confusions_gallery_why_"] button p { color: inherit;
  background: none; padding: 0; font-size: 0.78rem; }
@media (prefers-reduced-motion: reduce) { [class*="st-key-confusions_gallery_pictures_"] button { transition: none; } }
.method-row { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: 0.8rem; }
.method-card { border: 1px solid var(--st-border-color, #8884); border-radius: 0.5rem; padding: 0.55rem 0.9rem;
  display: flex; flex-wrap: wrap; gap: 0.1rem 1.1rem; align-items: baseline; }
.method-card b { flex-basis: 100%; font-weight: 600; display: flex; justify-content: space-between; }
.method-card b small, .method-card span small { font-weight: 400; opacity: 0.7; }
.method-card span { font-size: 0.86rem; white-space: nowrap; }
.method-card strong { font-size: 1.05rem; font-weight: 600; font-variant-numeric: tabular-nums; }
/* A matrix is for a wide window; in a narrow one its cells are too small for a finger, and lists stand in its place. */
.st-key-confusions_matrix_lists { display: none; }
.st-key-confusions_matrix_lists { gap: 0.35rem; }
.st-key-confusions_matrix_lists button { justify-content: flex-start; min-height: 2.75rem; overflow: hidden; }
.st-key-confusions_matrix_lists button > div { justify-content: flex-start; width: auto; }
@media (max-width: 640px) {
  .st-key-confusions_matrix { display: none; }
  .st-key-confusions_matrix_lists { display: flex; }
}
.ramp { height: 0.6rem; width: 7rem; border-radius: 0.3rem; display: inline-block; }
</style>
"""


def apply() -> None:
    """Send the rules with the page."""
    st.html(_RULES)
