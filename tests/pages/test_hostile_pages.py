"""Pages with hostile addresses and damaged records: a sentence, and the rest of the page."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest


def show_runs() -> None:
    from app import links
    from app.screens import runs

    links.remember_pages({})
    runs.main()


def show_queue() -> None:
    from app.trainings.details import details
    from app.trainings.queue import queue

    queue("training")
    details("training")


def test_an_address_is_answered_with_a_sentence(opened: Callable[..., AppTest]) -> None:
    page = opened(data="~a\0b", view='{"threshold":' + "9" * 400 + ',"zoom":[1e999]}', picture="\0", classes="x" * 3000)
    assert "does not name a data set" in page.error[0].value
    page.query_params["data"] = "scenes:size=2048,val=1000000@val"
    page.session_state["explore_seen"] = False
    page.run()
    assert not page.exception
    assert "too many" in page.error[0].value


@pytest.mark.usefixtures("opened")
def test_damaged_runs_are_left_out_by_name(assets: Path, runs: Path) -> None:
    for name in ("good", "rule", "deep"):
        shutil.copytree(assets / "checkpoints" / "scenes" / "bce", runs / name)
    record = json.loads((runs / "rule" / "run.json").read_text())
    (runs / "rule" / "run.json").write_text(json.dumps(record | {"rule": "no_such"}))
    text = json.dumps(record | {"recipe": {"a": "DEEP"}}).replace('"DEEP"', "[" * 400 + "]" * 400)
    (runs / "deep" / "run.json").write_text(text)
    page = AppTest.from_function(show_runs, default_timeout=120).run()
    assert not page.exception
    warned = [box.value for box in page.warning]
    assert len(warned) == 2
    assert "32 levels" in warned[0]
    assert "no extraction rule" in warned[1]
    assert {"good"} == {name for name in page.dataframe[0].value["run"] if "/" not in name}


@pytest.mark.usefixtures("opened")
def test_damaged_trainings_cost_their_own_cards(runs: Path) -> None:
    job = {"recipe": {"method": "bce", "epochs": 3}, "data": "scenes", "val": "", "init": "", "out": str(runs / "a")}
    job |= {"device": "cpu", "folder": "/", "command": "x"}
    status = {"state": "done", "ended": 9.0, "losses": {"names": ["loss"], "points": [[1, 0.5]]}}
    changes = ({}, {"ended": -1e308}, {"losses": {"points": [1]}}, {"began": float("nan")}, "[" * 3000)
    for number, change in enumerate((*changes, None)):
        folder = runs / ".trainings" / f"20250101-000000-00000{number}"
        folder.mkdir(parents=True)
        named = job | {"id": folder.name} | ({"recipe": [1]} if change is None else {})
        (folder / "job.json").write_text(json.dumps(named))
        text = change if isinstance(change, str) else json.dumps(status | (change or {}))
        (folder / "status.json").write_text(text)
    page = AppTest.from_function(show_queue, default_timeout=120)
    page.query_params["training"] = "20250101-000000-000002"
    page.run()
    assert not page.exception
    assert len([button for button in page.button if (button.key or "").startswith("training_show_")]) == 5
    assert ["Left out:" in box.value for box in page.warning] == [True]
