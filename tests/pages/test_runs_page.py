"""The page of runs: choosing, starring, renaming, deleting, importing and comparing."""

import json
import shutil
from pathlib import Path

import pytest
from chart_content import figures, trace
from streamlit.testing.v1 import AppTest
from tiny_families import write_rowed

from recam_core.atomic_write import write_json
from recam_core.checkpoint.run_folder import INFO_FILE, read_info
from recam_core.runs.listed import find_run, list_runs
from recam_core.runs.run_zip import zipped


def show_runs() -> None:
    from app import links
    from app.screens import runs

    links.remember_pages({})
    runs.main()


@pytest.fixture
def own(opened: object, assets: Path, runs: Path) -> Path:
    """Three runs of one's own: the shipped ones of the drawn scenes under other names."""
    for name in ("bce", "sce", "recam"):
        shutil.copytree(assets / "checkpoints" / "scenes" / name, runs / f"my-{name}")
        record = json.loads((runs / f"my-{name}" / INFO_FILE).read_text())
        write_json(runs / f"my-{name}" / INFO_FILE, record | {"name": f"my-{name}"})
    return runs


def page(**address: str) -> AppTest:
    test = AppTest.from_function(show_runs, default_timeout=120)
    for name, value in address.items():
        test.query_params[name] = value
    test.run()
    assert not test.exception
    return test


def texts(test: AppTest) -> str:
    boxes = [*test.markdown, *test.caption, *test.text, *test.info, *test.subheader]
    return " ".join(str(box.value) for box in boxes) + " ".join(str(box.proto.body) for box in test.get("html"))


def choose(test: AppTest, *keys: str) -> None:
    test.multiselect(key="runs_chosen").set_value(list(keys)).run()
    assert not test.exception


@pytest.mark.usefixtures("own")
def test_the_list_is_filtered_and_sorted() -> None:
    test = page()
    assert len(test.dataframe[0].value) == 9
    test.text_input(key="runs_find").set_value("my- recam").run()
    assert test.dataframe[0].value["run"].tolist() == ["my-recam"]
    test.text_input(key="runs_find").set_value("").run()
    test.segmented_control(key="runs_whose").set_value("own").run()
    test.selectbox(key="runs_order").set_value("miou").run()
    assert test.dataframe[0].value["run"].tolist()[0] == "my-recam"
    assert test.query_params["order"] in ("miou", ["miou"])
    test.text_input(key="runs_find").set_value("nothing like it").run()
    assert not test.dataframe
    assert "None of the 9 runs" in test.info[0].value


def test_a_damaged_run_is_a_sentence(own: Path) -> None:
    (own / "my-sce" / INFO_FILE).write_text("{")
    test = page()
    assert len(test.dataframe[0].value) == 8
    assert "my-sce" in test.warning[0].value


def test_odd_curves_and_an_odd_name(own: Path) -> None:
    (own / "my-sce").rename(own / "my sce")
    (own / "my sce" / "metrics.json").write_text(json.dumps([{"epoch": 1, "loss": 10**400}, {"epoch": 2, "loss": 1}]))
    test = page()
    choose(test, "run/my sce")
    assert "--from 'my sce' --out" in test.code[1].value
    assert not figures(test), "a record with a number of 400 digits is a damaged one"
    (own / "my sce" / "metrics.json").write_text(json.dumps([{"epoch": 1, "loss": 1e40}, {"epoch": 2, "loss": 1}]))
    test.run()
    (losses,) = figures(test)
    assert (losses["data"][0]["x"], losses["data"][0]["y"]) == ([2], [1])  # what no loss can be is left out


def test_curves_of_a_run(own: Path) -> None:
    entries = [
        {"epoch": epoch, "loss": 1 / epoch, "<b>odd</b>": epoch, "val_seed_miou": 0.1 * epoch, "seconds": 9}
        for epoch in (1, 2, 3)
    ]
    (own / "my-sce" / "metrics.json").write_text(json.dumps(entries))
    test = page(chosen="run/my-sce")
    losses, scores = figures(test)
    assert [one["name"] for one in losses["data"]] == ["loss", "&lt;b&gt;odd&lt;/b&gt;"]
    assert trace(losses, "loss")["y"] == [1, 0.5, pytest.approx(1 / 3)]
    assert trace(scores, "val seed miou")["x"] == [1, 2, 3]
    assert losses["layout"]["hovermode"] == scores["layout"]["hovermode"] == "x unified"
    assert losses["layout"]["yaxis"]["type"] == "linear"
    test.toggle(key="runs_log_losses").set_value(True).run()
    assert not test.exception
    losses, scores = figures(test)
    assert (losses["layout"]["yaxis"]["type"], scores["layout"]["yaxis"]["type"]) == ("log", "linear")


def test_nothing_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RECAM_ASSETS", str(tmp_path))
    monkeypatch.setenv("RECAM_RUNS", str(tmp_path))
    assert "no runs yet" in page().info[0].value


@pytest.mark.usefixtures("own")
def test_one_run_shows_how_it_is_made_and_made_again() -> None:
    test = page(chosen="run/my-recam")
    codes = [box.value for box in test.code]
    assert codes == [
        "python -m recam_core train recam",
        "python -m recam_core train --from my-recam --out runs/NEW-NAME",
    ]
    assert "tf_efficientnet_lite0" in texts(test)
    assert "50.0" in texts(test)


def test_one_run_shows_its_background_row(own: Path, assets: Path) -> None:
    write_rowed(assets, own)
    test = page(chosen="run/rowed")
    assert "background row (beta)" in texts(test)
    assert "exponent of its mask (G)" in texts(test)
    table = test.dataframe[0].value.set_index("run")
    assert table["β"]["rowed"] == 0.2
    assert table["β"].isna().sum() == len(table) - 1
    # A run without one has nothing to say of it; side by side that is a difference.
    assert "background row" not in texts(page(chosen="run/my-recam"))
    both = page(chosen="run/rowed,run/my-recam")
    assert "background row (beta)" in texts(both)


@pytest.mark.usefixtures("own")
def test_a_star_is_set_and_kept() -> None:
    test = page(chosen="run/my-recam")
    test.button(key="runs_star").click().run()
    assert not test.exception
    assert find_run("my-recam").starred
    test.toggle(key="runs_starred").set_value(True).run()
    assert test.dataframe[0].value["run"].tolist() == ["my-recam"]
    test.button(key="runs_star").click().run()
    assert not find_run("my-recam").starred


def test_renaming(own: Path) -> None:
    test = page(chosen="run/my-recam")
    test.text_input(key="runs_new_name_run/my-recam").set_value("../x")
    test.button(key="FormSubmitter:runs_rename_form-Rename").click().run()
    assert "cannot be the name" in test.error[0].value
    test.text_input(key="runs_new_name_run/my-recam").set_value("better")
    test.button(key="FormSubmitter:runs_rename_form-Rename").click().run()
    assert not test.exception
    assert read_info(own / "better").name == "better"
    assert test.multiselect(key="runs_chosen").value == ["run/better"]


def test_deleting_asks_and_leaves_shipped_runs_alone(own: Path) -> None:
    test = page(chosen="scenes/bce")
    assert test.button(key="runs_delete").disabled
    choose(test, "scenes/bce", "run/my-sce")
    test.button(key="runs_delete").click().run()
    assert (own / "my-sce").is_dir()
    test.button(key="runs_delete_yes").click().run()
    assert not test.exception
    assert not (own / "my-sce").exists()
    assert find_run("scenes/bce")
    assert test.multiselect(key="runs_chosen").value == ["scenes/bce"]


def test_importing(own: Path) -> None:
    test = page()
    packed = zipped(find_run("my-recam"))
    test.file_uploader[0].upload("x.zip", b"no zip", "application/zip").run()
    test.button(key="runs_import_now").click().run()
    assert "no whole zip" in test.error[0].value
    test.file_uploader[0].upload("x.zip", packed, "application/zip").run()
    test.text_input(key="runs_import_name").set_value("taken-in")
    test.button(key="runs_import_now").click().run()
    assert not test.exception
    assert read_info(own / "taken-in").weights_sha256 == read_info(own / "my-recam").weights_sha256
    assert test.multiselect(key="runs_chosen").value == ["run/taken-in"]


@pytest.mark.usefixtures("own")
def test_runs_side_by_side() -> None:
    from recam_core.analysis.analysed import analyse, settings_of
    from recam_core.checkpoint.run_folder import load_run
    from recam_core.data.spec import open_dataset

    spec = "scenes:train=6,val=2,size=64@val"
    test = page(chosen="run/my-bce,run/my-recam", on=spec)
    assert "have not been run over the 2 pictures" in texts(test)
    assert "rectified_product" in texts(test)
    assert "photos" not in texts(test)
    pictures = open_dataset(spec)
    for name in ("my-bce", "my-recam"):
        run = load_run(find_run(name).path)
        analyse(run, run.info.rule, pictures, settings_of(run.info))
    test.run()
    assert not test.exception
    assert "2 pictures" in texts(test)
    assert any("my-recam" in box.value and "my-bce" in box.value for box in test.text)
    choose(test, "run/my-bce", "photos/bce")
    assert "know different classes" in test.info[0].value


def test_a_hostile_record_is_shown_as_text(own: Path) -> None:
    record = json.loads((own / "my-bce" / INFO_FILE).read_text())
    record |= {"data": "<img src=x onerror=alert(1)>", "recipe": {"<b>x</b>": ["<i>", {"a": 1}], "epochs": "many"}}
    record["scores"] = {"<u>": {"fc1": {"miou": 0.5}}, "val": [1]}
    write_json(own / "my-bce" / INFO_FILE, record)
    test = page(chosen="run/my-bce,run/my-sce")
    shown = "".join(str(box.proto.body) for box in test.get("html"))
    assert "&lt;img src=x" in shown
    assert "<img" not in shown
    assert "<b>x" not in shown
    choose(test, "run/my-bce")
    assert "<u>" not in "".join(str(box.proto.body) for box in test.get("html"))
    assert len(list_runs().runs) == 9
