"""The app as strangers use it: each sees their own things alone and nothing of the server, and trains heads alone."""

import os
import shutil
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from test_walk import go

from app.jobs import Job, board
from app.shared_state import LAB_DEPTH, LAB_KIND, TRAIN_ON, VISITOR
from data_layouts import folder
from recam_core.guest import NO_TRAININGS, NOT_SHOWN, Guest, guest, serving
from recam_core.guest_room import USED_FILE
from recam_core.queue.listing import every_training

ANN, BOB = "A" * 43, "B" * 43


def name_of(secret: str) -> str:
    return sha256(f"recam visitor\0{secret}".encode()).hexdigest()[:16]


@pytest.fixture
def visitors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of visitors of a hosted app."""
    monkeypatch.setenv("RECAM_HOSTED", "1")
    monkeypatch.setenv("RECAM_VISITORS", str(tmp_path / "visitors"))
    monkeypatch.setenv("RECAM_DATA", str(tmp_path / "host" / "data"))
    return tmp_path / "visitors"


@pytest.fixture
def visit(opened: object, visitors: Path, repo_root: Path) -> Callable[..., AppTest]:
    """``visit(secret, **address)`` opens the app with the cookie of a visitor."""

    def run(secret: str, **address: str) -> AppTest:
        page = AppTest.from_file(str(repo_root / "app" / "main.py"), default_timeout=300)
        page.session_state[VISITOR.key] = secret
        for name, value in address.items():
            page.query_params[name] = value
        page.run()
        assert not page.exception
        return page

    return run


def texts(page: AppTest) -> str:
    """All that a page says."""
    kinds = ("title", "subheader", "markdown", "code", "warning", "success", "error", "caption", "info")
    said = [str(one.value) for kind in kinds for one in getattr(page, kind)]
    for kind in ("selectbox", "multiselect"):
        said += [" ".join(map(str, one.options)) for one in getattr(page, kind)]
    return "\n".join(said + [str(one.value) for one in page.text_input])


def test_no_page_tells_what_is_on_the_server(visit: Callable[..., AppTest], tmp_path: Path) -> None:
    there = folder(tmp_path / "host" / "data" / "pets")
    (there / "classes.txt").write_text("SECRET LINE\n")
    said: dict[str, list[str]] = {}
    for root in (str(there), str(tmp_path / "host" / "data" / "gone")):
        page = visit(ANN, data=f"folder:{root}")
        assert [box.value for box in page.error] == [NOT_SHOWN]
        for name in ("explore", "confusions", "why", "lab"):
            if name != "explore":
                page.query_params["data"] = f"folder:{root}"
                go(page, name)
            assert not page.exception
            said.setdefault(name, []).append(texts(page).replace(root, "ROOT"))
    for name, (of_there, of_gone) in said.items():
        assert of_there == of_gone, name
        assert "SECRET" not in of_there
    go(page, "data")
    assert "pets" not in texts(page)
    assert str(tmp_path) not in texts(page)


def test_two_visitors_see_their_own_things_alone(
    visit: Callable[..., AppTest], assets: Path, visitors: Path, runs: Path
) -> None:
    ann = visitors / name_of(ANN)
    folder(ann / "data" / "kittens")
    (ann / "runs").mkdir()
    runs.mkdir()
    shutil.copytree(assets / "checkpoints" / "scenes" / "bce", ann / "runs" / "anns-run")
    shutil.copytree(assets / "checkpoints" / "scenes" / "bce", runs / "hosts-run")
    said = {}
    for secret in (ANN, BOB):
        page = visit(secret)
        said[secret] = texts(page)
        for name in ("runs", "data", "results"):
            go(page, name)
            assert not page.exception
            said[secret] += texts(page)
    assert "anns-run" in said[ANN]
    assert "kittens" in said[ANN]
    assert "anns-run" not in said[BOB]
    assert "kittens" not in said[BOB]
    assert "hosts-run" not in said[ANN] + said[BOB]
    assert str(visitors) not in said[ANN], "a visitor's own things are shown by their places"
    spec = f"folder:own:{name_of(ANN)}/kittens"
    page = visit(ANN, data=spec)
    assert "have no class in common" in page.error[0].value, "it is opened, and kept in memory"
    page = visit(BOB, data=spec)
    assert [box.value for box in page.error] == [NOT_SHOWN]
    page = visit(BOB, runs="run/anns-run")
    assert "anns-run" not in texts(page)


def test_a_set_of_ones_own_is_named_by_its_place(visit: Callable[..., AppTest], visitors: Path) -> None:
    folder(visitors / name_of(ANN) / "data" / "pets")
    page = visit(ANN)
    go(page, "data")
    assert "You have" in texts(page)
    assert "hours after your last visit" in texts(page)
    page.selectbox(key="data_set").set_value("pets").run()
    assert not page.exception
    assert page.code[0].value == f"folder:own:{name_of(ANN)}/pets"
    assert not any(button.key == "data_train" for button in page.button)
    assert not any(str(button.key).startswith("data_download_") for button in page.button)
    page.button(key="data_delete_it").click().run()
    assert not page.exception
    assert "No pictures are there yet" in texts(page)
    assert not any((visitors / name_of(ANN) / "data").iterdir())


def test_whole_networks_are_not_trained(visit: Callable[..., AppTest], visitors: Path) -> None:
    page = visit(ANN)
    page.session_state[TRAIN_ON.key] = ("scenes@train", "")
    go(page, "trainings")
    assert [box.value for box in page.info] == [NO_TRAININGS]
    assert not any(button.key == "training_start" for button in page.button)
    page.session_state[LAB_KIND.key] = "grid"
    page.session_state[LAB_DEPTH.key] = "full"
    go(page, "lab")
    assert NO_TRAININGS in [box.value for box in page.info]
    assert not any(button.key == "lab_full_start" for button in page.button)
    assert every_training() == []


def test_heads_are_retrained_and_kept_for_oneself(visit: Callable[..., AppTest], visitors: Path, runs: Path) -> None:
    page = visit(ANN)
    page.number_input(key="explore_epochs_both").set_value(1)
    page.button(key="explore_start").click().run()
    number = page.query_params["job"]
    with serving(Guest(name_of(ANN), visitors / name_of(ANN))):
        job = board().find(number)
    deadline = time.monotonic() + 120
    while not job.is_over:
        assert time.monotonic() < deadline, job.step
        time.sleep(0.05)
    page.run()
    page.text_input(key=f"explore_name_{number}").set_value("mine").run()
    assert "--out runs/mine" in page.code[-1].value
    page.button(key="explore_keep").click().run()
    assert not page.exception
    assert not page.error
    assert (visitors / name_of(ANN) / "runs" / "mine").is_dir()
    assert not runs.exists()
    other = visit(BOB, job=number)
    assert not any(str(key).startswith("explore_name_") for key in (one.key for one in other.text_input))


def test_what_a_visitor_left_goes_once_nobody_is_here(
    visit: Callable[..., AppTest], visitors: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.visitors._SWEEP", 0.0)
    for secret in (ANN, BOB):
        folder(visitors / name_of(secret) / "data" / "pets")
        (visitors / name_of(secret) / USED_FILE).touch()
    os.utime(visitors / name_of(BOB) / USED_FILE, (time.time() - 25 * 3600,) * 2)
    page = visit(ANN)
    assert os.listdir(visitors) == [name_of(ANN)]
    os.utime(visitors / name_of(ANN) / USED_FILE, (time.time() - 25 * 3600,) * 2)
    page.run()
    assert os.listdir(visitors) == [name_of(ANN)], "they are here"


def test_a_job_of_another_visitor_is_not_there(visitors: Path) -> None:
    ann, bob = (Guest(name_of(secret), visitors / name_of(secret)) for secret in (ANN, BOB))
    seen: list[str] = []
    with serving(ann):
        job = board().start(Job(), lambda job: seen.append(str(guest().folder)), at_once=True)
        assert board().find(job.id) is job
    with serving(bob):
        assert board().find(job.id) is None
        board().forget(job.id)
    with serving(ann):
        assert board().find(job.id) is job, "nobody else can cancel it"
        deadline = time.monotonic() + 60
        while not job.is_over:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert seen == [str(ann.folder)], "its thread works for who started it"
