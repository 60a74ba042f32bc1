"""The command ``attribute``, and stores of attributions that are read like any other."""

import json
from pathlib import Path

import numpy as np
import pytest

from recam_core.attribution.attributed_set import Attributed
from recam_core.attribution.maps import attribution_maps
from recam_core.attribution.table import METHODS
from recam_core.checkpoint.run_folder import load_run
from recam_core.cli.main import main
from recam_core.data.spec import open_dataset
from recam_core.device import pick_device
from recam_core.maps.store import MapStore
from run_folders import write_run
from tiny_voc import tiny_voc


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("attribute")
    tiny_voc(folder / "voc")
    write_run(folder / "mine", "recam")
    return folder


@pytest.fixture
def spec(place: Path) -> str:
    return f"voc:{place / 'voc'}@val"


def test_every_method_is_listed_with_its_cost(
    place: Path, spec: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main(["attribute", "list", "--classes", "2"]) == 0
    shown = capsys.readouterr().out
    assert all(key in shown for key in METHODS)
    assert "seconds" not in shown
    file = tmp_path / "list.json"
    assert main(["attribute", "list", str(place / "mine"), "--data", spec, "--json", str(file)]) == 0
    rows = {row["method"]: row for row in json.loads(file.read_text())["methods"]}
    assert rows["integrated_gradients"]["forward"] == 32
    assert rows["cam"]["forward"] == 2 * (1 + 4)
    assert 0 < rows["cam"]["seconds"] < rows["integrated_gradients"]["seconds"]


def test_a_store_holds_what_the_method_gives_and_evaluates_like_any_other(
    place: Path, spec: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    command = ["attribute", "maps", str(place / "mine"), "--data", spec, "--method", "layer_cam", "--head", "fc2"]
    assert main([*command, "--store", str(tmp_path)]) == 0
    store = MapStore(tmp_path / "mine-layer_cam-fc2")
    dataset = open_dataset(spec)
    assert store.ids == tuple(dataset.ids)
    assert (store.info.rule, store.info.scales, store.info.mirror) == ("layer_cam-fc2", (1.0, 2.0), True)
    network = load_run(place / "mine", pick_device("cpu")).network
    sample = dataset.load(1)
    expected = attribution_maps(network, sample.image, np.flatnonzero(sample.labels), "layer_cam", head="fc2")
    np.testing.assert_array_equal(store[sample.id].activations, expected.activations)
    np.testing.assert_array_equal(store[sample.id].classes, expected.classes)
    assert main(["evaluate", str(store.path), str(place / "mine"), "--data", spec]) == 0
    assert "mine layer_cam-fc2" in capsys.readouterr().out


def test_against_a_class_its_own_map_is_left_out(place: Path, spec: str, tmp_path: Path) -> None:
    command = ["attribute", "maps", str(place / "mine"), "--data", spec, "--method", "finer_cam", "--against", "green"]
    assert main([*command, "--store", str(tmp_path), "--limit", "3"]) == 0
    (path,) = tmp_path.iterdir()
    store = MapStore(path)
    assert path.name == "mine-finer_cam-rectified_product-against-green"
    assert len(store) == 3
    shown = {id: set(np.flatnonzero(open_dataset(spec).load(index).labels)) for index, id in enumerate(store.ids)}
    assert any(1 in classes for classes in shown.values())
    assert all(set(store[id].classes.tolist()) == classes - {1} for id, classes in shown.items())


def test_a_picture_is_drawn_and_its_maps_written(
    place: Path, spec: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    dataset = open_dataset(spec)
    figure, maps = tmp_path / "a.png", tmp_path / "a.npz"
    command = ["attribute", "maps", str(place / "mine"), "--data", spec, "--picture", dataset.ids[2]]
    command += [
        "--method",
        "integrated_gradients",
        "--steps",
        "2",
        "--head",
        "fc1",
        "--class",
        "blue",
        "--class",
        "red",
    ]
    assert main([*command, "--out", str(figure), str(maps)]) == 0
    assert figure.read_bytes().startswith(b"\x89PNG")
    with np.load(maps) as content:
        names = [name for name in content if content[name].dtype == np.uint8 or content[name].ndim == 3]
        assert names


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--method", "lime", "--out", "a.png"], "no attribution method 'lime'"),
        (["--method", "cam"], "Say what is written"),
        (["--method", "cam", "--out", "a.png", "--store", "b"], "Say what is written"),
        (["--method", "cam", "--out", "a.gif"], "the ending says what is written"),
        (["--method", "cam", "--out", "a.png", "--class", "pink"], "no class 'pink'"),
        (["--method", "cam", "--out", "a.png", "--picture", "none"], "no picture 'none'"),
        (["--method", "cam", "--out", "a.png", "--head", "fc9"], "no extraction rule 'fc9'"),
        (["--method", "cam", "--out", "a.png", "--class", "red", "--against", "red"], "held against itself"),
        (["--method", "cam", "--store", "b", "--picture", "x"], "belong to --out"),
        (["--method", "cam", "--store", "b", "--limit", "0"], "from 1"),
        (["--method", "cam", "--out", "a.png", "--scales", "9"], "0.05 to 4"),
        (["--method", "occlusion", "--out", "a.png", "--window", "7"], "'window'"),
        (["--method", "cam", "--out", "a.png", "--classifier", "timm:resnet10t"], "Name a network"),
        (["--method", "cam", "--out", "a.png", "--weights", "w.pth"], "belong to --classifier"),
    ],
)
def test_wrong_input_is_refused_with_a_sentence(
    place: Path,
    spec: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["attribute", "maps", str(place / "mine"), "--data", spec, *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_names_of_maps_say_who_was_asked_for_what(place: Path) -> None:
    network = load_run(place / "mine", pick_device("cpu")).network
    asked = Attributed(network, "mine", "", ("red", "green", "blue"), "grad_cam", "fc2", 1)
    assert asked.rule == "grad_cam-fc2-against-green"


def test_reports_and_pictures_read_attributions_as_rules(
    place: Path, spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("RECAM_CACHE", str(tmp_path / "cache"))
    run = str(place / "mine")
    assert main(["analyse", run, "--data", spec, "--rule", "layer_cam-fc2"]) == 0
    (folder,) = (tmp_path / "cache").glob("maps-*")
    stored = MapStore(folder / "maps")
    assert (stored.info.rule, stored.info.scales) == ("layer_cam-fc2", (1.0, 2.0))
    # What is kept is not made again, and is the same as the command for attributions makes.
    before = (folder / "maps" / "maps.bin").stat().st_mtime_ns
    report = tmp_path / "report.html"
    assert main(["report", spec, "--runs", run, "--rule", "layer_cam-fc2", "--out", str(report)]) == 0
    assert "layer cam-fc2" in report.read_text()
    assert (folder / "maps" / "maps.bin").stat().st_mtime_ns == before
    command = ["attribute", "maps", run, "--data", spec, "--method", "layer_cam", "--head", "fc2"]
    assert main([*command, "--store", str(tmp_path)]) == 0
    made = MapStore(tmp_path / "mine-layer_cam-fc2")
    for id in made:
        np.testing.assert_array_equal(made[id].activations, stored[id].activations)
    figure = tmp_path / "figure.png"
    assert main(["figure", "--runs", run, "--rule", "grad_cam-fc1", "--data", spec, "--out", str(figure)]) == 0
    assert figure.is_file()
    capsys.readouterr()
    for rule, message in (("lime-fc1", "or an attribution method"), ("cam-fc9", "fc9"), ("cam-softmax", "background")):
        assert main(["analyse", run, "--data", spec, "--rule", rule]) == 2
        assert message in capsys.readouterr().err
