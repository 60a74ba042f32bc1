"""The app's pages without a browser, on checkpoints that are made for them."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import pytest
from streamlit.runtime.scriptrunner_utils.script_requests import RerunData
from streamlit.testing.v1 import AppTest, local_script_runner
from streamlit.util import calc_hash
from tiny_families import TINY_SCENES, write_family

from app import catalogue
from app.explore import picker


@pytest.fixture(scope="session")
def assets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An assets folder with both shipped families."""
    folder = tmp_path_factory.mktemp("assets")
    write_family(folder / "checkpoints" / "scenes", TINY_SCENES, 0.3)
    write_family(folder / "checkpoints" / "photos", "gallery", None)
    return folder


@pytest.fixture(autouse=True)
def families(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests on the tiny families open with the scenes, whatever the app that ships opens with."""
    if "assets" in request.fixturenames:
        scenes_first = {"scenes": catalogue.SHIPPED["scenes"]} | catalogue.SHIPPED
        monkeypatch.setattr(catalogue, "SHIPPED", scenes_first)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """The folder in which the app keeps runs."""
    return tmp_path / "runs"


@pytest.fixture
def opened(
    assets: Path, runs: Path, tmp_path: Path, repo_root: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., AppTest]:
    """``opened(**address)`` runs the app with these query parameters, on the CPU; ``at`` names another page than
    Explore."""
    monkeypatch.setenv("RECAM_ASSETS", str(assets))
    monkeypatch.setenv("RECAM_RUNS", str(runs))
    monkeypatch.setenv("RECAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("RECAM_DEVICE", "cpu")
    monkeypatch.setattr(picker, "PICTURES_A_PAGE", 7)

    def run(at: str = "", **address: str) -> AppTest:
        page = AppTest.from_file(str(repo_root / "app" / "main.py"), default_timeout=300)
        for name, value in address.items():
            page.query_params[name] = value
        if at:
            page._page_hash = calc_hash(at)
        page.run()
        assert not page.exception
        return page

    return run


@pytest.fixture
def in_part(monkeypatch: pytest.MonkeyPatch) -> Callable[[AppTest, int], AbstractContextManager[None]]:
    """``with in_part(page, 0):`` runs the first of the parts that a page has drawn by themselves, and not the page, as
    a browser does when something is changed there."""

    @contextmanager
    def part(page: AppTest, number: int) -> Iterator[None]:
        parents = page._fragment_storage._parent_by_id
        name = [one for one, parent in parents.items() if parent is None][number]
        with monkeypatch.context() as patch:
            patch.setattr(local_script_runner, "RerunData", partial(RerunData, fragment_id=name))
            yield
        assert not page.exception

    return part
