"""One session that goes from every page to every other one, with every section opened on the way."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash
from viewer_content import viewer_of

from app import catalogue
from app.lab.kinds import KINDS
from app.picker import FROM_SET, OWN_PHOTO
from app.shared_state import LAB_DEPTH, LAB_KIND
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
    "lab": ((*((kind, "heads") for kind in KINDS), ("grid", "full")), experiment),
    "trainings": (METHODS, choose("training_method")),
    "results": (("",), nothing),
    "runs": (("none", "one", "several"), choose_runs),
    "about": (("",), nothing),
    "data": (("zip", "weights"), choose("data_checkpoint_from")),
}


def walk() -> Iterator[tuple[str, object]]:
    """Pages and sections one after the other, until every page has come after every section of every other one."""
    ahead = {(page, place): set(PREFIXES) - {page} for page in SECTIONS for place in range(len(SECTIONS[page][0]))}

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
    page._page_hash = calc_hash(name)  # AppTest.switch_page opens pages that are files of their own only
    page.run()


def check(page: AppTest, where: str, name: str, before: set[str]) -> None:
    """The page shows no fault, and what it has put into the session is its own."""
    assert not page.exception, where
    assert not page.error, (where, page.error[0].value)
    foreign = {key for key in keys(page) - before if not key.startswith((PREFIXES[name], "shared_"))}
    assert not foreign, f"{where} keeps what is another page's, or nobody's: {foreign}"


def test_every_page_after_every_section_of_every_other(page: AppTest) -> None:
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
