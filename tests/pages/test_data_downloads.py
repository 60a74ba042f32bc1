"""The Data page's downloads, and the pages that need what they bring, against a server on this machine."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from test_walk import go
from tiny_families import write_family

from app import recorded_pictures
from app.data_page.downloads_section import DownloadJob
from app.jobs import board
from msrc_archive import msrc_files, zipped
from recam_core.checkpoint.run_folder import INFO_FILE
from recam_core.data import download as module
from recam_core.data import fetch
from recam_core.data.download import SOURCES, Source
from recam_core.data.msrc import CLASSES, convert
from recam_core.data.sample import ClassList
from recam_core.progress import ProgressFn
from served_files import Server, archive_of, serving

IDS = {"train": ["1_1", "2_2", "3_3", "4_4", "5_5", "6_6"], "val": ["7_7", "8_8"]}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(fetch, "BLOCK", 1000)
    with serving() as served:
        yield served


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RECAM_DATA", str(tmp_path / "served"))
    recorded_pictures.look_again()
    return tmp_path / "served"


@pytest.fixture
def tiny(server: Server, root: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    """MSRC v2 with a handful of pictures, from the local server."""
    server.files["msrc.zip"] = zipped(msrc_files([identifier for ids in IDS.values() for identifier in ids]))
    source = Source(
        **{
            **vars(SOURCES["msrc_v2"]),
            "archives": (archive_of(server, "msrc.zip"),),
            "unpack": lambda archives, target, progress: convert(archives[0], target, progress, IDS),
            "disk_bytes": 0,
        }
    )
    monkeypatch.setitem(SOURCES, "msrc_v2", source)
    return source


@pytest.fixture
def photos(
    tmp_path: Path, repo_root: Path, monkeypatch: pytest.MonkeyPatch, opened: Callable[..., AppTest]
) -> Callable[..., AppTest]:
    """The app with one family, of MSRC's classes, whose record names a folder that is not there."""
    folder = tmp_path / "assets" / "checkpoints" / "photos"
    write_family(folder, "gallery", None, ClassList(CLASSES, has_background=False))
    for record in folder.rglob(INFO_FILE):
        text = record.read_text().replace("voc:nowhere/photos@train", "voc:../elsewhere/msrc_v2@train")
        record.write_text(text.replace('"miou": 0', '"data": "voc:../elsewhere/msrc_v2@val", "miou": 0'))

    def run(**address: str) -> AppTest:
        monkeypatch.setenv("RECAM_ASSETS", str(tmp_path / "assets"))
        page = AppTest.from_file(str(repo_root / "app" / "main.py"), default_timeout=300)
        for name, value in address.items():
            page.query_params[name] = value
        page.run()
        assert not page.exception
        return page

    return run


def texts(page: AppTest) -> str:
    kinds = ("markdown", "code", "warning", "success", "error", "caption", "info")
    return "\n".join(one.value for kind in kinds for one in getattr(page, kind))


def job_of(page: AppTest) -> DownloadJob:
    named = page.query_params["download"]
    return board().find(named if isinstance(named, str) else named[0])


def until_over(page: AppTest) -> None:
    deadline = time.monotonic() + 60
    job = job_of(page)
    while not job.is_over:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    page.run()
    assert not page.exception


def test_every_download_has_its_card(opened: Callable[..., AppTest], root: Path) -> None:
    page = opened()
    go(page, "data")
    shown = texts(page)
    for name, source in SOURCES.items():
        assert source.title in shown
        assert source.terms in shown
        assert page.button(key=f"data_download_{name}").label == "Download"


def test_a_download_from_the_page(photos: Callable[..., AppTest], tiny: Source, root: Path) -> None:
    page = photos()
    go(page, "data")
    page.button(key="data_download_msrc_v2").click().run()
    until_over(page)
    assert "It is here" in texts(page)
    assert sorted(path.name for path in root.iterdir()) == ["msrc_v2"]
    page.button(key="data_show_msrc_v2").click().run()
    assert page.selectbox(key="data_set").value == "msrc_v2"
    assert page.code[0].value == f"voc:{root}/msrc_v2@val"


def test_a_download_is_cancelled_and_taken_up(
    photos: Callable[..., AppTest],
    tiny: Source,
    server: Server,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reached, go_on = threading.Event(), threading.Event()

    def gated(source: Source, to: Path, progress: ProgressFn) -> Path:
        """As the real one, but it stops in the middle until the test lets it go on."""

        def told(done: int, total: int, note: str) -> None:
            if done >= 3000:
                reached.set()
                go_on.wait(120)
            progress(done, total, note)

        return real(source, to, told)

    real = module.download
    monkeypatch.setattr("app.data_page.downloads_section.download", gated)
    page = photos()
    go(page, "data")
    page.button(key="data_download_msrc_v2").click().run()
    job = job_of(page)
    assert reached.wait(60)
    # Another look at the page, without the address that names the job: it runs for everybody.
    again = photos()
    go(again, "data")
    again.button(key=f"data_download_cancel_{job.id}").click().run()
    go_on.set()
    until_over(page)
    assert "Cancelled" in texts(page)
    assert page.button(key="data_download_msrc_v2").label == "Resume"
    page.button(key="data_download_msrc_v2").click().run()
    until_over(page)
    assert "It is here" in texts(page)
    assert server.asked[1].startswith("bytes=")
    assert server.asked[1] != "bytes=0-"


def test_a_failure_is_a_sentence_and_what_was_fetched_can_go(
    photos: Callable[..., AppTest],
    tiny: Source,
    server: Server,
    root: Path,
) -> None:
    server.break_after, server.breaks = 1000, 99
    page = photos()
    go(page, "data")
    page.button(key="data_download_msrc_v2").click().run()
    until_over(page)
    assert any("Could not download all" in one.value.replace("\\", "") for one in page.error)
    page.button(key="data_forget_msrc_v2").click().run()
    assert not list(root.iterdir())
    assert page.button(key="data_download_msrc_v2").label == "Download"


PLACES = ("explore", "lab", "confusions", "runs")


def open_place(page: AppTest, place: str) -> None:
    """Go to a page, and to the part of it that needs the pictures."""
    if place == "runs":
        page.session_state["runs_chosen"] = ["photos/bce", "photos/recam"]
    go(page, place)
    assert not page.exception


def links(page: AppTest) -> list[str]:
    return [one.proto.label for one in page.get("page_link")]


@pytest.mark.parametrize("place", PLACES)
def test_where_they_are_missing_a_line_says_what_to_press(
    photos: Callable[..., AppTest], root: Path, place: str
) -> None:
    page = photos()
    open_place(page, place)
    assert "The photographs of **MSRC v2** are not on this computer." in texts(page)
    assert links(page) == ["Get MSRC v2"]
    assert not page.error


@pytest.mark.parametrize("place", PLACES)
def test_where_they_are_here_the_family_is_whole(
    photos: Callable[..., AppTest], tiny: Source, root: Path, place: str
) -> None:
    page = photos()
    open_place(page, place)
    module.download(tiny, root)
    recorded_pictures.look_again()
    page.run()
    assert not page.exception
    assert "not on this computer" not in texts(page)
    assert not links(page)
    train, val = (f"voc:{root}/msrc_v2@{split}" for split in ("train", "val"))
    if place == "explore":
        assert page.text_input(key="explore_train_on_photos/bce").value == train
        page.button(key="explore_start").click().run()
        assert not page.error
    elif place == "lab":
        assert page.selectbox(key="lab_data_photos/bce").value == train
        assert not page.button(key="lab_start").disabled
    elif place == "confusions":
        chosen = page.selectbox(key="confusions_spec_photos")
        assert {train, val} <= set(chosen.options)
    else:
        assert page.selectbox(key="runs_on_photos").value == val
        assert page.button(key="runs_analyse_start")
    assert not page.error


def test_other_classes_are_refused_in_words(photos: Callable[..., AppTest], tiny: Source, root: Path) -> None:
    module.download(tiny, root)
    (root / "msrc_v2" / "classes.txt").write_text("".join(f"{name}\n" for name in reversed(CLASSES)))
    recorded_pictures.look_again()
    page = photos()
    go(page, "lab")
    assert any("other classes" in one.value for one in page.warning)
    assert not links(page)
