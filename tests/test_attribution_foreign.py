"""Classifiers from elsewhere: where they are looked at, and files that are not what they say."""

import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision import models

from recam_core.attribution.classifier import ForeignClassifier, foreign_classifier
from recam_core.attribution.maps import attribution_maps, raw_attributions, refused_methods
from recam_core.attribution.subject import AttributionSettings
from recam_core.attribution.table import METHODS
from recam_core.attribution.target_layer import split_torchvision
from recam_core.cli.main import main
from recam_core.errors import UserError

NAMES = ("red", "green", "blue")


def made(name: str, classes: int = 3) -> nn.Module:
    """The network as its library makes it, with random weights."""
    source, _, architecture = name.partition(":")
    torch.manual_seed(0)
    if source == "timm":
        return timm.create_model(architecture, num_classes=classes).eval()
    return models.get_model(architecture, weights=None, num_classes=classes).eval()


def opened(name: str, folder: Path) -> tuple[nn.Module, ForeignClassifier]:
    network = made(name)
    torch.save(network.state_dict(), folder / "weights.pth")
    return network, foreign_classifier(name, folder / "weights.pth", NAMES)


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (100, 150, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("name", "grid", "linear"),
    [
        ("timm:resnet10t", (6, 9), True),
        ("timm:vit_tiny_patch16_224", (14, 14), False),
        ("timm:convnext_atto", (7, 10), False),
        ("torchvision:resnet18", (7, 11), True),
        ("torchvision:squeezenet1_1", (13, 20), False),
    ],
)
def test_a_classifier_is_looked_at_where_it_still_knows_places(
    tmp_path: Path, image: np.ndarray, name: str, grid: tuple[int, int], linear: bool
) -> None:
    network, classifier = opened(name, tmp_path)
    subject = classifier.subject()
    x = classifier.preprocess(image)
    with torch.no_grad():
        expected = network(x)[0].numpy()
    # What was put in to look at it changes nothing.
    np.testing.assert_allclose(classifier.logits(image), expected, atol=1e-4 * max(1, np.abs(expected).max()))
    assert (subject.weight is not None) == linear
    found = raw_attributions(classifier, image, [0, 2], "grad_cam")
    assert found.shape == (2, *grid)
    assert np.abs(found).max() > 0
    if linear:
        cam = raw_attributions(classifier, image, [0, 2], "cam")
        np.testing.assert_allclose(found, cam, atol=1e-4 * np.abs(cam).max())
    else:
        with pytest.raises(UserError, match="closed form"):
            raw_attributions(classifier, image, [0], "cam")
    maps = attribution_maps(classifier, image, [2], "layer_cam", id="p")
    assert maps.activations.shape == (1, 25, 38)
    assert maps.activations.max() == 255


def test_pictures_are_normalised_as_the_network_was_trained(tmp_path: Path) -> None:
    _, transformer = opened("timm:vit_tiny_patch16_224", tmp_path)
    assert transformer.preprocess(np.full((30, 40, 3), 255, np.uint8)).unique().tolist() == pytest.approx([1])
    assert transformer.preprocess(np.zeros((30, 40, 3), np.uint8)).shape == (1, 3, 224, 224)
    twice = AttributionSettings(scales=(2.0,))
    with pytest.raises(UserError, match="one size only"):
        raw_attributions(transformer, np.zeros((30, 40, 3), np.uint8), [0], "grad_cam", settings=twice)


def test_an_activation_in_place_does_not_change_what_was_seen() -> None:
    """captum #156: what follows the layer writes into the very tensor that a hook holds."""

    class Trap(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Conv2d(3, 4, 3, padding=1)
            self.classifier = nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.classifier(F.relu(self.features(x), inplace=True).mean(dim=(2, 3)))

    torch.manual_seed(0)
    network = Trap().eval().requires_grad_(False)
    x = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        features = network.features(x)
    split = split_torchvision(network, 32, "trap")
    seen: list[Tensor] = []
    split.layer.register_forward_hook(lambda module, inputs, output: seen.append(output))
    with torch.no_grad():
        split.upper(x)
    assert features.min() < 0
    torch.testing.assert_close(seen[0], features)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet18", "timm:NAME or torchvision:NAME"),
        ("keras:resnet18", "timm:NAME or torchvision:NAME"),
        ("timm:resnet10", "timm knows no model 'resnet10'"),
        ("timm:resnet18.nonsense", "timm has no weights 'nonsense' of resnet18"),
        ("torchvision:resnet17", "torchvision knows no classifier 'resnet17'"),
        ("torchvision:fcn_resnet50", "torchvision knows no classifier"),
    ],
)
def test_unknown_architectures_are_refused(name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        foreign_classifier(name, None, NAMES)


def test_without_a_connection_it_says_so() -> None:
    with pytest.raises(UserError, match=r"could not be downloaded .* give a file of weights"):
        foreign_classifier("timm:resnet10t", None, None)


@pytest.mark.parametrize("name", ["timm:vit_giant_patch14_224", "torchvision:regnet_y_128gf"])
def test_large_architectures_are_refused_before_they_take_memory(name: str) -> None:
    with pytest.raises(UserError, match=r"million weights, and at most 200 million"):
        foreign_classifier(name, untrained=True, most_weights=200_000_000)


def test_random_weights_are_the_same_each_time() -> None:
    state = torch.random.get_rng_state()
    first, second = (foreign_classifier("timm:test_vit", classes=NAMES, untrained=True) for _ in range(2))
    assert first.digest == second.digest
    torch.testing.assert_close(torch.random.get_rng_state(), state)
    assert len(foreign_classifier("timm:test_vit", untrained=True).classes) == 1000
    with pytest.raises(UserError, match="leave out one of the two"):
        foreign_classifier("timm:test_vit", "weights.pth", NAMES, untrained=True)


def test_a_copy_answers_by_itself(image: np.ndarray) -> None:
    classifier = foreign_classifier("timm:test_vit", classes=NAMES, untrained=True)
    twin = classifier.copy()
    np.testing.assert_array_equal(twin.logits(image), classifier.logits(image))
    mine, other = classifier.subject(), twin.subject()
    assert {*map(id, mine.upper.modules())}.isdisjoint(map(id, other.upper.modules()))
    assert other.layer in set(other.upper.modules())
    assert other.lock is not mine.lock
    maps = [attribution_maps(one, image, [1], "layer_cam").activations for one in (classifier, twin)]
    np.testing.assert_array_equal(*maps)


def test_refused_methods_are_told_with_the_reason(image: np.ndarray) -> None:
    found: list[tuple[int, int]] = []
    network = foreign_classifier("timm:test_vit", classes=NAMES, untrained=True)
    refused = refused_methods(network, lambda done, total: found.append((done, total)))
    assert found == [(done, len(METHODS)) for done in range(1, len(METHODS) + 1)]
    assert set(refused) == {"cam", "guided_grad_cam", "deep_lift", "region_cam"}
    assert "closed form" in refused["cam"]
    for key, sentence in refused.items():
        with pytest.raises(UserError) as error:
            attribution_maps(network, image, [0], key)
        assert str(error.value)[:40] == sentence[:40]
    # torchvision's ResNet has what they ask for.
    assert set(refused_methods(foreign_classifier("torchvision:resnet18", classes=NAMES, untrained=True))) == {
        "region_cam"
    }


class Hostile:
    """Runs code where a pickle of it is opened without care."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.write_text, (self.path, "ran")


def test_files_are_hostile_until_checked(tmp_path: Path) -> None:
    name, file = "timm:resnet10t", tmp_path / "weights.pth"
    state = made(name).state_dict()

    def refused(message: str, classes: object = NAMES, content: object = state) -> None:
        torch.save(content, file)
        with pytest.raises(UserError, match=message):
            foreign_classifier(name, file, classes)

    torch.save({"a": Hostile(tmp_path / "trace")}, file)
    with pytest.raises(UserError, match="nothing in it was run"):
        foreign_classifier(name, file, NAMES)
    assert not (tmp_path / "trace").exists()
    refused("with 2 named classes has 2x512", ("red", "green"))
    refused("without a class list, with ImageNet's 1,000, has 1000x512", None)
    refused(
        "another architecture than resnet10t: it has no 'fc.weight'",
        content={k: v for k, v in state.items() if "fc" not in k},
    )
    refused("which has no 'extra'", content=state | {"extra": torch.zeros(1)})
    refused("not finite", content=state | {"fc.bias": torch.full((3,), torch.nan)})
    file.write_bytes(b"PK nothing")
    with pytest.raises(UserError, match=r"weights\.pth"):
        foreign_classifier(name, file, NAMES)
    with pytest.raises(UserError, match="this file is missing"):
        foreign_classifier(name, tmp_path / "none.pth", NAMES)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has 0"),
        (b"red\nRed\nblue\n", "'Red' occurs more than once"),
        (b"red\ngr\x1b[31meen\nblue\n", "entry 2 is no class name"),
        (b"red\n" + b"g" * 300 + b"\n", "entry 2 is no class name"),
        (b"\xff\xfe\x00", "not a text file"),
        (b"x\n" * 30_000, "this one has 30,000"),
        (b"x" * (5 << 20), "larger than 4.19 MB, too large for a list"),
    ],
)
def test_a_class_list_is_checked(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "classes.txt").write_bytes(content)
    torch.save(made("timm:resnet10t").state_dict(), tmp_path / "weights.pth")
    with pytest.raises(UserError, match=message):
        foreign_classifier("timm:resnet10t", tmp_path / "weights.pth", tmp_path / "classes.txt")
    upload = BytesIO(content)
    upload.read(1)  # somebody may have looked into it
    with pytest.raises(UserError, match=message):
        foreign_classifier("timm:resnet10t", tmp_path / "weights.pth", upload)


def test_classes_are_named_or_numbered(tmp_path: Path) -> None:
    _, classifier = opened("timm:resnet10t", tmp_path)
    assert classifier.class_number("Green") == classifier.class_number("1") == 1
    for name in ("yellow", "3", "²"):
        with pytest.raises(UserError, match="knows no class"):
            classifier.class_number(name)


def test_the_command_draws_what_a_classifier_sees(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    torch.save(made("timm:resnet10t").state_dict(), tmp_path / "weights.pth")
    (tmp_path / "classes.txt").write_text("dog\nhorse\ncow\n")
    out = tmp_path / "map.png"
    command = ["attribute", "maps", "--classifier", "timm:resnet10t", "--weights", str(tmp_path / "weights.pth")]
    command += ["--class-list", str(tmp_path / "classes.txt"), "--data", "scenes@val", "--method", "grad_cam"]
    assert main([*command, "--class", "dog", "--out", str(out)]) == 0
    assert out.read_bytes().startswith(b"\x89PNG")
    assert "3 classes" in capsys.readouterr().out
    assert main([*command, "--class", "cat", "--out", str(out)]) == 2
    assert "knows no class 'cat'" in capsys.readouterr().err


def test_random_weights_and_refused_methods_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "classes.txt").write_text("dog\nhorse\n")
    command = ["attribute", "list", "--classifier", "timm:test_vit", "--random-weights", "--data", "scenes@val"]
    command += ["--class-list", str(tmp_path / "classes.txt"), "--json", str(tmp_path / "list.json")]
    assert main(command) == 0
    assert "weights are random" in capsys.readouterr().out
    rows = {row["method"]: row for row in json.loads((tmp_path / "list.json").read_text())["methods"]}
    assert "closed form" in rows["cam"]["refused"]
    assert "refused" not in rows["grad_cam"]
