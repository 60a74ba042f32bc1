"""Pictures that tell nothing: left out of means, wins and lists of pictures, never out of what is pooled."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from analysis_data import counts_of
from recam_core.analysis.cell_index import CellIndex
from recam_core.analysis.gains import class_gain
from recam_core.analysis.head_to_head import HeadToHead, head_to_head, picture_wins
from recam_core.analysis.picture_table import picture_table, single_class_pictures, single_class_words
from recam_core.cli.main import main
from recam_core.data.folder import export_folder
from recam_core.data.spec import open_dataset
from run_folders import write_run
from tiny_data import TinyDataset

NAMES = ("cat", "dog")
LEVEL = np.full((2, 4), 200, np.uint8)


def picture(truth: list[int], winner: list[int]) -> tuple[np.ndarray, ...]:
    return np.array([winner] * 2, np.uint8), LEVEL, np.array([truth] * 2, np.uint8)


#: One class; two, half right; one beside void; nothing but void; two, all wrong.
TRUTHS = [[1, 1, 1, 1], [1, 1, 2, 2], [2, 2, 255, 255], [255] * 4, [2, 2, 1, 1]]
FIRST = [[1, 1, 1, 1], [1, 2, 2, 1], [2, 2, 2, 2], [1, 1, 1, 1], [1, 1, 2, 2]]
SECOND = [[1, 1, 1, 1], [1, 1, 2, 1], [2, 2, 2, 2], [2, 2, 2, 2], [1, 1, 2, 2]]


def both(has_background: bool = False):
    return {
        key: counts_of([picture(*each) for each in zip(TRUTHS, made, strict=True)], has_background, NAMES)
        for key, made in (("a", FIRST), ("b", SECOND))
    }


@pytest.mark.parametrize("index", [False, True])
def test_a_single_class_and_nothing_else_tells_nothing(index: bool) -> None:
    counts = both()["a"]
    found = single_class_pictures(CellIndex.build(counts) if index else counts, [None, None])
    assert found.tolist() == [True, False, True, False, False]
    assert not single_class_pictures(counts, [None, 0.3]).any()
    assert not single_class_pictures(counts, [None], labels="predicted").any()
    assert not single_class_pictures(both(True)["a"], [None]).any()


def test_means_and_wins_leave_them_out_and_gains_do_not() -> None:
    counts = both()
    thresholds = dict.fromkeys(counts)
    table = picture_table(counts, thresholds)
    single = single_class_pictures(counts["a"], thresholds.values())
    wins, every = picture_wins(table, ~single), picture_wins(table)
    assert (wins["b"].pictures, wins["b"].better, wins["b"].worse, wins["b"].same) == (2, 1, 0, 1)
    assert (every["b"].pictures, every["b"].same) == (4, 3)
    assert wins["a"].mean == pytest.approx((1 / 3 + 0) / 2)
    assert every["a"].mean == pytest.approx((1 / 3 + 0 + 1 + 1) / 4)
    gain = class_gain(counts, thresholds, resamples=20)
    duel = head_to_head(gain, wins, {"a": "BCE", "b": "ReCAM"}, int(single.sum()))
    assert list(duel) == ["b"]
    assert duel["b"].gain == gain.miou_gain[1]
    assert (duel["b"].over, duel["b"].single_class, duel["b"].pictures) == ("BCE", 2, 2)
    assert duel["b"].low <= duel["b"].gain <= duel["b"].high
    assert picture_wins(table, np.zeros(5, bool))["a"].to_json()["mean"] is None


def test_a_record_of_a_comparison_is_read_back_and_nothing_else_is() -> None:
    made = HeadToHead("bce fc1", 0.06, 0.04, 0.08, 94, 67, 27, 0, 25)
    assert HeadToHead.from_json(json.loads(json.dumps(made.to_json()))) == made
    assert made.verdict == "better"
    words = "ReCAM gains 6.0 points of mIoU over BCE-CAM (95% interval +4.0 to +8.0); it is better in 67 of 94 pictures"
    left = "(25 of a single class, which every method has right, are not counted)"
    assert made.words("ReCAM", "BCE-CAM") == f"{words} and worse in 27 {left}."
    for change in (
        {"over": 3},
        {"gain": "0.06"},
        {"gain": float("nan")},
        {"gain": 7},
        {"low": None},
        {"low": 0.1},
        {"better": -1},
        {"better": True},
        {"pictures": 1.5},
    ):
        assert HeadToHead.from_json(made.to_json() | change) is None
    for other in (None, [], "x", {}):
        assert HeadToHead.from_json(other) is None
    unsure = HeadToHead("bce fc1", -0.01, -0.04, 0.02, 10, 4, 6, 0, 0)
    loses = "ReCAM loses 1.0 points of mIoU to bce fc1 (95% interval −4.0 to +2.0), which may be chance; it is better"
    assert unsure.words("ReCAM").startswith(loses)
    assert HeadToHead("bce fc1", 0.01, None, None, 1, 1, 0, 0, 0).verdict == "may be chance"
    assert [single_class_words(number) for number in (0, 1)] == [
        "",
        "1 picture shows a single class and no background, which every method has right: left out of means and lists "
        "of pictures.",
    ]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pictures of one class and of two, without a background, and two runs of their classes."""
    monkeypatch.setenv("RECAM_CACHE", str(tmp_path / "cache"))
    export_folder(TinyDataset(7), tmp_path / "data")
    (tmp_path / "data" / "classes.txt").write_text("void\nred\ngreen\nblue\n")
    for seed, method in enumerate(("bce", "recam")):
        write_run(tmp_path / method, method, seed=seed, threshold=None, has_background=False)
    return tmp_path


def test_commands_leave_them_out_say_so_and_have_a_switch(place: Path, capsys: pytest.CaptureFixture) -> None:
    spec = f"folder:{place / 'data'}"
    dataset = open_dataset(spec)
    assert not dataset.classes.has_background
    shown = [len(np.unique(dataset.mask(at)[(dataset.mask(at) > 0) & (dataset.mask(at) < 255)])) for at in range(7)]
    single = [id for id, number in zip(dataset.ids, shown, strict=True) if number == 1]
    assert single
    runs = [str(place / "bce"), str(place / "recam")]
    quick = ["--data", spec, "--no-mirror", "--device", "cpu", "--json", str(place / "o.json")]
    figures = []
    for switch in ([], ["--single-class"]):
        assert main(["evaluate", *runs, *quick, "--bootstrap", "20", "--keep-scores", *switch]) == 0
        text = capsys.readouterr().out
        assert f"{len(single)} pictures show a single class" in text
        assert ("left out of means" in text) == (not switch)
        assert f"Over {7 if switch else 7 - len(single)} pictures" in text
        found = json.loads((place / "o.json").read_text())
        figures.append([each["best"]["miou"] for each in found["evaluations"]])
        assert found["single_class_pictures"] == len(single)
        alone = found["evaluations"][1]["pictures_alone"]
        assert (
            alone["better"] + alone["worse"] + alone["same"] == alone["pictures"] == (7 if switch else 7 - len(single))
        )
        record = json.loads((place / "recam" / "run.json").read_text())["scores"][spec]
        (kept,) = record.values()
        assert HeadToHead.from_json(kept["against"]).pictures == alone["pictures"]
        assert HeadToHead.from_json(found["evaluations"][1]["against"]) == HeadToHead.from_json(kept["against"])
        first = json.loads((place / "bce" / "run.json").read_text())["scores"][spec]
        assert all("against" not in scores for scores in first.values())
    assert figures[0] == figures[1]  # what is pooled over all pixels does not move

    common = [spec, "--runs", *runs, "--device", "cpu"]
    for switch in ([], ["--single-class"]):
        assert main(["report", *common, "--csv", str(place / "csv"), "--bootstrap", "5", *switch]) == 0
        assert f"{len(single)} pictures show a single class" in capsys.readouterr().out
        listed = {row["id"] for row in csv.DictReader(io.StringIO((place / "csv" / "pictures.csv").read_text("utf-8")))}
        assert listed == set(dataset.ids) - (set() if switch else set(single))
    name = dataset.classes.names[int(np.flatnonzero(dataset.load(dataset.ids.index(single[0])).labels)[0])]
    for switch in ([], ["--single-class"]):
        assert main(["pictures", *common, "--truth", name, "--taken-for", name, *switch]) == 0
        assert (single[0] in capsys.readouterr().out) == bool(switch)
