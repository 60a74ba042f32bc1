"""``cams`` and ``evaluate`` on a small folder of pictures: what is stored, scored, compared and refused."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from recam_core.atomic_write import write_json
from recam_core.checkpoint.run_folder import RunInfo, load_run, read_info, save_run
from recam_core.cli.main import main
from recam_core.data.folder import export_folder
from recam_core.data.sample import ClassList
from recam_core.data.spec import open_dataset
from recam_core.errors import UserError
from recam_core.maps.activation_maps import ActivationMaps
from recam_core.maps.dataset_maps import MapSettings, maps_of_dataset
from recam_core.maps.inference import activation_maps
from recam_core.maps.store import MapStore
from recam_core.method.extraction import class_weights
from recam_core.model.network import CamNetwork
from recam_core.scores.evaluate import Tally, evaluate_maps
from recam_core.scores.pixel_counts import load_counts
from recam_core.scores.thresholds import choose_threshold
from tiny_data import TinyDataset

NAMES = ["red", "green", "blue"]


def save_small_run(folder, name, with_fc2=False, classes=NAMES, has_background=True, threshold=None, method="bce"):
    torch.manual_seed(len(name))
    network = CamNetwork("timm:resnet10t", len(classes), with_fc2=with_fc2)
    rule = "product" if with_fc2 else "fc1"
    info = RunInfo(name, method, rule, {}, list(classes), has_background, "folder:x", {}, 0, threshold)
    save_run(folder, network, info)
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with data, a BCE run with a threshold and a ReCAM run."""
    place = tmp_path_factory.mktemp("place")
    export_folder(TinyDataset(6), place / "data")
    save_small_run(place / "bce", "bce", threshold=0.4)
    save_small_run(place / "recam", "recam", with_fc2=True, method="recam")
    return place


@pytest.fixture
def data(place):
    return f"folder:{place / 'data'}"


def run(*arguments):
    return main([str(argument) for argument in arguments])


def test_a_run_without_a_threshold_of_its_own_is_said_to_have_none(place, data, capsys):
    note = "the one that is best here was searched on these very pictures"
    assert run("evaluate", place / "bce", "--data", data) == 0
    assert note not in capsys.readouterr().out
    assert run("evaluate", place / "bce", place / "recam", "--data", data) == 0
    shown = capsys.readouterr().out
    assert f"recam product has no background threshold of its own: {note}" in shown
    assert "bce fc1 has no" not in shown
    assert run("evaluate", place / "recam", "--data", data, "--threshold", 0.3) == 0
    assert note not in capsys.readouterr().out


def test_nothing_of_a_class_is_no_score(place, data, tmp_path, capsys):
    root = tmp_path / "data"
    shutil.copytree(place / "data", root)
    masks = {path: np.asarray(Image.open(path)) for path in (root / "masks").iterdir()}
    for path, mask in masks.items():
        Image.fromarray(np.where(mask > 0, 255, 0).astype(np.uint8)).save(path)
    # What was kept of the other masks is not taken for these.
    for refused in (("evaluate", place / "bce"), ("analyse", place / "bce")):
        assert run(*refused, "--data", f"folder:{root}") == 2
        captured = capsys.readouterr()
        assert "nothing of a class to score" in captured.err
        assert "mIoU" not in captured.out
    tally = Tally(open_dataset(data).classes)
    for index, id in enumerate(open_dataset(f"folder:{root}").ids):
        maps = ActivationMaps(id, (1, 2), np.array([0]), np.full((1, 1, 1), 255, dtype=np.uint8))
        tally.add(maps, np.array([[0, 255]], dtype=np.uint8) if index else None)
    with pytest.raises(UserError, match="background alone"):
        tally.evaluation()


def test_masks_turned_with_their_photographs_are_said(place, tmp_path, capsys):
    root = tmp_path / "data"
    shutil.copytree(place / "data", root)
    path = sorted((root / "images").iterdir())[0]
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.open(path).save(path, exif=exif)
    assert run("evaluate", place / "bce", "--data", f"folder:{root}") == 0
    said = capsys.readouterr().err
    assert f"1 mask ({path.stem}) is taken as drawn on the upright picture, though nothing says so" in said
    assert "masks_drawn_on.txt" in said


def test_stores_hold_what_inference_gives(place, data, tmp_path, capsys):
    rules = ["fc1", "product", "rectified_product"]
    options = [word for rule in rules for word in ("--rule", rule)]
    assert run("cams", place / "recam", "--data", data, "--out", tmp_path, "--scales", 1, 0.5, *options) == 0
    assert "3 stores" in capsys.readouterr().out
    loaded, dataset = load_run(place / "recam"), open_dataset(data)
    for rule in rules:
        store = MapStore(tmp_path / f"recam-{rule}")
        assert store.ids == tuple(dataset.ids)
        assert store.info.rule == rule
        assert store.info.scales == (1.0, 0.5)
        assert store.info.weights_sha256 == loaded.info.weights_sha256
        weight = class_weights(rule, loaded.network.fc1, loaded.network.fc2)
        for index in range(len(dataset)):
            sample = dataset.load(index)
            classes = np.flatnonzero(sample.labels)
            alone = activation_maps(loaded.network, sample.image, weight, classes, scales=(1.0, 0.5), id=sample.id)
            assert np.array_equal(store[sample.id].activations, alone.activations)
            assert np.array_equal(store[sample.id].classes, classes)


def test_a_store_scores_as_its_run_does(place, data, tmp_path, capsys):
    assert run("cams", place / "bce", "--data", data, "--out", tmp_path, "--no-mirror") == 0
    common = ["--data", data, "--per-class"]
    assert run("evaluate", tmp_path / "bce-fc1", *common, "--json", tmp_path / "a.json") == 0
    shown = capsys.readouterr().out
    assert "6 of 6 pictures scored" in shown
    assert "0.40 of bce" in shown
    assert "IoU per class" in shown
    assert run("evaluate", place / "bce", *common, "--no-mirror", "--json", tmp_path / "b.json") == 0
    from_store, from_run = (json.loads((tmp_path / name).read_text()) for name in ("a.json", "b.json"))
    assert from_store == from_run
    result = from_store["evaluations"][0]
    assert result["classes"] == ["background", *NAMES]
    assert len(result["curve"]["miou"]) == 101
    assert result["best"]["miou"] == max(result["curve"]["miou"])
    assert result["fixed"]["threshold"] == 0.4
    store, dataset = MapStore(tmp_path / "bce-fc1"), open_dataset(data)
    masks = [dataset.mask(index) for index in range(len(dataset))]
    assert evaluate_maps(store.values(), masks, dataset.classes).best.miou == result["best"]["miou"]


def test_several_are_compared_with_the_first(place, data, tmp_path, capsys):
    options = ["--threshold", 0.3, "--bootstrap", 50, "--thresholds", 11, "--parts", tmp_path / "parts.npz"]
    assert run("evaluate", place / "bce", place / "recam", "--data", data, *options) == 0
    shown = capsys.readouterr().out
    assert "bce fc1" in shown
    assert "recam product" in shown
    assert shown.count("0.30 given") == 2
    assert shown.count("95% interval (fixed)") == 2
    assert shown.count("Per-picture counts") == 2
    assert len(load_counts(tmp_path / "parts-recam-product.npz")) == 6


def test_other_pictures_cannot_be_compared(place, data, tmp_path, capsys):
    assert run("cams", place / "bce", "--data", data, "--out", tmp_path, "--limit", 2) == 0
    assert run("evaluate", tmp_path / "bce-fc1", "--data", data) == 0
    assert "2 of 6 pictures scored" in capsys.readouterr().out
    assert run("evaluate", tmp_path / "bce-fc1", place / "bce", "--data", data) == 2
    assert "scored on different pictures (4 are in one of them only" in capsys.readouterr().err


def test_threshold_and_scores_are_kept_in_the_run(data, tmp_path, capsys):
    path = save_small_run(tmp_path / "mine", "mine")
    weights = (path / "model.safetensors").read_bytes()
    assert run("evaluate", path, "--data", data, "--keep-threshold", "--keep-scores") == 0
    info = read_info(path)
    kept = next(iter(info.scores.values()))["fc1"]
    assert info.threshold == kept["best"]["threshold"] == kept["threshold"]
    assert kept["miou"] == kept["best"]["miou"]
    assert "confusion" not in kept["best"]
    assert (path / "model.safetensors").read_bytes() == weights
    capsys.readouterr()
    assert run("checkpoint", "info", path) == 0
    assert "miou" in capsys.readouterr().out
    assert run("evaluate", path, "--data", data) == 0
    assert "of mine" in capsys.readouterr().out


def test_without_background_every_pixel_is_scored_over_its_classes(tmp_path, capsys):
    tiny = TinyDataset(4)
    tiny.classes = ClassList(tuple(NAMES), has_background=False)
    run_path = save_small_run(tmp_path / "bare", "bare", has_background=False)
    loaded = load_run(run_path)
    pictures = list(maps_of_dataset(loaded.network, tiny, ["fc1"], MapSettings()))
    result = evaluate_maps([maps["fc1"] for _, maps in pictures], [sample.mask for sample, _ in pictures], tiny.classes)
    assert result.best.threshold is None
    assert result.scored_names == tuple(NAMES)
    assert result.best.pixels == sum(int((sample.mask > 0).sum()) for sample, _ in pictures)
    assert result.best.lost_to_background == 0


def test_the_threshold_of_a_large_set_is_chosen_on_pictures_from_all_of_it(place):
    network, data, seen = load_run(place / "bce").network, TinyDataset(60, size=32), []
    data.load = lambda index, load=data.load: seen.append(index) or load(index)
    assert choose_threshold(network, network.fc1.detach(), data) is not None
    assert seen == sorted(set(seen))
    assert len(seen) == 24
    assert (seen[0], seen[-1]) == (0, 59)
    assert max(np.diff(seen)) == 3


def test_predicted_labels_are_those_of_the_network(place):
    loaded = load_run(place / "bce")
    settings = MapSettings(labels="predicted")
    for _, maps in maps_of_dataset(loaded.network, TinyDataset(3), ["fc1"], settings, limit=2):
        assert len(maps["fc1"].classes) >= 1


def test_a_picture_that_cannot_be_read_is_left_out_of_a_store(place, tmp_path, capsys):
    export_folder(TinyDataset(4), tmp_path / "data")
    broken = sorted((tmp_path / "data" / "images").iterdir())[2]
    broken.write_bytes(broken.read_bytes()[:60])
    assert run("cams", place / "bce", "--data", f"folder:{tmp_path / 'data'}", "--out", tmp_path / "out") == 3
    assert f"{broken.name}: the file is truncated" in capsys.readouterr().err
    assert broken.stem not in MapStore(tmp_path / "out" / "bce-fc1").ids
    assert len(MapStore(tmp_path / "out" / "bce-fc1")) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cams", "{place}/bce", "--data", "{data}", "--out", "{tmp}", "--rule", "product"], "trained without it"),
        (
            ["cams", "{place}/recam", "--data", "{data}", "--out", "{tmp}", "--rule", "best"],
            "no extraction rule 'best'",
        ),
        (["cams", "{place}/bce", "{place}/bce", "--data", "{data}", "--out", "{tmp}"], "use two --out folders"),
        (["cams", "{place}", "--data", "{data}", "--out", "{tmp}"], "no run folder"),
        (["cams", "{place}/bce", "--data", "{data}", "--out", "{tmp}", "--scales", "0"], "Scales are"),
        (["cams", "{place}/bce", "--data", "{data}", "--out", "{tmp}", "--device", "tpu"], "no device 'tpu'"),
        (["evaluate", "{place}", "--data", "{data}"], "neither a run folder"),
        (["evaluate", "{place}/bce", "--data", "{data}", "--thresholds", "1"], "2 or more"),
        (["evaluate", "{place}/bce", "--data", "{data}", "--threshold", "3"], "between 0 and 1"),
        (["evaluate", "{place}/bce", "--data", "scenes@val"], "different classes: only the former has 'red'"),
    ],
)
def test_wrong_input_is_refused_with_a_sentence(place, data, tmp_path, capsys, arguments, message):
    words = [word.format(place=place, data=data, tmp=tmp_path) for word in arguments]
    assert run(*words) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_a_store_of_other_data_is_refused(place, data, tmp_path, capsys):
    assert run("cams", place / "bce", "--data", data, "--out", tmp_path) == 0
    export_folder(TinyDataset(3, spec="other"), tmp_path / "other")
    assert run("evaluate", tmp_path / "bce-fc1", "--data", f"folder:{tmp_path / 'other'}") == 2
    assert "none of the pictures" in capsys.readouterr().err
    export_folder(TinyDataset(6, size=52), tmp_path / "larger")
    assert run("evaluate", tmp_path / "bce-fc1", "--data", f"folder:{tmp_path / 'larger'}") == 2
    assert "48x48 pixels, but the ground truth has 52x52" in capsys.readouterr().err
    assert run("evaluate", tmp_path / "bce-fc1", "--data", data, "--keep-scores") == 2


def test_a_run_name_cannot_leave_the_folder(place, data, tmp_path):
    path = save_small_run(tmp_path / "odd", "odd")
    record = json.loads((path / "run.json").read_text())
    record["name"] = "../../outside/x y"
    write_json(path / "run.json", record)
    assert run("cams", path, "--data", data, "--out", tmp_path / "out", "--limit", 1) == 0
    assert [entry.name for entry in (tmp_path / "out").iterdir()] == ["_.._outside_x_y-fc1"]


def test_runs_are_listed_and_damaged_ones_named(place, tmp_path, capsys):
    (place / "broken").mkdir(exist_ok=True)
    (place / "broken" / "run.json").write_text("{")
    assert run("checkpoint", "list", place, "--json", tmp_path / "list.json") == 0
    shown = capsys.readouterr().out
    assert "timm:resnet10t" in shown
    assert "damaged" in shown
    rows = json.loads((tmp_path / "list.json").read_text())
    assert {row.get("method") for row in rows} == {"bce", "recam", None}
    assert run("checkpoint", "info", place / "broken") == 2
    assert run("checkpoint", "list", place / "nowhere") == 2


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("network", {"num_classes": 3}),
        ("network", [1]),
        ("network", None),
        ("threshold", "low"),
        ("threshold", 7),
        ("has_background", "yes"),
        ("name", 3),
        ("scores", []),
        ("classes", ["red"]),
        ("method", "magic"),
    ],
)
def test_a_record_of_another_form_is_refused(place, data, tmp_path, capsys, field, value):
    shutil.copytree(place / "bce", tmp_path / "bce")
    record = json.loads((tmp_path / "bce" / "run.json").read_text())
    write_json(tmp_path / "bce" / "run.json", record | {field: value})
    for words in (["checkpoint", "info"], ["evaluate", "--data", data]):
        assert run(*words, tmp_path / "bce") == 2
        assert "run.json is damaged" in capsys.readouterr().err
    assert run("checkpoint", "list", tmp_path) == 0
    assert "damaged" in capsys.readouterr().out
