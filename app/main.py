"""The app: ``streamlit run app/main.py``. Each page is a file in ``app/screens``."""

import gc
import sys
from pathlib import Path

import streamlit as st
from streamlit import net_util

# Streamlit puts this file's folder on the path; the packages ``app`` and ``recam_core`` are one above.
ROOT = str(Path(__file__).resolve().parent.parent)
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)

from app import sign_in, style  # noqa: E402
from app.chart import charts_by_touch, charts_soon  # noqa: E402
from app.first_screen import is_presenting  # noqa: E402
from app.jobs import ended_meanwhile  # noqa: E402
from app.links import back_leaves_the_page, remember_pages  # noqa: E402
from app.places import welcome  # noqa: E402
from app.screens import about, confusions, data, explore, lab, results, runs, theory, trainings, why  # noqa: E402
from app.visitor import give_cookie  # noqa: E402

#: Seconds that a thread may keep the interpreter while another one wants it; Python's own is ten times that.
_TURN = 0.0005


@st.cache_resource(show_spinner=False)
def take_short_turns() -> None:
    """A page sends each of its hundred parts by a call that lets go of the interpreter. While other pages are drawn, or
    a job works, it has it back a turn later: a hundred turns are what a visitor waits for. Once a server."""
    sys.setswitchinterval(_TURN)


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


def main() -> None:
    """Draw what all pages share, then the chosen page."""
    st.set_page_config(page_title="ReCAM Lab", page_icon=str(Path(__file__).with_name("icon.png")), layout="wide")
    leave_imports_alone()
    take_short_turns()
    ask_nobody_outside()
    style.apply()
    pages = {
        "explore": st.Page(explore.main, title="Explore", icon=":material/compare:", url_path="explore", default=True),
        "confusions": st.Page(confusions.main, title="Confusions", icon=":material/grid_on:", url_path="confusions"),
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
    page = st.navigation(list(pages.values()), position="top" if admitted else "hidden")
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
    charts_soon()
    back_leaves_the_page()
    give_cookie()


main()
