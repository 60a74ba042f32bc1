"""A run made again from its record: the same weights, to the bit, and the same scores."""

import dataclasses
import shutil
from pathlib import Path

import pytest
import torch

from recam_core.atomic_write import write_json
from recam_core.checkpoint.old_records import split_command
from recam_core.checkpoint.run_folder import INFO_FILE, load_run, read_info
from recam_core.cli.main import main
from recam_core.data.spec import open_dataset
from recam_core.errors import UserError
from recam_core.maps.dataset_maps import MapSettings, maps_of_dataset
from recam_core.method.extraction import class_weights
from recam_core.progress import Cancelled
from recam_core.retrain.features import build_feature_cache
from recam_core.retrain.head_recipe import HeadRecipe
from recam_core.retrain.heads import retrain_heads
from recam_core.retrain.named_run import keep_heads, retrain_command
from recam_core.runs.repeat import changed_versions, recorded_heads, recorded_recipe, repeat_run
from recam_core.scores.evaluate import Tally
from recam_core.scores.thresholds import choose_threshold
from recam_core.train.loop import train
from tiny_recipe import tiny_recipe

TRAIN, VAL = "scenes:train=6,val=3,size=64@train", "scenes:train=6,val=3,size=64@val"
SMALL = tiny_recipe(epochs=2)
RECAM = dataclasses.replace(SMALL, method="recam", lr_fc2=1e-2, rule="product", mask="hard:0.3", weight=0.7)
HEADS = HeadRecipe(weight=0.123456789, mask="power:2", update="both", epochs=3, lr=0.0123456789, batch_size=4, seed=5)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Sums depend on the number of threads in their last bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BCE run, a ReCAM run from it, and heads retrained on it, as the app keeps them."""
    root = tmp_path_factory.mktemp("repeat")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECAM_RUNS", str(root / "runs"))
        patch.setenv("RECAM_ASSETS", str(root / "assets"))
        patch.setenv("RECAM_CACHE", str(root / "cache"))
        folder, pictures = root / "runs", open_dataset(TRAIN)
        train(SMALL, pictures, folder / "bce", val=open_dataset(VAL))
        bce = load_run(folder / "bce")
        train(RECAM, pictures, folder / "recam", init=bce, half=True)
        result = retrain_heads(build_feature_cache(bce, pictures), bce, HEADS)
        command = retrain_command(folder / "bce", TRAIN, folder / "mine", HEADS)
        keep_heads(folder, "mine", bce, TRAIN, result, 0.37, command)
        yield folder


@pytest.fixture(autouse=True)
def own_folders(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECAM_RUNS", str(runs))
    monkeypatch.setenv("RECAM_ASSETS", str(runs.parent / "assets"))
    monkeypatch.setenv("RECAM_CACHE", str(tmp_path / "cache"))


def miou(path: Path) -> float:
    """At the run's own threshold and rule."""
    run, pictures = load_run(path), open_dataset(VAL)
    tally = Tally(pictures.classes)
    for sample, maps in maps_of_dataset(run.network, pictures, [run.info.rule], MapSettings(scales=(1.0,))):
        tally.add(maps[run.info.rule], sample.mask)
    return tally.evaluation("x", threshold=run.info.threshold or 0.3, threshold_from="given").fixed.miou


@pytest.mark.parametrize("name", ["bce", "recam", "mine"])
def test_the_same_weights_and_the_same_scores(runs: Path, tmp_path: Path, name: str) -> None:
    before = read_info(runs / name)
    # All comes from the record; what its command line says is for people.
    shutil.copytree(runs / name, tmp_path / "silent")
    write_json(tmp_path / "silent" / INFO_FILE, dataclasses.asdict(before) | {"command": "python"})
    made = repeat_run(tmp_path / "silent", tmp_path / "again")
    again = read_info(tmp_path / "again")
    assert again == made
    assert again.weights_sha256 == before.weights_sha256
    assert miou(tmp_path / "again") == miou(runs / name)
    for field in (
        "method",
        "rule",
        "recipe",
        "seed",
        "threshold",
        "data",
        "parent",
        "parent_sha256",
        "network",
        "val",
        "init",
        "imagenet",
    ):
        assert getattr(again, field) == getattr(before, field), field
    assert again.name == "again"
    assert (tmp_path / "again" / "metrics.json").is_file()
    # A repetition can be repeated.
    assert repeat_run(tmp_path / "again", tmp_path / "twice").weights_sha256 == before.weights_sha256


@pytest.mark.parametrize("name", ["bce", "recam", "mine"])
def test_the_command_that_a_repetition_keeps_makes_it_again_too(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    made = repeat_run(runs / name, tmp_path / "again")
    shutil.rmtree(tmp_path / "again")
    assert main(split_command(made.command)[3:]) == 0
    assert read_info(tmp_path / "again").weights_sha256 == read_info(runs / name).weights_sha256
    recorded = recorded_heads if name == "mine" else recorded_recipe
    assert recorded(read_info(tmp_path / "again")) == recorded(read_info(runs / name))


def test_the_command_line(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["retrain", "--from", "mine", "--out", str(tmp_path / "a"), "--device", "cpu"]) == 0
    assert "the same to the last bit" in capsys.readouterr().out
    assert main(["train", "--from", "run/recam", "--out", str(tmp_path / "b"), "--device", "cpu"]) == 0
    assert "the same to the last bit" in capsys.readouterr().out
    # Either command makes either kind.
    assert main(["retrain", "--from", str(runs / "recam"), "--out", str(tmp_path / "c"), "--device", "cpu"]) == 0
    assert "the same to the last bit" in capsys.readouterr().out


def test_the_threshold_that_the_app_chooses_is_chosen_by_the_command_too(runs: Path, tmp_path: Path) -> None:
    command = retrain_command(runs / "bce", TRAIN, tmp_path / "again", HEADS, choose_threshold=True)
    assert main(split_command(command)[3:]) == 0
    bce, pictures = load_run(runs / "bce"), open_dataset(TRAIN)
    result = retrain_heads(build_feature_cache(bce, pictures), bce, HEADS)
    weight = class_weights(HEADS.rule, result.fc1, result.fc2)
    assert read_info(tmp_path / "again").threshold == choose_threshold(bce.network, weight, pictures)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["retrain", "--from", "mine", "--out", "OUT", "--lambda", "2", "--mask", "soft"],
            "leave out --lambda, --mask",
        ),
        (["retrain", "--from", "nothing", "--out", "OUT"], "There is no run 'nothing'"),
        (["retrain", "--out", "OUT"], "or --from RUN"),
        (["train", "--out", "OUT"], "or --from RUN"),
        (["train", "--from", "bce"], "--out"),
        (["train", "--from", "bce", "bce", "--data", "x", "--out", "OUT"], "leave out bce"),
        (["retrain", "recam", "--from", "mine", "--out", "OUT"], "is no run folder"),
        (["retrain", "RUNS/recam", "--from", "mine", "--out", "OUT"], "has other weights"),
        (["train", "--from", "bce", "--out", "RUNS/recam"], "holds a run already"),
        (["train", "--from", "bce", "--out", "OUT", "--data", "folder:nowhere"], "no folder nowhere"),
        (["train", "--from", "bce", "--out", "OUT", "--data", "gallery"], "classes of gallery are not those of"),
    ],
)
def test_what_cannot_be_repeated_says_why(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture, arguments: list[str], sentence: str
) -> None:
    places = [word.replace("RUNS", str(runs)).replace("OUT", str(tmp_path / "out")) for word in arguments]
    assert main(places) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_parent_under_another_name_is_found_by_its_weights(runs: Path, tmp_path: Path) -> None:
    (runs / "bce").rename(runs / "renamed")
    try:
        made = repeat_run(runs / "mine", tmp_path / "again")
        assert made.weights_sha256 == read_info(runs / "mine").weights_sha256
        assert "renamed" in made.command
        (runs / "renamed").rename(tmp_path / "away")
        with pytest.raises(UserError, match="give the folder where it lies"):
            repeat_run(runs / "mine", tmp_path / "third")
        repeat_run(runs / "mine", tmp_path / "third", parent=tmp_path / "away")
    finally:
        away = tmp_path / "away"
        (away if away.exists() else runs / "renamed").rename(runs / "bce")


def test_an_interrupted_repetition_leaves_nothing_or_goes_on(runs: Path, tmp_path: Path) -> None:
    from contextlib import contextmanager

    @contextmanager
    def stopping(name: str):
        def progress(done: int, total: int, note: str = "") -> None:
            if name in ("retrain", "bce") and done == total - 1:
                raise Cancelled

        yield progress

    with pytest.raises(Cancelled):
        repeat_run(runs / "mine", tmp_path / "heads", stages=stopping)
    assert not (tmp_path / "heads").exists()
    with pytest.raises(Cancelled):
        repeat_run(runs / "bce", tmp_path / "full", stages=stopping)
    assert not (tmp_path / "full" / INFO_FILE).exists()
    made = repeat_run(runs / "bce", tmp_path / "full")
    assert made.weights_sha256 == read_info(runs / "bce").weights_sha256


def test_an_interrupted_retraining_leaves_no_run(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*words, **more) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("recam_core.scores.thresholds.choose_threshold", interrupted)
    out = tmp_path / "new"
    words = ["retrain", str(runs / "bce"), "--data", TRAIN, "--epochs", "2", "--out", str(out)]
    assert main([*words, "--choose-threshold"]) == 130
    assert not out.exists()
    out.mkdir()
    (out / "notes.txt").write_text("precious")
    assert main(words) == 2
    assert "is not empty" in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == ["notes.txt"]
    (out / "notes.txt").unlink()
    assert main(words) == 0
    assert read_info(out).name == "new"


def test_lambda_acts_by_default_and_is_not_taken_where_it_cannot(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    def retrain(name: str, *words: str) -> int:
        few = ["retrain", str(runs / "bce"), "--data", TRAIN, "--epochs", "1", "--out", str(tmp_path / name)]
        return main([*few, *words])

    assert retrain("usual", "--lambda", "0.5") == 0
    assert "Lambda" not in capsys.readouterr().err
    recipe = read_info(tmp_path / "usual").recipe
    assert (recipe["update"], recipe["weight"]) == ("both", 0.5)
    assert retrain("alone", "--update", "fc2") == 0
    assert "Lambda" not in capsys.readouterr().err
    assert retrain("told", "--update", "fc2", "--lambda", "0.5") == 0
    assert "Lambda does nothing here" in capsys.readouterr().err
    one, other = (load_run(tmp_path / name).network.fc2 for name in ("alone", "told"))
    assert torch.allclose(one, other, atol=1e-4)
    assert retrain("nothing", "--update", "fc2", "--lambda", "0") == 2
    assert "lambda 0 trains nothing" in capsys.readouterr().err
    assert not (tmp_path / "nothing").exists()
    assert retrain("rounds", "--rounds", "2") == 2
    assert "update fc2" in capsys.readouterr().err


def test_a_command_of_before_says_what_it_updated(runs: Path, tmp_path: Path) -> None:
    """When FC2 alone was the default, commands did not name it, and some records do not either."""
    shutil.copytree(runs / "mine", tmp_path / "mine")
    info = read_info(tmp_path / "mine")
    for recipe, update in (({}, "fc2"), ({"update": "fc2"}, "fc2"), ({"update": "both"}, "both")):
        command = "python -m recam_core retrain bce --data d --out mine"
        record = dataclasses.asdict(info) | {"recipe": recipe, "command": command}
        write_json(tmp_path / "mine" / INFO_FILE, record)
        found = read_info(tmp_path / "mine")
        assert found.command == f"{command} --update {update}"
        assert recorded_heads(found).update == update
        write_json(tmp_path / "mine" / INFO_FILE, record | {"command": f"{command} --update both"})
        assert read_info(tmp_path / "mine").command == f"{command} --update both"
        write_json(tmp_path / "mine" / INFO_FILE, record | {"command": "python -m recam_core retrain --from x --out y"})
        assert read_info(tmp_path / "mine").command.endswith("--out y")


def test_a_run_that_was_not_trained_here(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "bce", tmp_path / "published")
    info = read_info(tmp_path / "published")
    write_json(tmp_path / "published" / INFO_FILE, dataclasses.asdict(info) | {"recipe": {"source": "x.pth"}})
    with pytest.raises(UserError, match="cannot be made again"):
        repeat_run(tmp_path / "published", tmp_path / "again")
    info.recipe["weights"], info.imagenet = "file resnet.pth", "resnet.pth"
    with pytest.raises(UserError, match="name the file with --weights"):
        recorded_recipe(info)
    assert recorded_recipe(info, "there.pth").weights == "there.pth"


def test_other_versions_are_named(runs: Path) -> None:
    info = read_info(runs / "bce")
    assert changed_versions(info) == []
    info.versions["torch"] = "1.0"
    assert changed_versions(info)[0].startswith("torch 1.0 then, ")
