"""Attribution methods side by side: the numbers of the table, and what the command line makes of them."""

import json
from pathlib import Path

import numpy as np
import pytest

from recam_core.attribution.compare import ComparePlan, compare_methods, sampled
from recam_core.attribution.map_scores import FaithfulnessSettings, faithfulness, localisation
from recam_core.attribution.maps import attribution_maps
from recam_core.checkpoint.run_folder import load_run
from recam_core.cli.main import main
from recam_core.data.folder import export_folder
from recam_core.data.spec import open_dataset
from recam_core.errors import UserError
from recam_core.progress import Cancelled
from recam_core.scores.evaluate import evaluate_maps
from run_folders import write_run
from tiny_data import TinyDataset

SMALL = FaithfulnessSettings(steps=2, masks=4, shakes=1)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures and a run."""
    place = tmp_path_factory.mktemp("place")
    export_folder(TinyDataset(6), place / "data")
    write_run(place / "bce", half=False)
    write_run(place / "recam", "recam", half=False)
    return place


@pytest.fixture
def data(place: Path) -> str:
    return f"folder:{place / 'data'}"


def test_seeds_are_those_of_evaluate(place: Path, data: str) -> None:
    network, dataset = load_run(place / "bce").network.eval(), open_dataset(data)
    found = compare_methods(network, dataset, ["region_cam", "cam"], ComparePlan(faithful=0), threshold=0.3)
    assert [one.method for one in found] == ["region_cam", "cam"]
    for one in found:
        samples = [dataset.load(index) for index in range(len(dataset))]
        maps = [
            attribution_maps(network, sample.image, np.flatnonzero(sample.labels), one.method, id=sample.id)
            for sample in samples
        ]
        expected = evaluate_maps(maps, [sample.mask for sample in samples], dataset.classes, threshold=0.3)
        assert one.miou == expected.fixed.miou
        assert one.evaluation.fixed.threshold == one.threshold == 0.3
        energy = [
            np.nanmean(localisation(each, sample.mask, dataset.classes).energy)
            for each, sample in zip(maps, samples, strict=True)
        ]
        assert one.scores["energy"].mean == pytest.approx(np.nanmean(energy))
        low, high = one.scores["energy"].interval
        assert low < one.scores["energy"].mean < high
        assert one.evaluation.interval[0] <= one.miou <= one.evaluation.interval[1]
        assert "deletion" not in one.scores
        assert one.processor_seconds > 0


def test_thresholds_come_from_the_other_pictures(place: Path, data: str, tmp_path: Path) -> None:
    network, dataset = load_run(place / "bce").network.eval(), open_dataset(data)
    export_folder(TinyDataset(9), tmp_path / "other")
    selection = open_dataset(f"folder:{tmp_path / 'other'}")
    (chosen,) = compare_methods(network, selection, ["cam"], ComparePlan(faithful=0))
    (found,) = compare_methods(network, dataset, ["cam"], ComparePlan(faithful=0), selection=selection)
    assert chosen.threshold is None
    assert found.threshold == chosen.evaluation.best.threshold == found.evaluation.fixed.threshold


def test_faithfulness_is_of_the_pictures_that_are_asked_for(place: Path, data: str) -> None:
    network, dataset = load_run(place / "bce").network.eval(), open_dataset(data)
    (found,) = compare_methods(network, dataset, ["cam"], ComparePlan(faithful=2, faithfulness=SMALL))
    areas = []
    for index in (0, len(dataset) - 1):  # two, evenly spread
        sample = dataset.load(index)
        maps = attribution_maps(network, sample.image, np.flatnonzero(sample.labels), "cam", id=sample.id)
        areas.append(faithfulness(network, sample.image, maps, settings=SMALL).deletion_area.mean())
    assert found.scores["deletion"].pictures == 2
    assert found.scores["deletion"].mean == pytest.approx(np.mean(areas))
    assert set(found.scores) >= {"deletion", "insertion", "infidelity", "sensitivity", "pointing"}
    assert found.pictures == len(dataset)


def test_a_method_that_the_network_does_not_allow_is_told_and_the_others_go_on(
    place: Path, data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from recam_core.attribution import compare

    real = compare.attribution_maps

    def refusing(network, image, classes, method, **rest):
        if method == "grad_cam":
            raise UserError("not here.")
        return real(network, image, classes, method, **rest)

    monkeypatch.setattr(compare, "attribution_maps", refusing)
    seen: list[tuple[int, int]] = []
    found = compare_methods(
        load_run(place / "bce").network.eval(),
        open_dataset(data),
        ["grad_cam", "cam"],
        ComparePlan(pictures=2, faithful=0),
        progress=lambda done, total, note: seen.append((done, total)),
    )
    assert found[0].refused == "not here."
    assert np.isnan(found[0].miou)
    assert not found[1].refused
    assert found[1].pictures == 2
    assert seen[-1] == (4, 4)


def test_it_can_be_stopped(place: Path, data: str) -> None:
    with pytest.raises(Cancelled):
        compare_methods(load_run(place / "bce").network, open_dataset(data), ["cam"], cancelled=lambda: True)


def test_intervals_of_means() -> None:
    found = sampled(np.array([1.0, np.nan, 3.0, 2.0]))
    assert found.mean == 2
    assert found.pictures == 3
    assert 1 <= found.interval[0] < 2 < found.interval[1] <= 3
    assert np.isnan(sampled(np.array([1.0, np.nan])).interval[0])
    assert np.isnan(sampled(np.array([np.nan])).mean)


def compare(*arguments: object) -> int:
    return main(["attribute", "compare", *(str(argument) for argument in arguments)])


FEW = ("--methods", "cam", "region_cam", "--faithful", 1, "--steps", 2, "--masks", 2, "--shakes", 1, "--device", "cpu")


def test_the_command_prints_a_table_and_writes_what_it_found(
    place: Path, data: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    file = tmp_path / "found.json"
    assert compare(place / "recam", "--data", data, "--select", data, "--json", file, *FEW) == 0
    table = capsys.readouterr().out
    found = json.loads(file.read_text())
    assert found["head"] == "rectified_product"
    assert [one["method"] for one in found["methods"]] == ["cam", "region_cam"]
    for one in found["methods"]:
        assert f"{100 * one['miou']:.1f}" in table
        assert f"{one['threshold']:.2f}" in table
        assert f"{one['scores']['insertion']['mean']:.3f}" in table
    assert "flatters; --select" not in table
    gain = found["gains"]["Region-CAM"]
    assert gain["gain"] == pytest.approx(found["methods"][1]["miou"] - found["methods"][0]["miou"])
    assert gain["low"] <= gain["gain"] <= gain["high"]
    assert f"Region-CAM: {100 * gain['gain']:+.1f} points of seed mIoU over CAM" in table
    # A method that is named twice is scored once.
    assert compare(place / "recam", "--data", data, *FEW, "--methods", "cam", "cam") == 0
    table = capsys.readouterr().out
    assert "flatters; --select" in table
    assert "1 method on" in table


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("--methods", "nothing"), "no attribution method"),
        (("--head", "fc2"), "FC2"),
        (("--threshold", 2), "between 0 and 1"),
        (("--steps", 0), "steps"),
        (("--json", "/nowhere/at/all.json"), "no folder"),
        (("--bootstrap", -1), "none or more"),
    ],
)
def test_what_cannot_be_is_refused_before_the_work(
    place: Path, data: str, wrong: tuple, said: str, capsys: pytest.CaptureFixture
) -> None:
    assert compare(place / "bce", "--data", data, *wrong) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--pictures", "--select-pictures"])
def test_no_pictures_are_not_all_pictures(option: str, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        compare("run", "--data", "gallery", option, 0)
    assert "from 1; leave it out for all" in capsys.readouterr().err
