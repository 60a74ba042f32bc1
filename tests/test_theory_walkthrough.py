"""The equations carried out on a picture, by hand, and what the browser is given of them."""

import json

import numpy as np
import pytest
import torch

from recam_core.checkpoint.run_folder import Run, load_run
from recam_core.errors import UserError
from recam_core.theory.walkthrough import SHOWN, logit_map, walkthrough
from recam_core.views.equation_board import equation_board
from run_folders import write_run
from tiny_data import TinyDataset

NAMES = ("red", "green", "blue")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("walk") / "run"
    write_run(folder, "recam")
    found = load_run(folder)
    with torch.no_grad():
        found.network.fc1.abs_()  # random weights could leave a class without any activation
    return found


def test_every_number_is_that_of_the_equations(run: Run) -> None:
    sample = TinyDataset().load(1)
    present = np.flatnonzero(sample.labels).tolist()
    p = present[0]
    walk = walkthrough(run.network, sample.image, present, p, "product")
    with torch.no_grad():
        f = run.network.features(run.network.preprocess(sample.image))[0]
    w, w2 = run.network.fc1.detach(), run.network.fc2.detach()
    response = torch.einsum("c,chw->hw", w[p], f)
    torch.testing.assert_close(torch.tensor(walk.response), response, atol=1e-4, rtol=1e-4)
    map_p = response.relu() / response.relu().max()
    torch.testing.assert_close(torch.tensor(walk.cam), map_p, atol=1e-4, rtol=1e-4)
    z = w @ f.mean(dim=(1, 2))
    y = torch.tensor(sample.labels, dtype=torch.float32)
    assert walk.loss == pytest.approx(
        float(torch.nn.functional.multilabel_soft_margin_loss(z[None], y[None])), abs=1e-5
    )
    single = w2 @ (f * map_p).mean(dim=(1, 2))
    assert walk.second.single_loss == pytest.approx(float(-single.log_softmax(0)[p]), abs=1e-5)
    recam = torch.einsum("c,chw->hw", w[p] * w2[p], f).relu()
    torch.testing.assert_close(
        torch.tensor(walk.second.recam), recam / recam.max().clamp_min(1e-5), atol=1e-4, rtol=1e-4
    )
    row, column = walk.peak
    assert response[row, column] == response.max()
    naive = sorted(range(len(w[p])), key=lambda c: -float(w[p, c] * f[c, row, column]))[:SHOWN]
    assert walk.channels.tolist() == naive
    np.testing.assert_allclose(walk.products[2], float(w[p, naive[2]]) * f[naive[2]].numpy(), rtol=1e-5)
    np.testing.assert_allclose(walk.second.w3, (w[p] * w2[p])[naive].numpy(), rtol=1e-6)


def test_the_logits_of_the_picture_are_the_mean_of_those_of_its_places(run: Run) -> None:
    image = TinyDataset().load(0).image
    z, maps = logit_map(run.network, image)
    with torch.no_grad():
        _, expected = run.network(run.network.preprocess(image))
    np.testing.assert_allclose(z, expected[0].numpy(), atol=1e-5)
    np.testing.assert_allclose(maps.mean(axis=(1, 2)), z, atol=1e-12)


def test_the_board_is_text_numbers_and_pictures(run: Run) -> None:
    sample = TinyDataset().load(1)
    present = np.flatnonzero(sample.labels).tolist()
    walk = walkthrough(run.network, sample.image, present, present[0], "softmax")
    assert walk.second.rule == "product"  # a rule that makes no weights gives way
    board = equation_board(walk, sample.image, ("<b>red</b>", "green", "blue"))
    assert json.loads(json.dumps(board)) == board
    assert set(board["parts"]) == {"photo", "f", "w", "wf", "cam", "z", "bce", "fk", "w2", "z2", "sce", "w3", "recam"}
    for part in board["parts"].values():
        assert part["title"]
        assert part["said"]
        assert "nan" not in part["said"]
        assert ("pictures" in part) + ("bars" in part) + ("number" in part) == 1
        for picture in part.get("pictures", ()):
            assert picture["address"].startswith("data:image/")
        for bar in part.get("bars", ()):
            assert 0 <= bar["share"] <= 1
    beliefs = [float(bar["value"].split()[0]) for bar in board["parts"]["z2"]["bars"]]
    assert sum(beliefs) == pytest.approx(100, abs=0.2)


def test_without_fc2_the_equations_end_with_the_third(tmp_path) -> None:
    write_run(tmp_path / "run")
    sample = TinyDataset().load(1)
    present = np.flatnonzero(sample.labels).tolist()
    walk = walkthrough(load_run(tmp_path / "run").network, sample.image, present, present[0])
    assert walk.second is None
    assert "recam" not in equation_board(walk, sample.image, NAMES)["parts"]
    with pytest.raises(UserError, match="that the picture shows"):
        walkthrough(load_run(tmp_path / "run").network, sample.image, present, ({0, 1, 2} - set(present)).pop())
