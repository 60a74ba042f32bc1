"""The list of runs: what is in it, in which order, and what may be changed."""

import json
import multiprocessing
import os
import shutil
from pathlib import Path

import pytest

from recam_core.checkpoint.run_folder import INFO_FILE, load_run, read_info
from recam_core.cli.main import main
from recam_core.errors import UserError
from recam_core.queue.job import TrainingJob, write_job
from recam_core.queue.status import DONE, RUNNING, Status, own_start, write_status
from recam_core.runs.change import check_deletable, delete_run, rename_run
from recam_core.runs.compare import compare_settings, run_settings
from recam_core.runs.folder import STARS_FILE, read_stars, set_star
from recam_core.runs.lineage import children_of, find_parent
from recam_core.runs.listed import ORDERS, filter_runs, find_run, headline, headlines, list_runs, sort_runs
from recam_core.train.state import STATE_FILE
from run_folders import write_run


def val(miou: float, rule: str = "fc1") -> dict:
    return {"val": {rule: {"miou": miou}}}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two shipped runs, and three of one's own, of which two are made from others."""
    root = tmp_path_factory.mktemp("made")
    shipped, own = root / "assets" / "checkpoints" / "scenes", root / "runs"
    bce = write_run(shipped / "bce", scores=val(0.5), created="2026-01-02T00:00:00+00:00")
    write_run(shipped / "recam", "recam", seed=1, scores=val(0.6, "rectified_product"))
    alpha = write_run(own / "alpha", seed=2, scores=val(0.4), created="2026-01-01T00:00:00+00:00")
    write_run(
        own / "beta", "heads", seed=3, parent="bce", parent_sha256=bce.weights_sha256,
        recipe={"weight": 0.3, "mask": "hard:0.4"},
    )  # fmt: skip
    write_run(own / "gamma", "heads", seed=4, parent="alpha", parent_sha256=alpha.weights_sha256)
    return root


@pytest.fixture
def runs(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of one's own runs, to be changed at will."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("RECAM_ASSETS", str(tmp_path / "assets"))
    monkeypatch.setenv("RECAM_RUNS", str(tmp_path / "runs"))
    own = tmp_path / "runs"
    record = json.loads((own / "gamma" / INFO_FILE).read_text())
    record["command"] = f"python -m recam_core retrain {own / 'alpha'} --data tiny --out {own / 'gamma'}"
    (own / "gamma" / INFO_FILE).write_text(json.dumps(record))
    return own


def test_all_runs_are_listed_with_keys_of_their_own(runs: Path) -> None:
    found = list_runs()
    assert [run.key for run in found.runs] == ["scenes/bce", "scenes/recam", "run/alpha", "run/beta", "run/gamma"]
    assert [run.shipped for run in found.runs] == [True, True, False, False, False]
    assert not found.faults
    assert all(run.bytes > 100_000 for run in found.runs)


def test_a_damaged_record_is_a_sentence_and_a_half_written_folder_is_nothing(runs: Path) -> None:
    (runs / "alpha" / INFO_FILE).write_text("[" * 100_000)
    (runs / ".delta.x.tmp").mkdir()
    (runs / ".delta.x.tmp" / INFO_FILE).write_text("{")
    found = list_runs()
    assert [run.name for run in found.runs if not run.shipped] == ["beta", "gamma"]
    assert len(found.faults) == 1
    assert "alpha" in found.faults[0]
    assert "damaged" in found.faults[0]


def test_runs_are_found_by_key_name_or_folder(runs: Path) -> None:
    assert find_run("scenes/bce").shipped
    assert find_run("alpha").key == find_run("run/alpha").key == find_run(str(runs / "alpha")).key == "run/alpha"
    elsewhere = runs.parent / "elsewhere"
    write_run(elsewhere / "x")
    assert find_run(str(elsewhere / "x")).path == elsewhere / "x"
    with pytest.raises(UserError, match=r"no run 'delta'.*There are: scenes/bce"):
        find_run("delta")
    with pytest.raises(UserError, match="no run"):
        find_run("")


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00", "9999-12-31T23:59:59-12:00", "once"])
def test_a_date_that_no_calendar_has_is_no_date(runs: Path, text: str) -> None:
    write_run(runs / "old", seed=5, created=text)
    write_run(runs / "plain", seed=6, created="2026-01-03T00:00:00")
    assert find_run("old").created is None
    assert sort_runs(list_runs().runs, "created")[-1].created is None
    assert find_run("plain").created > find_run("alpha").created


@pytest.mark.parametrize("text", ["~nosuchuser/x", "x" * 5000, "LOOP"])
def test_a_path_that_leads_nowhere_is_no_run(runs: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    text = text.replace("LOOP", str(tmp_path / "loop"))
    with pytest.raises(UserError, match="There is no run"):
        find_run(text)
    # In a record that came from elsewhere, too.
    record = json.loads((runs / "gamma" / INFO_FILE).read_text())
    record["command"] = f"python -m recam_core retrain {text} --data tiny --out {runs / 'gamma'}"
    (runs / "gamma" / INFO_FILE).write_text(json.dumps(record))
    assert find_parent(find_run("gamma").info) == runs / "alpha"
    rename_run(find_run("alpha"), "omega")
    assert find_run("gamma").info.parent == "omega"


def test_filters_and_orders(runs: Path) -> None:
    everything = list_runs().runs
    names = lambda found: [run.name for run in found]  # noqa: E731
    assert names(filter_runs(everything, text="HARD heads")) == ["beta"]
    assert names(filter_runs(everything, text="lambda=0.3")) == ["beta"]
    assert names(filter_runs(everything, methods=["recam"])) == ["scenes/recam"]
    assert names(filter_runs(everything, shipped=False, methods=["bce"])) == ["alpha"]
    assert names(filter_runs(everything, starred=True)) == []
    # Those without a score stay at the end, whichever way the others are sorted.
    assert names(sort_runs(everything, "miou"))[:3] == ["alpha", "scenes/bce", "scenes/recam"]
    assert names(sort_runs(everything, "miou", descending=True))[:3] == ["scenes/recam", "scenes/bce", "alpha"]
    assert names(sort_runs(everything, "created"))[:2] == ["alpha", "scenes/bce"]
    for order in ORDERS:
        assert len(sort_runs(everything, order)) == 5
    with pytest.raises(UserError, match="sorted by"):
        sort_runs(everything, "beauty")


def test_the_headline_is_of_the_own_rule_on_val_and_odd_entries_are_passed_over(runs: Path) -> None:
    info = read_info(runs / "alpha")
    info.scores = {
        "odd": 3, "more": {"fc1": "text", "fc2": {"miou": True}}, "train.select": {"fc1": {"miou": 0.7}},
        "val": {"sum": {"miou": 0.9}, "fc1": {"miou": 0.6}},
    }  # fmt: skip
    assert (headline(info).split, headline(info).miou) == ("val", 0.6)
    assert len(list(headlines(info))) == 3
    info.scores = {}
    assert headline(info) is None


def test_stars_are_kept_follow_a_new_name_and_go_with_the_run(runs: Path) -> None:
    set_star("run/alpha", True)
    set_star("scenes/bce", True)
    assert [run.key for run in list_runs().runs if run.starred] == ["scenes/bce", "run/alpha"]
    rename_run(find_run("alpha"), "omega")
    assert read_stars() == {"run/omega", "scenes/bce"}
    delete_run(find_run("omega"))
    set_star("scenes/bce", False)
    assert read_stars() == frozenset()
    (runs / STARS_FILE).write_text("no json")
    assert read_stars() == frozenset()
    set_star("run/beta", True)
    assert read_stars() == {"run/beta"}


def _star_some(numbers: range) -> None:
    for number in numbers:
        set_star(f"run/{number}", True)


def test_sessions_that_star_at_once_lose_no_star(runs: Path) -> None:
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_star_some, args=(range(n, 40, 2),)) for n in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    assert read_stars() == {f"run/{number}" for number in range(40)}


def test_a_new_name_is_known_to_the_record_and_to_those_made_from_it(runs: Path) -> None:
    before = read_info(runs / "alpha").weights_sha256
    assert rename_run(find_run("alpha"), " omega ") == runs / "omega"
    assert not (runs / "alpha").exists()
    assert load_run(runs / "omega").info.name == "omega"
    assert read_info(runs / "omega").weights_sha256 == before
    child = read_info(runs / "gamma")
    assert child.parent == "omega"
    assert str(runs / "omega") in child.command
    assert "alpha" not in child.command
    assert find_parent(child) == runs / "omega"


@pytest.mark.parametrize("name", ["", "../x", "a/b", "beta", "con", ".hidden", "x" * 61, "a b", "=1+1", "-x"])
def test_names_that_cannot_be_used(runs: Path, name: str) -> None:
    with pytest.raises(UserError):
        rename_run(find_run("alpha"), name)
    assert sorted(path.name for path in runs.iterdir() if path.is_dir()) == ["alpha", "beta", "gamma"]
    assert read_info(runs / "alpha").name == "alpha"


def test_shipped_runs_are_neither_renamed_nor_deleted(runs: Path) -> None:
    run = find_run("scenes/bce")
    with pytest.raises(UserError, match="came with the project"):
        rename_run(run, "mine")
    with pytest.raises(UserError, match="never deleted"):
        delete_run(run)
    # Not by way of its folder, and not by a link among one's own runs either.
    with pytest.raises(UserError, match="never deleted"):
        delete_run(find_run(str(run.path)))
    (runs / "link").symlink_to(run.path, target_is_directory=True)
    with pytest.raises(UserError, match="never deleted"):
        delete_run(find_run("link"))
    assert (run.path / "model.safetensors").is_file()


def test_deleting_leaves_nothing_and_says_what_cannot_be_made_again(runs: Path) -> None:
    run = find_run("alpha")
    assert [child.name for child in children_of(run, list_runs().runs)] == ["gamma"]
    delete_run(run)
    assert sorted(path.name for path in runs.iterdir() if path.is_dir()) == ["beta", "gamma"]
    with pytest.raises(UserError, match="gone"):
        delete_run(run)
    with pytest.raises(UserError, match="started from the run alpha, which is not here"):
        find_parent(read_info(runs / "gamma"))


def test_a_run_elsewhere_is_not_taken_for_ones_own_of_the_same_name(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    elsewhere = tmp_path / "elsewhere" / "alpha"
    shutil.copytree(runs / "alpha", elsewhere)
    own, other = find_run("alpha"), find_run(str(elsewhere))
    assert own.key == find_run(str(runs / ".." / "runs" / "alpha")).key == "run/alpha"
    assert other.key != own.key
    assert main(["runs", "star", str(elsewhere)]) == 2
    assert "cannot be starred" in capsys.readouterr().err
    assert read_stars() == frozenset()
    assert main(["runs", "compare", "alpha", str(elsewhere)]) == 0
    assert "alpha and alpha do not differ in any setting" in capsys.readouterr().out
    assert main(["runs", "delete", "--yes", "alpha", str(elsewhere)]) == 2
    assert "does not lie among your runs" in capsys.readouterr().err
    assert (runs / "alpha").is_dir()


def test_a_run_elsewhere_is_not_deleted(runs: Path) -> None:
    write_run(runs.parent / "elsewhere" / "x")
    with pytest.raises(UserError, match="delete its folder yourself"):
        delete_run(find_run(str(runs.parent / "elsewhere" / "x")))


def test_what_a_training_has_in_its_hands_stays(runs: Path) -> None:
    state = runs / "alpha" / STATE_FILE
    state.parent.mkdir()
    state.touch()
    for act in (check_deletable, lambda run: rename_run(run, "omega")):
        with pytest.raises(UserError, match="A training is writing the run alpha"):
            act(find_run("alpha"))
    state.unlink()
    folder = runs / ".trainings" / "20260101-000000-abcdef"
    job = TrainingJob(
        folder.name, {"method": "recam"}, "tiny", "", str(runs / "alpha"), str(runs / "new"), "cpu", str(runs), ""
    )
    write_job(folder, job)
    write_status(folder, Status(state=RUNNING, pid=os.getpid(), process_start=own_start()))
    with pytest.raises(UserError, match="training of new starts from the run alpha"):
        delete_run(find_run("alpha"))
    check_deletable(find_run("beta"))
    write_status(folder, Status(state=DONE, pid=os.getpid(), process_start=own_start()))
    delete_run(find_run("alpha"))


def test_parents_of_older_records_are_found_by_command_or_name(runs: Path) -> None:
    info = read_info(runs / "gamma")
    info.parent_sha256 = None
    assert find_parent(info) == runs / "alpha"
    info.command, info.parent = "", "bce"
    assert find_parent(info).parts[-2:] == ("scenes", "bce")
    write_run(runs / "bce", seed=9)
    with pytest.raises(UserError, match="give the folder"):
        find_parent(info)  # two runs have the name
    info.parent = None
    assert find_parent(info) is None


def test_settings_that_differ(runs: Path) -> None:
    rows = {row.name: row for row in compare_settings([read_info(runs / name) for name in ("alpha", "beta")])}
    assert rows["lambda"].values == ("1", "0.3")
    assert rows["lambda"].differs
    assert rows["mask"].values == (None, "hard:0.4")
    assert rows["mask"].differs
    assert rows["started from"].values == (None, "bce")
    assert not rows["backbone"].differs
    assert "started from" not in run_settings(read_info(runs / "alpha"))


def test_the_background_row_is_said_where_there_is_one(runs: Path) -> None:
    infos = [read_info(runs / name) for name in ("alpha", "beta")]
    infos[0].recipe |= {"background": 0.0, "background_power": 1.0}
    infos[1].recipe |= {"background": 0.2, "background_power": 2.0}
    assert not [name for name in run_settings(infos[0]) if "background" in name or "exponent" in name]
    rows = {row.name: row for row in compare_settings(infos)}
    assert rows["background row (beta)"].values == (None, "0.2")
    assert rows["exponent of its mask (G)"].values == (None, "2")


def test_the_disk_is_full(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        for act in (lambda: set_star("run/alpha", True), lambda: rename_run(find_run("alpha"), "omega")):
            with pytest.raises(UserError, match="No space left"):
                act()
    assert json.loads((runs / "alpha" / INFO_FILE).read_text())["name"] == "alpha"
    assert find_run("alpha").info.name == "alpha"
