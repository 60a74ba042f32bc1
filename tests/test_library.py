"""The library as a notebook uses it: ``import recam_core as recam``."""

import doctest
import functools
import inspect
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import recam_core as recam
from recam_core import library
from recam_core.checkpoint.run_folder import load_run, read_info
from recam_core.cli.main import main
from recam_core.data.folder import export_folder
from recam_core.maps.activation_maps import argmax_and_activation, full_size, seed_mask
from recam_core.maps.inference import activation_maps
from recam_core.method.extraction import class_weights
from recam_core.scores.scores import picture_scores
from run_folders import write_run
from tiny_data import TinyDataset

NAMES = [name for name in recam.__all__ if name != "__version__"]


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("runs", "cache"):
        monkeypatch.setenv(f"RECAM_{name.upper()}", str(tmp_path / name))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True, scope="module")
def networks_are_read_once() -> Iterator[None]:
    """The examples, the page and the notebook open the same runs, which are what takes time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(library, "load_run", functools.cache(load_run))
        yield


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """Data, and a folder of two runs of a tiny network."""
    place = tmp_path_factory.mktemp("library")
    export_folder(TinyDataset(6), place / "data")
    write_run(place / "runs" / "bce", "bce", seed=1, threshold=0.5)
    write_run(place / "runs" / "recam", "recam", seed=7, threshold=0.4)
    return place


@pytest.fixture(scope="module")
def lab(place: Path) -> recam.Lab:
    return recam.load(place / "runs", device="cpu")


def test_importing_is_quick(repo_root: Path) -> None:
    heavy = ("torch", "numpy", "matplotlib", "PIL", "pandas", "streamlit")
    code = f"import recam_core, sys; print(dir(recam_core)); sys.exit(any(name in sys.modules for name in {heavy}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=repo_root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(f"'{name}'" in done.stdout for name in recam.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'lode'"):
        recam.lode  # noqa: B018
    assert not hasattr(recam, "choose_threshold")  # imported by the library, but not its own


def public() -> list[tuple[str, object]]:
    """Every name that ``recam_core`` offers, with the public methods and properties of its classes."""
    found: list[tuple[str, object]] = []
    for name in NAMES:
        thing = getattr(recam, name)
        found.append((name, thing))
        if inspect.isclass(thing) and thing.__module__ == library.__name__:
            found += [(f"{name}.{key}", part) for key, part in vars(thing).items() if not key.startswith("_")]
    return found


def test_everything_public_is_documented() -> None:
    bare = [name for name, thing in public() if not (inspect.getdoc(thing) or "").strip()]
    assert not bare
    for name, thing in public():
        if not inspect.isfunction(thing):
            continue
        words = inspect.getdoc(thing)
        refers = re.search(r"for the arguments see", words)
        missing = [each for each in inspect.signature(thing).parameters if each != "self" and f"{each}:" not in words]
        assert refers or not missing, f"{name} does not say what {missing} is"


def test_the_examples_run() -> None:
    names = {"recam": recam}
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    examples = doctest.DocTestFinder().find(library, "library", globs=names)
    told = ""
    for example in sorted(examples, key=lambda each: each.lineno or 0):
        example.globs = names  # one goes on where the one before it ended
        output: list[str] = []
        runner.run(example, out=output.append, clear_globs=False)
        told += "".join(output)
    assert not told, told
    assert runner.summarize(verbose=False).attempted > 15


def test_the_notebook_runs(repo_root: Path) -> None:
    cells = json.loads((repo_root / "docs" / "library.ipynb").read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert len(code) > 4
    names: dict[str, object] = {}
    for cell in code:
        exec(compile(cell, "docs/library.ipynb", "exec"), names)  # noqa: S102 - it is the repository's own
    assert isinstance(names["maps"], recam.PictureMaps)


def test_the_five_lines_of_the_page_run(repo_root: Path) -> None:
    text = (repo_root / "docs" / "library.md").read_text(encoding="utf-8")
    first = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    assert len(first.strip().splitlines()) <= 5
    Image.fromarray(TinyDataset(1).load(0).image).save("cow.jpg")
    Path("photos").mkdir()  # a family's name is the family
    names: dict[str, object] = {}
    exec(first, names)  # noqa: S102 - the same
    assert names["maps"].titles == ("BCE-CAM", "SCE-CAM", "ReCAM")
    # What the page names is there.
    for name in re.findall(r"`recam\.(\w+)", text):
        assert name in recam.__all__
    for name in re.findall(r"`(?:lab|maps)\.(\w+)", text):
        assert hasattr(recam.Lab, name) or hasattr(recam.PictureMaps, name), name


def test_maps_are_those_of_the_command_line(place: Path, lab: recam.Lab, tmp_path: Path) -> None:
    """Not only alike: the NPZ file that ``figure`` writes holds the same maps and seeds."""
    sample = TinyDataset(6).load(1)
    present = [("red", "green", "blue")[k] for k in np.flatnonzero(sample.labels)]
    maps = lab.maps(sample.image, present)
    photo = tmp_path / "photo.png"
    Image.fromarray(sample.image).save(photo)
    runs = [str(path) for path in lab.paths]
    command = ["figure", "--runs", *runs, "--photo", str(photo), "--present", *present, "--device", "cpu"]
    assert main([*command, "--out", "maps.npz"]) == 0
    with np.load("maps.npz") as file:
        kept = file["activations"]
    assert kept.shape[0] == 2
    for order, method in enumerate(("bce", "recam")):
        assert np.array_equal(maps.activations(method), kept[order].astype(np.float32) / 255)


def test_maps_and_seeds_by_hand(place: Path, lab: recam.Lab) -> None:
    sample = TinyDataset(6).load(3)
    present = np.flatnonzero(sample.labels)
    maps = lab.maps(sample.image, [lab.classes[k] for k in present], scales=(1.0,), mirror=False)
    run = load_run(place / "runs" / "recam")
    weight = class_weights(run.info.rule, run.network.fc1.detach(), run.network.fc2.detach())
    by_hand = activation_maps(run.network, sample.image, weight, present, scales=(1.0,), mirror=False)
    assert np.array_equal(maps.recam, full_size(by_hand).astype(np.float32) / 255)
    assert np.array_equal(maps.seeds("recam"), seed_mask(*argmax_and_activation(by_hand), 0.4))
    assert np.array_equal(maps.seeds("ReCAM", 0.8), seed_mask(*argmax_and_activation(by_hand), 0.8))
    errors = maps.errors(sample.mask)
    assert errors.scores["ReCAM"] == picture_scores(maps.seeds("recam"), sample.mask, run.info.class_list)
    assert f"{100 * errors.scores['BCE-CAM'].recall:.1f}" in repr(errors)


def test_a_picture_may_be_a_file_an_image_or_an_array(lab: recam.Lab) -> None:
    sample = TinyDataset(6).load(0)
    expected = lab.maps(sample.image, ["red"], scales=(1.0,)).bce
    image = Image.fromarray(sample.image)
    image.save("photo.png")
    # As cameras store it: turned, with a note of what is up.
    exif = Image.Exif()
    exif[0x0112] = 6
    image.transpose(Image.Transpose.ROTATE_90).save("turned.png", exif=exif)
    clear = image.convert("RGBA")
    for one in ("photo.png", Path("photo.png"), image, clear, Image.open("turned.png"), "turned.png", sample):
        assert np.array_equal(lab.maps(one, ["red"], scales=(1.0,)).bce, expected)


def test_a_mask_may_be_a_file_an_image_or_an_array(lab: recam.Lab) -> None:
    sample = TinyDataset(6).load(1)
    maps = lab.maps(sample.image, ["red", "green", "blue"], scales=(1.0,))
    expected = maps.errors(sample.mask)
    painted = Image.fromarray(sample.mask)
    painted.putpalette([0, 0, 0, 200, 0, 0])  # fewer colours than values
    Image.fromarray(sample.mask).save("mask.png")
    for one in ("mask.png", Path("mask.png"), painted, sample.mask.astype(np.int64)):
        assert np.array_equal(maps.errors(one).mask, sample.mask)
        assert maps.errors(one).scores == expected.scores


def test_a_mask_drawn_on_a_turned_photograph_is_turned_and_that_is_said(lab: recam.Lab) -> None:
    image, mask = np.full((24, 40, 3), 90, np.uint8), np.zeros((24, 40), np.uint8)
    mask[:4, :4] = 1
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(image).save("turned.jpg", exif=exif)
    errors = lab.maps("turned.jpg", ["red"], scales=(1.0,)).errors(mask)
    assert errors.mask.shape == (40, 24)
    assert (errors.mask[:4, -4:] == 1).all()
    assert "So was the mask" in repr(errors)
    assert "holds no class" in repr(lab.maps(image, ["red"], scales=(1.0,)).errors(0 * mask))


def test_a_large_picture_is_made_smaller_and_says_so(lab: recam.Lab) -> None:
    sample = TinyDataset(1, size=96).load(0)
    maps = lab.maps(sample.image, ["red"], scales=(1.0,), longest=48)
    assert maps.recam.shape == (1, 48, 48)
    assert maps.errors(sample.mask).mask.shape == (48, 48)
    assert "made smaller, to 48 x 48 pixels" in repr(maps)
    assert lab.maps(sample.image, ["red"], scales=(1.0,)).notes == ()


def test_what_a_notebook_shows_is_a_picture(lab: recam.Lab) -> None:
    sample = TinyDataset(6).load(0)
    maps = lab.maps(sample.image, ["red"], scales=(1.0,))
    shown = (maps, maps.errors(sample.mask), maps.show("seeds"), maps.errors(sample.mask).show(["red"]))
    for one in shown:
        assert one._repr_png_().startswith(b"\x89PNG")
    heads = [axes.get_label() for axes in maps.show().axes]
    assert heads[:3] == ["photo", "BCE-CAM", "ReCAM"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda lab: lab.maps("nowhere.jpg"), "nowhere.jpg: this file is missing"),
        (lambda lab: lab.maps(np.zeros((9, 9, 3))), "not 9 x 9 x 3 of float64"),
        (lambda lab: lab.maps(Image.new("RGB", (4, 4))), "each side must have at least 8 pixels"),
        (lambda lab: lab.maps(np.zeros((9, 9, 3), np.uint8), ["cow"]), "know no class 'cow'"),
        (lambda lab: lab.maps(np.zeros((9, 9, 3), np.uint8), scales=()), "Scales are one or more numbers"),
        (lambda lab: picture(lab).sce, "no maps by SCE-CAM here, but by BCE-CAM, ReCAM"),
        (lambda lab: picture(lab).seeds("bce", 2), "between 0 and 1"),
        (lambda lab: picture(lab).errors(np.zeros((9, 8), np.uint8)), "they must have the same size"),
        (lambda lab: picture(lab).errors(np.full((9, 9), 7)), "the mask holds the value 7, but there are 3 classes"),
        (lambda lab: picture(lab).errors(np.zeros((9, 9))), "not 9 x 9 of float64"),
        (lambda lab: picture(lab).errors(Image.new("RGB", (9, 9))), "the mask has colours"),
        (lambda lab: picture(lab).show("eros"), "There is no overlay 'eros'"),
        (lambda lab: picture(lab).show(classes=["cow"]), "no class 'cow'"),
        (lambda lab: recam.load("photoz"), "no run 'photoz'.*families that ship: animals, contexts, photos, scenes"),
        (lambda lab: recam.load("photos", "cuda:99"), "'cuda:99'"),
        (lambda lab: recam.Lab([]), "needs one run at least"),
        (lambda lab: lab.retrain(TinyDataset(), mask="hart"), "There is no mask 'hart'"),
        (lambda lab: lab.retrain(TinyDataset(), mast="hard"), "no setting 'mast'; there are mask, lam, rule"),
        (lambda lab: lab.retrain("scenes"), "classes of scenes.* are not those of the run"),
        (lambda lab: lab.retrain(TinyDataset(), name="a/b"), "cannot be the name of a run"),
        (lambda lab: recam.evaluate(lab, "gallery"), "have different classes"),
        (lambda lab: recam.evaluate(lab, TinyDataset(), limit=0), "limit takes a number of pictures"),
        (lambda lab: recam.evaluate(lab, TinyDataset(), limit="3"), "limit takes a whole number, got '3'"),
        (lambda lab: recam.evaluate(lab, None), "Data are a specification.*not nothing"),
        (lambda lab: lab.maps(torch.zeros(9, 9, 3)), "not a Tensor; np.asarray makes an array"),
        (lambda lab: lab.maps(None), "not nothing"),
        (lambda lab: lab.maps(b"cow"), "not a bytes"),
        (lambda lab: lab.maps(np.zeros((9, 9, 3), np.uint8), 3), "by their names, in a list, not as an int"),
        (lambda lab: lab.maps(np.zeros((9, 9, 3), np.uint8), scales=1), "scales takes numbers in a list"),
        (lambda lab: lab.maps(np.zeros((9, 9, 3), np.uint8), longest="9"), "longest takes a number"),
        (lambda lab: picture(lab).errors(torch.zeros(9, 9)), "not a Tensor"),
        (lambda lab: picture(lab).seeds("bce", "low"), "threshold takes a number"),
        (lambda lab: picture(lab).show("errors"), "Errors need ground truth: maps.errors"),
        (lambda lab: picture(lab).show(classes="green"), "'green' has no map here; there are red"),
        (lambda lab: recam.load(""), "a folder of runs, not nothing. The families"),
    ],
)
def test_what_cannot_be_is_a_sentence(lab: recam.Lab, wrong, words: str) -> None:
    with pytest.raises(recam.UserError, match=words):
        wrong(lab)


def picture(lab: recam.Lab) -> recam.PictureMaps:
    return lab.maps(np.full((9, 9, 3), 90, np.uint8), ["red"], scales=(1.0,))


def test_retraining_makes_the_run_that_the_command_line_makes(place: Path, lab: recam.Lab, tmp_path: Path) -> None:
    data = f"folder:{place / 'data'}"
    mine = lab.retrain(data, mask="power:2", lam=0.5, epochs=2, progress=False)
    assert mine.titles == ("BCE-CAM", "retrained")
    assert mine.paths[1] == tmp_path / "runs" / "retrained"
    command = ["retrain", str(lab.paths[0]), "--data", data, "--mask", "power:2", "--lambda", "0.5", "--epochs", "2"]
    assert main([*command, "--choose-threshold", "--device", "cpu", "--out", str(tmp_path / "by-command")]) == 0
    one, other = (read_info(tmp_path / name) for name in ("runs/retrained", "by-command"))
    assert (one.weights_sha256, one.threshold, one.recipe) == (other.weights_sha256, other.threshold, other.recipe)
    # The next one takes another name, and what was kept opens by its name, with what it started from.
    again = lab.retrain(data, epochs=2, update="fc2", progress=False)
    assert again.titles[1] == "retrained-2"
    assert recam.load("retrained-2").titles[-1] == "retrained-2"
    sample = TinyDataset(6).load(0)
    assert mine.maps(sample.image, ["red"], scales=(1.0,)).recam.shape == (1, 48, 48)


def test_a_setting_that_does_nothing_is_said(lab: recam.Lab) -> None:
    with pytest.warns(UserWarning, match="Lambda does nothing here"):
        lab.retrain(TinyDataset(4), lam=0.5, update="fc2", epochs=2, background=0, progress=False)


def test_lambda_0_is_said(lab: recam.Lab) -> None:
    with pytest.warns(UserWarning, match="With lambda 0 FC2 is not trained"):
        lab.retrain(TinyDataset(4), lam=0, epochs=2, background=0, progress=False)


def test_scores_are_those_of_the_command_line(place: Path, lab: recam.Lab) -> None:
    data = f"folder:{place / 'data'}"
    scores = recam.evaluate(lab, data, draws=20, progress=False)
    runs = [str(path) for path in lab.paths]
    assert main(["evaluate", *runs, "--data", data, "--bootstrap", "20", "--device", "cpu", "--json", "by.json"]) == 0
    expected = json.loads(Path("by.json").read_text())["evaluations"]
    for one, other in zip(scores.values(), expected, strict=True):
        found = json.loads(json.dumps(one.to_json()))
        assert {key: found[key] for key in found if key != "name"} == {
            key: other[key] for key in found if key != "name"
        }
    assert f"{100 * scores['ReCAM'].best.miou:.2f}" in repr(scores)
    assert len(recam.evaluate(lab, data, limit=2, progress=False)["BCE-CAM"].counts) == 2
    given = recam.evaluate(place / "runs", data, threshold=0.7, progress=False)
    assert [one.fixed.threshold for one in given.values()] == [0.7, 0.7]


def test_a_folder_that_cannot_be_written_to_says_what_names_another(
    lab: recam.Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RECAM_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(recam.UserError, match=r"Cannot write .*RECAM_CACHE in the environment names another folder"):
        lab.retrain(TinyDataset(4), epochs=2, background=0, progress=False)
