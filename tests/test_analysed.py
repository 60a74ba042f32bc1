"""Maps and counts that are made once and kept."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from recam_core.analysis import analysed
from recam_core.analysis.analysed import analyse, find_analysed, settings_of
from recam_core.analysis.cell_index import CellIndex
from recam_core.cache import cache_folder
from recam_core.checkpoint.run_folder import Run, load_run, read_info
from recam_core.cli.main import main
from recam_core.data.spec import open_dataset
from recam_core.errors import UserError
from recam_core.folders import shipped_folder
from recam_core.progress import Cancelled
from recam_core.scores.evaluate import Tally

SPEC = "scenes:val=3,size=256@val"


@pytest.fixture(scope="module")
def run() -> Run:
    return load_run(shipped_folder() / "scenes" / "recam")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECAM_CACHE", str(tmp_path / "cache"))


def test_what_was_made_is_found_and_not_made_again(run: Run) -> None:
    dataset = open_dataset(SPEC)
    settings = settings_of(run.info)
    assert find_analysed(run.info, "fc1", dataset, settings) is None
    seen: list[int] = []
    made = analyse(run, "fc1", dataset, settings, lambda done, total, note: seen.append(done), "scenes/recam:fc1")
    assert seen == [1, 2, 3]
    assert made.threshold is None  # the run's own threshold was chosen for another rule
    tally = Tally(dataset.classes)
    for index, picture in enumerate(dataset.ids):
        tally.add(made.store[picture], dataset.mask(index))
    assert np.array_equal(tally.evaluation().counts.total(), made.counts.total())

    found = find_analysed(run.info, "fc1", dataset, settings)
    assert found is not None
    assert np.array_equal(found.counts.total(), made.counts.total())
    for other in ("scenes:val=3,size=256,seed=1@val", "scenes:val=2,size=256@val"):
        assert find_analysed(run.info, "fc1", open_dataset(other), settings) is None
    assert find_analysed(run.info, "fc2", dataset, settings) is None


def test_counts_of_many_pictures_are_kept_as_an_index(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset, settings = open_dataset(SPEC), settings_of(run.info)
    few = analyse(run, "fc2", dataset, settings)
    shutil.rmtree(few.store.path.parent)
    monkeypatch.setattr(analysed, "MANY", 2)
    many = analyse(run, "fc2", dataset, settings)
    assert isinstance(many.counts, CellIndex)
    assert many.counts.ids == few.counts.ids
    assert np.array_equal(many.counts.total(), few.counts.total())
    assert {path.name for path in many.store.path.parent.iterdir()} == {"maps", "cells"}


def test_damaged_files_are_as_good_as_none(run: Run) -> None:
    dataset, settings = open_dataset("scenes:val=1,seed=9@val"), settings_of(run.info)
    made = analyse(run, "sum", dataset, settings)
    assert made.threshold == run.info.threshold
    counts = made.store.path.parent / "counts.npz"
    counts.write_bytes(counts.read_bytes()[:50])
    assert find_analysed(run.info, "sum", dataset, settings) is None
    assert np.array_equal(analyse(run, "sum", dataset, settings).counts.total(), made.counts.total())


def test_cancelling_leaves_nothing(run: Run) -> None:
    def stop(done: int, total: int, note: str) -> None:
        raise Cancelled

    dataset = open_dataset("scenes:val=2,seed=8@val")
    list(map(dataset.load, range(2)))  # what is drawn is kept
    before = set(cache_folder().glob("*"))
    with pytest.raises(Cancelled):
        analyse(run, "sum", dataset, settings_of(run.info), stop)
    assert set(cache_folder().glob("*")) == before


def test_rules_and_classes_that_do_not_fit_are_refused(run: Run, tmp_path: Path) -> None:
    bce = load_run(shipped_folder() / "scenes" / "bce")
    with pytest.raises(UserError, match="needs FC2"):
        analyse(bce, "sum", open_dataset(SPEC), settings_of(bce.info))
    with pytest.raises(UserError, match="different classes"):
        analyse(run, "sum", open_dataset("gallery"), settings_of(run.info))


@pytest.mark.parametrize("run", ["scenes/bce", "scenes/recam", "contexts/bce", "contexts/sce", "contexts/recam"])
def test_the_shipped_maps_are_those_of_the_shipped_checkpoints(run: str) -> None:
    info = read_info(shipped_folder() / run)
    dataset = open_dataset("scenes@val" if info.has_background else "scenes:stuff=1@val")
    found = find_analysed(info, info.rule, dataset, settings_of(info))
    assert found is not None
    assert len(found.counts) == len(found.store) == 200


@pytest.mark.parametrize(
    ("family", "names", "data"),
    [("scenes", ("bce", "recam"), "scenes@val"), ("contexts", ("bce", "sce", "recam"), "scenes:stuff=1@val")],
)
def test_scores_of_the_shipped_runs_are_those_that_were_written_down(
    family: str, names: tuple[str, ...], data: str, tmp_path: Path
) -> None:
    """Every figure of a run's record, to rounding: scores, rates, classes, the gain with its interval, the wins."""
    runs = [shipped_folder() / family / name for name in names]
    command = ["evaluate", *map(str, runs), "--data", data, "--bootstrap", "1000", "--json", str(tmp_path / "now.json")]
    assert main(command) == 0
    for run, now in zip(runs, json.loads((tmp_path / "now.json").read_text())["evaluations"], strict=True):
        info = read_info(run)
        kept = info.scores["val"][info.rule]
        for name in ("best", "fixed"):
            if kept[name] is None:
                assert now[name] is None
                continue
            for figure, value in kept[name].items():
                if figure == "per_class":
                    for each, values in value.items():
                        assert now[name][figure][each] == pytest.approx(values, abs=1e-12), each
                else:
                    assert now[name][figure] == pytest.approx(value, abs=1e-12), figure
        assert (now["against"] is None) == ("against" not in kept)
        if now["against"]:
            assert {**now["against"]} == pytest.approx(kept["against"], abs=1e-12)


def test_the_command_says_where_it_keeps_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["analyse", str(shipped_folder() / "scenes" / "bce"), "--data", "scenes:val=1@val", "--to", str(tmp_path)]
    assert main(command) == 0
    assert "1 pictures in" in capsys.readouterr().out
    assert len(list(tmp_path.glob("maps-*/counts.npz"))) == 1
