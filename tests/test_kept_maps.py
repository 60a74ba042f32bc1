"""Maps made once: stores made in parts and by several processes, and what reads them instead of making maps again."""

import json
import shutil
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from recam_core.attribution.attributed_set import attributed_run, attributions_of_dataset
from recam_core.checkpoint.run_folder import RunInfo, load_run, read_info, save_run
from recam_core.cli.main import main
from recam_core.data.spec import open_dataset
from recam_core.data.subset import Subset, spread
from recam_core.errors import UserError
from recam_core.maps import dataset_maps, in_parts
from recam_core.maps.dataset_maps import MapSettings, kept_or_made, maps_of_dataset
from recam_core.maps.in_parts import StorePlan, on_one_backbone, write_stores
from recam_core.maps.kept import kept_maps
from recam_core.maps.store import MapStore
from recam_core.model.network import CamNetwork
from recam_core.refine import ways
from recam_core.refine.boundaries import usual_thresholds
from recam_core.refine.finishes import finished_pixels
from recam_core.refine.seeds import asked_seeds
from tiny_data import TinyDataset
from tiny_voc import tiny_voc

NAMES = ["red", "green", "blue"]
SETTINGS = MapSettings(scales=(1.0,), mirror=False)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Pictures in the layout of VOC, a run, one with other classifiers on its backbone, and one of its own."""
    place = tmp_path_factory.mktemp("kept")
    tiny_voc(place / "squares", train_pictures=8, val_pictures=4)
    torch.manual_seed(0)
    network = CamNetwork("timm:resnet10t", 3)
    save_run(place / "bce", network, RunInfo("bce", "bce", "fc1", {}, NAMES, True, "x", {}, 0, 0.4))
    network.add_fc2()
    save_run(place / "recam", network, RunInfo("recam", "recam", "product", {}, NAMES, True, "x", {}, 0))
    other = CamNetwork("timm:resnet10t", 3)
    save_run(place / "other", other, RunInfo("other", "bce", "fc1", {}, NAMES, True, "x", {}, 0))
    return place


def run(*arguments):
    return main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def stores(place):
    """What `cams` makes of both runs on one backbone."""
    out, data = place / "maps", f"voc:{place / 'squares'}@train"
    assert run("cams", place / "bce", place / "recam", "--data", data, *OPTIONS, "--out", out) == 0
    return out


OPTIONS = ("--scales", "1", "--no-mirror", "--device", "cpu")


def same_maps(ours, theirs):
    assert list(ours) == list(theirs)
    for id in ours:
        np.testing.assert_array_equal(ours[id].activations, theirs[id].activations)
        np.testing.assert_array_equal(ours[id].classes, theirs[id].classes)


def made_by(loaded, dataset, rule="fc1"):
    return {sample.id: maps[rule] for sample, maps in maps_of_dataset(loaded.network, dataset, [rule], SETTINGS)}


REGION = "region_cam-fc1"
ASKED = asked_seeds([REGION], SETTINGS)


def attributed(loaded, dataset):
    return {one.id: maps for one, maps in attributions_of_dataset(attributed_run(loaded, REGION), dataset)}


def test_runs_on_one_backbone_share_a_pass(place, stores, monkeypatch):
    runs = [load_run(place / name) for name in ("bce", "other", "recam")]
    assert [[one.info.name for one in group] for group in on_one_backbone(runs)] == [["bce", "recam"], ["other"]]
    dataset = open_dataset(f"voc:{place / 'squares'}@train")
    for loaded, rule in ((runs[0], "fc1"), (runs[2], "product")):
        same_maps(MapStore(stores / f"{loaded.info.name}-{rule}"), made_by(loaded, dataset, rule))


def plan_of(place, tmp_path):
    loaded = load_run(place / "bce")
    return StorePlan((loaded,), {tmp_path / "store": (0, "fc1")}, SETTINGS), loaded


def test_a_store_that_was_cut_off_goes_on_with_what_is_missing(place, tmp_path, monkeypatch):
    monkeypatch.setattr(in_parts, "PICTURES_A_PART", {"cpu": 3})
    plan, loaded = plan_of(place, tmp_path)
    dataset = TinyDataset(8, spec="squares")
    whole, loads, broken = made_by(loaded, dataset), [], []

    def load(index):
        loads.append(index)
        if index in broken:
            raise UserError("cut off")
        return TinyDataset.load(dataset, index)

    monkeypatch.setattr(dataset, "load", load)
    monkeypatch.setattr(in_parts, "dataset_digest", lambda dataset: "the same")  # it looks at pictures, too
    broken.append(7)
    with pytest.raises(UserError, match="cut off"):
        write_stores(plan, dataset)
    assert not (tmp_path / "store").exists()
    loads.clear()
    broken.clear()
    said = []
    write_stores(plan, dataset, progress=lambda done, total, note: said.append((done, total)))
    assert said == [(8, 8)]
    assert loads == [6, 7]
    same_maps(MapStore(tmp_path / "store"), whole)
    assert [one.name for one in tmp_path.iterdir()] == ["store"]


@pytest.mark.slow
def test_processes_make_what_one_makes(place, tmp_path, monkeypatch):
    monkeypatch.setattr(in_parts, "PICTURES_A_PART", {"cpu": 2})
    plan, loaded = plan_of(place, tmp_path)
    dataset = open_dataset(f"voc:{place / 'squares'}@train")
    write_stores(plan, dataset, processes=2)
    same_maps(MapStore(tmp_path / "store"), made_by(loaded, dataset))
    mixed = replace(plan, stores={tmp_path / "fc1": (0, "fc1"), tmp_path / "region": (0, REGION)}, asked=ASKED)
    write_stores(mixed, dataset, processes=2)
    same_maps(MapStore(tmp_path / "fc1"), made_by(loaded, dataset))
    same_maps(MapStore(tmp_path / "region"), attributed(loaded, dataset))
    with pytest.raises(UserError, match="no split"):
        write_stores(plan, Subset(dataset, range(8), f"voc:{place / 'squares'}@nowhere"), processes=2)


def test_attributions_are_kept_and_read_as_all_maps_are(place, tmp_path, capsys, monkeypatch):
    data, out, folder = f"voc:{place / 'squares'}@train", tmp_path / "maps", tmp_path / "bce"
    shutil.copytree(place / "bce", folder)
    assert run("cams", folder, "--data", data, *OPTIONS, "--rule", REGION, "--rule", "fc1", "--out", out) == 0
    loaded, dataset = load_run(folder), open_dataset(data)
    theirs = attributed(loaded, dataset)
    same_maps(MapStore(out / f"bce-{REGION}"), theirs)
    same_maps(MapStore(out / "bce-fc1"), made_by(loaded, dataset))
    assert MapStore(out / f"bce-{REGION}").info.scales == (1.0,)  # those of the method
    # Several at once are scored as each alone.
    command = ("evaluate", folder, "--data", data, *OPTIONS)
    assert run(*command, "--rule", "fc1", "--rule", REGION, "--json", tmp_path / "both.json") == 0
    each = json.loads((tmp_path / "both.json").read_text())["evaluations"]

    def never(*_, **__):
        raise AssertionError("maps are made again")

    monkeypatch.setattr("recam_core.attribution.attributed_set.attribution_maps", never)
    capsys.readouterr()
    # Scales and mirror images are the method's own, whatever is asked of extraction rules.
    base = ("--rule", REGION, "--maps", out, "--scales", 2, "--device", "cpu", "--data", data)
    scored = tmp_path / "region.json"
    assert run("evaluate", folder, *base, "--keep-threshold", "--keep-scores", "--json", scored) == 0
    assert "Maps of 8 of 8 pictures" in capsys.readouterr().out
    (found,) = json.loads(scored.read_text())["evaluations"]
    assert found["best"] == each[1]["best"] != each[0]["best"]
    info = read_info(folder)
    # Beside that of its own rule, and never taken for it.
    assert (info.threshold, info.thresholds) == (0.4, {REGION: found["best"]["threshold"]})
    assert info.scores["train"][REGION]["scales"] == [1.0]
    learn = ("--epochs", 1, "--preset", "small", "--crop", 64, "--finish", "none", "--json", tmp_path / "edges.json")
    assert run("boundaries", folder, *base, *learn, "--out", tmp_path / "edges") == 0
    recipe = json.loads((tmp_path / "edges.json").read_text())["recipe"]
    assert (recipe["foreground"], recipe["background"]) == usual_thresholds(info.thresholds[REGION])
    evens = []
    monkeypatch.setattr(ways, "finished_pixels", lambda *a, even, **k: evens.append(even) or finished_pixels(*a, **k))
    # The threshold of the seeds themselves is known; a dense CRF would begin there.
    assert run("masks", folder, *base, "--finish", "none", "--out", tmp_path / "masks") == 0
    assert set(evens) == {info.thresholds[REGION]}
    assert json.loads((tmp_path / "masks" / "masks.json").read_text())["threshold"] == info.thresholds[REGION]
    assert "Maps of 8 of 8 pictures" in capsys.readouterr().out
    for words, said in (
        (("cams", folder, "--labels", "predicted", "--rule", REGION, "--out", out), "leave --labels out"),
        (("cams", folder, "--rule", "region_cam-fc2", "--out", out), "needs FC2"),
        (("masks", folder, "--rule", "layer_cam-fc1", "--maps", out, "--threshold", 0.3), "no maps of the run bce"),
    ):
        assert run(*words, *OPTIONS, "--data", data) == 2
        assert said in capsys.readouterr().err


def test_what_maps_leave_in_memory_is_given_back_on_the_way(place, monkeypatch):
    loaded, trimmed = load_run(place / "bce"), []
    monkeypatch.setattr(dataset_maps, "trim_kept_blocks", lambda: trimmed.append(len(trimmed)))
    pictures = maps_of_dataset(loaded.network, open_dataset(f"voc:{place / 'squares'}@train"), ["fc1"], SETTINGS)
    assert sum(1 for _ in pictures) == len(trimmed) == 8


def test_kept_maps_are_read_and_the_others_made(place, stores):
    loaded = load_run(place / "bce")
    train, val = (open_dataset(f"voc:{place / 'squares'}@{split}") for split in ("train", "val"))
    both = Subset(train.dataset if isinstance(train, Subset) else train, range(8), "voc:elsewhere")
    kept = kept_maps([stores], loaded.info, "fc1", train, SETTINGS)
    assert set(kept) == set(train.ids)
    network = loaded.network
    loaded.network = None  # nothing is to be made of it
    read = {sample.id: maps for sample, maps in kept_or_made(network, train, "fc1", SETTINGS, kept=kept)}
    same_maps(read, MapStore(stores / "bce-fc1"))
    # The same files under another name count; those that are not there do not.
    assert set(kept_maps([stores], load_run(place / "bce").info, "fc1", both, SETTINGS)) == set(train.ids)
    assert not kept_maps([stores], load_run(place / "bce").info, "fc1", val, SETTINGS)
    some = {id: maps for id, maps in kept.items() if id in train.ids[::2]}
    mixed = {sample.id: maps for sample, maps in kept_or_made(network, train, "fc1", SETTINGS, kept=some)}
    same_maps(mixed, read)


def test_a_picture_of_the_same_name_elsewhere_is_another_picture(place, stores, tmp_path):
    shutil.copytree(place / "squares", tmp_path / "squares")
    info = load_run(place / "bce").info
    dataset = open_dataset(f"voc:{tmp_path / 'squares'}@train")
    assert set(dataset.ids) == set(MapStore(stores / "bce-fc1").ids)
    assert not kept_maps([stores], info, "fc1", dataset, SETTINGS)


def test_maps_that_are_not_those_asked_for_are_refused(place, stores):
    dataset = open_dataset(f"voc:{place / 'squares'}@train")
    bce, other = (load_run(place / name).info for name in ("bce", "other"))
    with pytest.raises(UserError, match="other scales, mirror images"):
        kept_maps([stores], bce, "fc1", dataset, MapSettings(scales=(2.0,)))
    with pytest.raises(UserError, match="other weights"):
        kept_maps([stores / "bce-fc1"], other, "fc1", dataset, SETTINGS)
    with pytest.raises(UserError, match="no maps of the run other"):
        kept_maps([stores], other, "fc1", dataset, SETTINGS)
    with pytest.raises(UserError, match="not a store"):
        kept_maps([stores / "nowhere"], bce, "fc1", dataset, SETTINGS)


def test_masks_take_maps_and_thresholds_of_earlier_calls(place, stores, tmp_path, capsys):
    data = f"voc:{place / 'squares'}"
    base = ("masks", place / "bce", *OPTIONS, "--data")
    assert run(*base, f"{data}@train", "--select", f"{data}@train", "--json", tmp_path / "made.json") == 0
    assert "are there already" not in capsys.readouterr().out
    chosen = tmp_path / "chosen.json"
    assert run(*base, f"{data}@train", "--select", f"{data}@train", "--maps", stores, "--json", chosen) == 0
    assert "Maps of 8 of 8 pictures" in capsys.readouterr().out
    made, read = (json.loads((tmp_path / name).read_text()) for name in ("made.json", "chosen.json"))
    assert made == read
    there = tmp_path / "there.json"
    assert run(*base, f"{data}@train", "--thresholds", chosen, "--pictures", 4, "--json", there) == 0
    found = json.loads(there.read_text())
    assert found["thresholds"] == read["thresholds"]
    assert found["evaluations"]["direct+pamr"]["pictures"] == 4
    capsys.readouterr()
    assert run("masks", place / "other", *OPTIONS, "--data", f"{data}@train", "--thresholds", chosen) == 2
    assert "another run or rule" in capsys.readouterr().err
    json_of = json.loads(chosen.read_text())
    del json_of["thresholds"]["direct+pamr"]
    chosen.write_text(json.dumps(json_of))
    assert run(*base, f"{data}@train", "--thresholds", chosen) == 2
    assert "no threshold for direct+pamr" in capsys.readouterr().err
    # A file of another kind is none that was damaged.
    scored = tmp_path / "scored.json"
    assert run("evaluate", place / "bce", *OPTIONS, "--data", f"{data}@train", "--json", scored) == 0
    for text, said in (
        (scored.read_text(), "holds no thresholds of masks: give what `masks RUN --data SPEC --select SPEC --json"),
        ("[1, 2]", "holds no thresholds of masks"),
        (scored.read_text()[:90], "is damaged"),
        (json.dumps(json_of | {"thresholds": {"direct+none": "much", "direct+pamr": 0.3}}), "is damaged"),
    ):
        scored.write_text(text)
        capsys.readouterr()
        assert run(*base, f"{data}@train", "--thresholds", scored) == 2
        assert said in capsys.readouterr().err


def test_the_threshold_of_a_run_is_chosen_on_kept_maps(place, stores, tmp_path, capsys):
    data, base = f"voc:{place / 'squares'}@train", ("evaluate", place / "bce", *OPTIONS, "--data")
    for name, words in (("made", ()), ("read", ("--maps", stores))):
        assert run(*base, data, *words, "--json", tmp_path / f"{name}.json") == 0
    assert "Maps of 8 of 8 pictures" in capsys.readouterr().out
    made, read = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("made", "read"))
    assert made == read
    assert run("evaluate", place / "recam", "--rule", "fc1", "--rule", "product", "--data", data, "--maps", stores) == 2
    assert "name one --rule" in capsys.readouterr().err


def test_pictures_are_spread_evenly_and_the_fewer_are_among_the_more():
    dataset = open_dataset("scenes@train")
    chosen = {count: spread(dataset, count).indices for count in (1, 7, 200, 300, 799)}
    assert [len(places) for places in chosen.values()] == list(chosen)
    for few, more in pairwise(chosen.values()):
        assert set(few) <= set(more)
    gaps = np.diff([*chosen[200], chosen[200][0] + len(dataset)])
    assert set(gaps.tolist()) <= {2, 3, 5}
    # In step with no period: of each remainder about as many.
    for period in range(2, 16):
        counts = np.bincount(np.array(chosen[200]) % period, minlength=period)
        assert np.ptp(counts) <= 0.35 * counts.mean() + 2


def test_maps_of_some_pictures_serve_what_takes_fewer(place, tmp_path, capsys):
    data = f"voc:{place / 'squares'}@train"
    assert run("cams", place / "bce", "--data", data, *OPTIONS, "--pictures", 4, "--out", tmp_path / "some") == 0
    assert ": 4 pictures" in capsys.readouterr().out
    assert run("masks", place / "bce", "--data", data, *OPTIONS, "--maps", tmp_path / "some", "--pictures", 3) == 0
    assert "Maps of 3 of 3 pictures" in capsys.readouterr().out


def test_boundaries_are_learnt_from_pictures_spread_over_the_data(place, stores, tmp_path, capsys):
    data = f"voc:{place / 'squares'}@train"
    words = ("--foreground", 0.5, "--background", 0.3, "--finish", "none", "--epochs", 1, "--preset", "small")
    command = ("boundaries", place / "bce", "--data", data, *OPTIONS, *words, "--maps", stores, "--pictures")
    assert run(*command, 4, "--out", tmp_path / "edges") == 0
    assert "Maps of 4 of 4 pictures" in capsys.readouterr().out
    dataset = open_dataset(data)
    few = spread(dataset, 4).ids
    assert len(set(few)) == 4
    assert few == [id for id in dataset.ids if id in few]
    assert spread(dataset, 9) is dataset
    assert run(*command, 0, "--out", tmp_path / "none") == 2
    assert "take 1 or more" in capsys.readouterr().err
