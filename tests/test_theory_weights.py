"""Cosine similarity of the classifiers' rows."""

import json

import numpy as np
import pytest
import torch

from recam_core.checkpoint.run_folder import WEIGHTS_FILE, load_run, read_info
from recam_core.cli.main import main
from recam_core.errors import UserError
from recam_core.theory.weights import ClassCosines, class_cosines, cosine_matrix
from run_folders import write_run


def test_cosines_equal_a_naive_loop() -> None:
    rows = np.random.default_rng(0).normal(size=(4, 6))
    rows[3] = 0
    found = cosine_matrix(rows)
    for i in range(3):
        for j in range(3):
            naive = rows[i] @ rows[j] / np.sqrt((rows[i] ** 2).sum()) / np.sqrt((rows[j] ** 2).sum())
            assert found[i, j] == pytest.approx(naive)
    assert np.isnan(found[3]).all()


def test_closest_pairs_and_the_mean_leave_out_what_is_unknown() -> None:
    matrix = np.array([[1, 0.5, -0.2, np.nan], [0.5, 1, 0.7, np.nan], [-0.2, 0.7, 1, np.nan], [np.nan] * 4])
    found = ClassCosines(("a", "b", "c", "d"), {"fc1": matrix})
    assert found.closest("fc1", 2) == [(1, 2, 0.7), (0, 1, 0.5)]
    assert found.mean("fc1") == pytest.approx(1 / 3)


def test_a_run_is_read_from_its_weights_alone(tmp_path) -> None:
    write_run(tmp_path / "run", "recam", half=False)
    run = load_run(tmp_path / "run")
    found = class_cosines(tmp_path / "run", run.info)
    assert set(found.matrices) == {"fc1", "fc2", "maps"}
    w, w2 = run.network.fc1.detach(), run.network.fc2.detach()
    expected = torch.nn.functional.cosine_similarity(w[:, None], w[None], dim=2)
    np.testing.assert_allclose(found.matrices["fc1"], expected, atol=1e-6)
    maps = w * w2.relu()
    expected = torch.nn.functional.cosine_similarity(maps[:, None], maps[None], dim=2)
    np.testing.assert_allclose(found.matrices["maps"], expected, atol=1e-6)


def test_damaged_weights_are_a_sentence(tmp_path) -> None:
    write_run(tmp_path / "run")
    info = read_info(tmp_path / "run")
    info.classes = [*info.classes, "more"]
    with pytest.raises(UserError, match="not 4 rows"):
        class_cosines(tmp_path / "run", info)
    (tmp_path / "run" / WEIGHTS_FILE).write_bytes(b"no")
    with pytest.raises(UserError, match="no whole safetensors"):
        class_cosines(tmp_path / "run", info)


def test_the_command(tmp_path, capsys: pytest.CaptureFixture) -> None:
    write_run(tmp_path / "one")
    write_run(tmp_path / "two", "recam")
    command = ["theory", "weights", str(tmp_path / "one"), str(tmp_path / "two"), "--json", str(tmp_path / "f.json")]
    assert main(command) == 0
    assert capsys.readouterr().out.count("mean over the pairs") == 4
    assert main([*command, "--pairs", "-3"]) != 0
    assert "--pairs takes a number from 0" in capsys.readouterr().err
    assert [len(one["matrices"]) for one in json.loads((tmp_path / "f.json").read_text())] == [1, 3]
