"""One session that goes from every page to every other one, with every section opened on the way."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash
from viewer_content import viewer_of

from app import catalogue
from app.pictures import FROM_SET, OWN_PHOTO
from app.screens.theory import SECTIONS as THEORY
from app.shared_state import LAB_DEPTH, LAB_KIND
from recam_core.experiments.questions import QUESTIONS
from recam_core.train.recipe import METHODS

#: What the keys of each page begin with; those of entries that pages share begin with ``shared_``.
PREFIXES = {
    "explore": "explore_",
    "confusions": "confusions_",
    "lab": "lab_",
    "trainings": "training_",
    "results": "results_",
    "runs": "runs_",
    "about": "about_",
    "data": "data_",
    "why": "why_",
    "theory": "theory_",
    "masks": "masks_",
}


def choose(key: str, kind: str = "segmented_control") -> Callable[[AppTest, object], None]:
    """What sets the widget with this key."""
    return lambda page, value: getattr(page, kind)(key=key).set_value(value).run()


def experiment(page: AppTest, value: tuple[str, str]) -> None:
    """An experiment of the Lab; a grid at either depth."""
    kind, depth = value
    page.segmented_control(key=LAB_KIND.key).set_value(kind).run()
    if kind == "grid":
        page.segmented_control(key=LAB_DEPTH.key).set_value(depth).run()


def choose_runs(page: AppTest, how_many: str) -> None:
    """The first runs of the list."""
    field = page.multiselect(key="runs_chosen")
    keys = [entry.key for entry in catalogue.read_catalogue().families[0].entries]
    field.set_value(keys[: {"none": 0, "one": 1, "several": 2}[how_many]]).run()


def nothing(page: AppTest, section: object) -> None:
    """A page of one section has nothing to open."""


#: By page: its sections, and what opens one.
SECTIONS: dict[str, tuple[Sequence, Callable[[AppTest, object], None]]] = {
    "explore": ((FROM_SET, OWN_PHOTO), choose("explore_source")),
    "confusions": (("matrix", "pairs", "classes", "pictures"), choose("confusions_section")),
    "lab": ((*((kind, "heads") for kind in QUESTIONS), ("grid", "full")), experiment),
    "trainings": (METHODS, choose("training_method")),
    "results": (("",), nothing),
    "runs": (("none", "one", "several"), choose_runs),
    "about": (("",), nothing),
    "data": (("zip", "weights"), choose("data_checkpoint_from")),
    "theory": (tuple(THEORY), choose("theory_section")),
    "why": (("runs", "classifier"), choose("why_ask")),
    "masks": ((("direct",), ("irn",)), choose("masks_ways", "pills")),
}


def walk() -> Iterator[tuple[str, object]]:
    """Pages and sections one after the other, until every page has come after two sections of every other one.

    The sections of a page share its followers out. What one leaves behind stays in the session, and meets the others'
    followers later on.
    """
    ahead: dict[tuple[str, int], set[str]] = {}
    for page, (sections, _) in SECTIONS.items():
        others, count = sorted(set(PREFIXES) - {page}), len(sections)
        for place in range(count):
            ahead[page, place] = {other for at, other in enumerate(others) if (at - place) % count in (0, 1)}

    def left(page: str) -> int:
        return sum(len(others) for (of, _), others in ahead.items() if of == page)

    page = next(iter(SECTIONS))
    while any(ahead.values()):
        place = max(range(len(SECTIONS[page][0])), key=lambda place: len(ahead[page, place]))
        yield page, SECTIONS[page][0][place]
        others = ahead[page, place] or set(PREFIXES) - {page}
        following = max(sorted(others), key=left)
        ahead[page, place].discard(following)
        page = following
    yield page, SECTIONS[page][0][0]


@pytest.fixture
def page(repo_root: Path, runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The app on the checkpoints and maps that it ships with, so that no network is run: those of drawn pictures, as
    the photographs that the others were trained on may not be here."""
    drawn = {key: one for key, one in catalogue.SHIPPED.items() if one.pictures.startswith("scenes")}
    monkeypatch.setattr(catalogue, "SHIPPED", drawn)
    monkeypatch.delenv("RECAM_ASSETS", raising=False)
    monkeypatch.setenv("RECAM_RUNS", str(runs))
    monkeypatch.setenv("RECAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("RECAM_DEVICE", "cpu")
    return AppTest.from_file(str(repo_root / "app" / "main.py"), default_timeout=120)


def keys(page: AppTest) -> set[str]:
    """The keys that the session holds; that of a form's button holds the form's."""
    return {key.removeprefix("FormSubmitter:") for key in page.session_state}


def go(page: AppTest, name: str) -> None:
    """Press a page's name at the top. The address is the new page's alone then."""
    page.query_params.clear()
    if not page.session_state:
        page.run()
    page._page_hash = calc_hash(
        "" if name == "explore" else name
    )  # AppTest.switch_page opens pages that are files of their own only
    page.run()


def check(page: AppTest, where: str, name: str, before: set[str]) -> None:
    """The page shows no fault, and what it has put into the session is its own."""
    assert not page.exception, where
    assert not page.error, (where, page.error[0].value)
    foreign = {key for key in keys(page) - before if not key.startswith((PREFIXES[name], "shared_"))}
    assert not foreign, f"{where} keeps what is another page's, or nobody's: {foreign}"


def test_every_page_after_sections_of_every_other(page: AppTest) -> None:
    at = "nothing"
    for name, section in walk():
        before = set() if at == "nothing" else keys(page)
        go(page, name)
        check(page, f"{name} after {at}", name, before)
        SECTIONS[name][1](page, section)
        at = f"{name} at {section}"
        check(page, at, name, before)


def test_a_picture_of_the_list_opens_in_explore(page: AppTest) -> None:
    go(page, "confusions")
    page.segmented_control(key="confusions_section").set_value("pictures").run()
    button = page.button(key="confusions_gallery_0")
    name = button.help.split(":")[0].replace("\\", "")
    button.click().run()
    assert not page.exception
    assert viewer_of(page).titles
    assert any(f"**{name}**" in box.value for box in page.markdown)


# What was chosen goes along -------------------------------------------------------------------------------------------

SMALL = "scenes:size=64,train=6,val=8@val"
BCE, RECAM = "scenes/bce", "scenes/recam"


def confusions_show(page: AppTest) -> tuple:
    """What Confusions is about: family, data, methods, and the threshold for all (None: each its own)."""
    family = page.selectbox(key="confusions_family").value
    return (
        family,
        page.selectbox(key=f"confusions_spec_{family}").value,
        page.multiselect(key=f"confusions_methods_{family}").value,
        None if page.toggle(key="confusions_own").value else page.slider(key="confusions_threshold").value,
    )


def explore_shows(page: AppTest) -> tuple:
    """As of Confusions."""
    family = page.selectbox(key="explore_family").value
    view = viewer_of(page).message["view"]
    return (
        family,
        page.text_input(key=f"explore_spec_{family}").value or catalogue.SHIPPED[family].pictures,
        page.multiselect(key=f"explore_panes_{family}").value,
        view["threshold"] if view.get("cut") == "all" else None,
    )


def fine(page: AppTest) -> None:
    assert not page.exception
    assert not page.error, page.error[0].value
    assert not page.warning, page.warning[0].value


def test_what_was_chosen_goes_along_and_back(page: AppTest) -> None:
    # By default, the lab opens with another family, on which the methods are cut by themselves.
    page.query_params["threshold"] = "0.35"
    page.run()
    assert page.selectbox(key="explore_family").value != "scenes"
    page.selectbox(key="explore_family").set_value("scenes").run()
    page.multiselect(key="explore_panes_scenes").set_value([RECAM, BCE]).run()
    fine(page)
    chosen = ("scenes", "scenes@val", [RECAM, BCE], 0.35)
    assert explore_shows(page) == chosen

    go(page, "confusions")
    fine(page)
    assert confusions_show(page) == chosen
    go(page, "lab")
    fine(page)
    assert page.selectbox(key="lab_family").value == "scenes"
    assert page.selectbox(key="lab_run_scenes").value == BCE
    go(page, "runs")
    fine(page)
    assert page.multiselect(key="runs_chosen").value == [RECAM, BCE]
    assert page.selectbox(key="runs_on_scenes").value == "scenes@val"
    assert page.toggle(key="runs_at_one_threshold").value
    assert "0.35" in page.toggle(key="runs_at_one_threshold").label

    # On Confusions everything is chosen anew, and Explore, where it was chosen first, follows.
    go(page, "confusions")
    assert confusions_show(page) == chosen
    page.slider(key="confusions_threshold").set_value(0.2).run()
    page.multiselect(key="confusions_methods_scenes").set_value([BCE, RECAM]).run()
    fine(page)
    go(page, "explore")
    fine(page)
    assert explore_shows(page) == ("scenes", "scenes@val", [BCE, RECAM], 0.2)
    go(page, "confusions")
    page.toggle(key="confusions_own").set_value(True).run()
    go(page, "explore")
    assert explore_shows(page)[-1] is None

    # So does it when two runs are put side by side on Runs, or another family is taken in the Lab.
    go(page, "runs")
    assert "runs_at_one_threshold" not in [box.key for box in page.toggle]
    page.multiselect(key="runs_chosen").set_value(["contexts/bce", "contexts/recam"]).run()
    fine(page)
    go(page, "explore")
    assert explore_shows(page)[::2] == ("contexts", ["contexts/bce", "contexts/recam"])
    go(page, "lab")
    page.selectbox(key="lab_family").set_value("scenes").run()
    for name, show in (("explore", explore_shows), ("confusions", confusions_show)):
        go(page, name)
        fine(page)
        assert show(page)[::2] == ("scenes", [BCE, RECAM])
    go(page, "runs")
    assert page.multiselect(key="runs_chosen").value == [BCE, RECAM]


def test_data_go_along_where_they_can_be_used(page: AppTest) -> None:
    go(page, "explore")
    page.selectbox(key="explore_family").set_value("scenes").run()
    page.text_input(key="explore_spec_scenes").set_value(SMALL).run()
    page.button(key="explore_thumb_2").click().run()
    fine(page)
    go(page, "confusions")
    fine(page)
    assert page.selectbox(key="confusions_spec_scenes").value == SMALL
    go(page, "lab")
    fine(page)
    assert page.selectbox(key="lab_data_scenes/bce").value == SMALL.replace("@val", "@train")
    assert page.text_input(key="lab_report_scenes/bce").value == "@val"
    # Another split is chosen on Confusions: Explore follows, and each set keeps its picture.
    go(page, "confusions")
    page.selectbox(key="confusions_spec_scenes").set_value("scenes@val").run()
    go(page, "explore")
    fine(page)
    assert page.text_input(key="explore_spec_scenes").value == ""
    page.text_input(key="explore_spec_scenes").set_value(SMALL).run()
    assert page.session_state["explore_picture_order"][::2] == (SMALL, 2)
    go(page, "confusions")
    assert page.selectbox(key="confusions_spec_scenes").value == SMALL
    go(page, "explore")

    # What Confusions cannot score stays in Explore, and what is gone stays where it was typed.
    for spec in ("gallery", "voc:nowhere@val"):
        page.text_input(key="explore_spec_scenes").set_value(spec).run()
        for name, key in (("confusions", "confusions_spec_scenes"), ("lab", "lab_data_scenes/bce")):
            go(page, name)
            fine(page)
            shown = page.selectbox(key=key).value
            assert shown.partition("@")[0] == SMALL.partition("@")[0]
        go(page, "explore")
        assert page.text_input(key="explore_spec_scenes").value == spec
        assert not page.exception
    page.text_input(key="explore_spec_scenes").set_value("").run()
    go(page, "confusions")
    fine(page)
    assert page.selectbox(key="confusions_spec_scenes").value == "scenes@val"


def test_an_address_counts_more_than_what_was_chosen_elsewhere(page: AppTest) -> None:
    go(page, "confusions")
    page.selectbox(key="confusions_family").set_value("scenes").run()
    page.query_params.clear()
    page.query_params["family"] = "contexts"
    page._page_hash = calc_hash("lab")
    page.run()
    fine(page)
    assert page.selectbox(key="lab_family").value == "contexts"
    go(page, "confusions")
    assert page.selectbox(key="confusions_family").value == "contexts"
