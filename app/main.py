"""The app: ``streamlit run app/main.py``. Each page is a file in ``app/screens``."""

import gc
import sys
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit import config, net_util, type_util

# Streamlit puts this file's folder on the path; the packages ``app`` and ``recam_core`` are one above.
ROOT = str(Path(__file__).resolve().parent.parent)
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)

from app import sign_in  # noqa: E402
from app.chart import charts_by_touch, charts_keep_zoom, charts_soon  # noqa: E402
from app.explore.first_screen import is_presenting  # noqa: E402
from app.jobs import ended_meanwhile  # noqa: E402
from app.links import back_leaves_the_page, remember_pages  # noqa: E402
from app.screens import about, confusions, data, explore, lab, masks, results, runs, theory, trainings, why  # noqa: E402
from app.shared_state import PAGES  # noqa: E402
from app.visitors import give_cookie, welcome  # noqa: E402

#: Seconds that a thread may keep the interpreter while another one wants it; Python's own is ten times that.
_SWITCH_INTERVAL = 0.0005
#: The few rules of style that Streamlit's theme has no option for.
_STYLE = """
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


@st.cache_resource(show_spinner=False)
def switch_threads_often() -> None:
    """A page sends each of its hundred parts by a call that lets go of the interpreter. While other pages are drawn, or
    a job works, it has it back an interval later: a hundred intervals are what a visitor waits for. Once a server."""
    sys.setswitchinterval(_SWITCH_INTERVAL)


@st.cache_resource(show_spinner=False)
def leave_imports_alone() -> None:
    """What the imports made stays for good: looking through half a million objects again and again, as the collector
    of cycles does while a large data set is opened, takes a third of a second each time.

    Once for all runs of this script. Asking the collector whether it was done is no way: it counts those objects, and
    every press on any page would wait for it.
    """
    gc.freeze()


@st.cache_resource(show_spinner=False)
def ask_nobody_outside() -> None:
    """Have Streamlit refuse a page of another origin at once.

    It would ask a server on the internet for this machine's public address first, and all visitors wait until that is
    answered: seconds, each time, where a firewall drops it.
    """
    net_util.get_external_ip = lambda: None


@st.cache_resource(show_spinner=False)
def answer_once() -> None:
    """Have Streamlit remember what it works out anew for each run of the script, though it does not change. Once a
    server.

    The options of each part of the theme, which go to the browser with every run, are looked for among all options
    there are; and for every argument of a function whose results are kept, its signature is read anew. Together that
    was a tenth of what a press on Explore costs the server.
    """
    asked = config.get_options_for_section
    sections = lru_cache(asked)

    @wraps(asked)
    def options(section: str) -> dict[str, Any]:
        return dict(sections(section))  # who is told may change it

    config.on_config_parsed(sections.cache_clear, force_connect=True)
    config.get_options_for_section = options
    type_util.get_func_parameters = lru_cache(1024)(type_util.get_func_parameters)


def explore_by_name() -> None:
    """Streamlit answers for the first page at the root alone, and people type its name, as they see those of others."""
    st.switch_page(PAGES.get({})["explore"], query_params=st.query_params.to_dict())


def main() -> None:
    """Draw what all pages share, then the chosen page."""
    st.set_page_config(page_title="ReCAM Lab", page_icon=str(Path(__file__).with_name("icon.png")), layout="wide")
    leave_imports_alone()
    switch_threads_often()
    ask_nobody_outside()
    answer_once()
    st.html(_STYLE)
    pages = {
        "explore": st.Page(explore.main, title="Explore", icon=":material/compare:", url_path="", default=True),
        "confusions": st.Page(confusions.main, title="Confusions", icon=":material/grid_on:", url_path="confusions"),
        "masks": st.Page(masks.main, title="Masks", icon=":material/gesture_select:", url_path="masks"),
        "why": st.Page(why.main, title="Why", icon=":material/quiz:", url_path="why"),
        "lab": st.Page(lab.main, title="Lab", icon=":material/science:", url_path="lab"),
        "trainings": st.Page(trainings.main, title="Training", icon=":material/model_training:", url_path="trainings"),
        "results": st.Page(results.main, title="Results", icon=":material/leaderboard:", url_path="results"),
        "data": st.Page(data.main, title="Data", icon=":material/photo_library:", url_path="data"),
        "runs": st.Page(runs.main, title="Runs", icon=":material/folder_open:", url_path="runs"),
        "theory": st.Page(theory.main, title="Theory", icon=":material/school:", url_path="theory"),
        "about": st.Page(about.main, title="About the method", icon=":material/menu_book:", url_path="about"),
    }
    remember_pages(pages)
    admitted = sign_in.is_admitted()
    by_name = st.Page(explore_by_name, title="Explore", url_path="explore", visibility="hidden")
    page = st.navigation([*pages.values(), by_name], position="top" if admitted else "hidden")
    if not admitted:
        sign_in.ask()
        return
    welcome()  # after the gate: who is not let in gets no folder
    ended_meanwhile()  # what an interrupted run noted
    page.run()
    if ended_meanwhile():
        st.rerun()
    if not is_presenting():
        sign_in.sign_out()
    charts_by_touch()
    charts_keep_zoom()
    charts_soon()
    back_leaves_the_page()
    give_cookie()


main()
