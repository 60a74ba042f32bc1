"""Runs side by side: the differences that the pictures support."""

import json

import numpy as np
import pytest

from analysis_data import K, counts_of, naive_confusions, random_pictures
from recam_core.analysis.analysed import Analysed
from recam_core.cli.main import main
from recam_core.errors import UserError
from recam_core.runs.compare import compare_scores, rate_verdicts, verdicts
from recam_core.scores.table import signed


def method(key: str, pictures: list, threshold: float | None = 0.4, has_background: bool = True) -> Analysed:
    return Analysed(key, key.upper(), None, "fc1", threshold, None, counts_of(pictures, has_background))


def spoilt(pictures: list, share: float) -> list:
    """The same pictures with some seeds moved to another class."""
    rng = np.random.default_rng(1)
    changed = []
    for winner, level, mask in pictures:
        other = np.where(rng.random(winner.shape) < share, winner % K + 1, winner).astype(np.uint8)
        changed.append((other, level, mask))
    return changed


def right(count: int = 40) -> list:
    """Pictures whose seeds are right but for a few pixels."""
    made = []
    for _, level, mask in random_pictures(3, count):
        winner = np.where((mask > 0) & (mask < 255), mask, 1).astype(np.uint8)
        made.append((winner, np.where((mask > 0) & (mask < 255), 200, level // 4).astype(np.uint8), mask))
    return made


def miou(pictures: list, threshold: float) -> float:
    confusion = naive_confusions(pictures, threshold).sum(axis=0).astype(float)
    union = confusion.sum(axis=0) + confusion.sum(axis=1) - np.diag(confusion)
    return float(np.mean(np.diag(confusion)[union > 0] / union[union > 0]))


def test_differences_and_their_intervals() -> None:
    good, bad = right(), spoilt(right(), 0.4)
    found = compare_scores([method("a", bad), method("b", good)], "x@val")
    assert (found.keys, found.titles, found.thresholds) == (("a", "b"), ("A", "B"), (0.4, 0.4))
    assert found.pictures == 40
    assert found.telling in {f"p{number}" for number in range(40)}
    assert found.gain.miou_gain[1] == pytest.approx(miou(good, 0.4) - miou(bad, 0.4))
    assert found.gain.miou_gain_low[1] > 0
    (sentence,) = verdicts(found)
    assert sentence.startswith("B is ")
    assert "above A (95% interval" in sentence
    assert "40 pictures" in sentence
    (sentence,) = verdicts(compare_scores([method("b", good), method("a", bad)], "x@val"))
    assert "below B" in sentence


def test_the_pictures_behind_a_class() -> None:
    """Those in which most pixels of a class are put right, and most are spoilt, counted by hand."""
    first, second = spoilt(right(12), 0.3), spoilt(random_pictures(3, 12), 0.2)
    found = compare_scores([method("a", first), method("b", second)], "x@val")
    errors = []
    for pictures in (first, second):
        confusion = naive_confusions(pictures, 0.4)
        errors.append(confusion.sum(axis=1) + confusion.sum(axis=2) - 2 * np.einsum("nkk->nk", confusion))
    fewer = errors[0].astype(int) - errors[1].astype(int)
    assert (fewer > 0).any()
    assert (fewer < 0).any()
    for place, value in enumerate(found.gain.values.tolist()):
        gains, loses = found.by_class[1][place]
        of_class = fewer[:, value]
        assert (gains is None) == (of_class.max() <= 0)
        assert (loses is None) == (of_class.min() >= 0)
        assert gains is None or of_class[int(gains[1:])] == of_class.max()
        assert loses is None or of_class[int(loses[1:])] == of_class.min()
    assert set(found.by_class[0]) == {(None, None)}


def test_chance_is_called_chance_and_the_same_the_same() -> None:
    pictures = random_pictures(5, 12)
    other = [(winner if n else np.roll(winner, 1), level, mask) for n, (winner, level, mask) in enumerate(pictures)]
    (sentence,) = verdicts(compare_scores([method("a", pictures), method("b", other)], "x"))
    assert "may be chance" in sentence
    (sentence,) = verdicts(compare_scores([method("a", pictures), method("b", pictures)], "x"))
    assert "the same mIoU" in sentence


def test_errors_that_fell_are_told_from_chance() -> None:
    good, bad = right(), spoilt(right(), 0.4)
    found = compare_scores([method("a", bad), method("b", good)], "x@val")
    assert (found.rates.change_high[:, 1] < 0).all()
    (sentence,) = rate_verdicts(found)
    assert sentence == "B has fewer false positives, false negatives and pixels of a wrong class than A."
    (sentence,) = rate_verdicts(compare_scores([method("b", good), method("a", bad)], "x@val"))
    assert sentence.startswith("A has more")
    (sentence,) = rate_verdicts(compare_scores([method("a", good), method("b", good)], "x"))
    assert "do not differ in any kind of error" in sentence


def test_without_background_and_without_thresholds() -> None:
    pictures = random_pictures(7, has_background=False)
    found = compare_scores([method(key, pictures, 0.4, False) for key in "ab"], "x")
    assert found.thresholds == (None, None)
    pictures = random_pictures(7)
    assert compare_scores([method(key, pictures, None) for key in "ab"], "x").thresholds == (0.25, 0.25)


def test_what_cannot_be_compared() -> None:
    pictures = random_pictures(7)
    for methods in ([], [method("a", pictures)]):
        with pytest.raises(UserError, match="at least two"):
            compare_scores(methods, "x")
    with pytest.raises(UserError, match="itself"):
        compare_scores([method("a", pictures), method("a", pictures)], "x")
    with pytest.raises(UserError):
        compare_scores([method("a", pictures), method("b", pictures[:-1])], "x")


def test_differences_are_written_as_people_write_them() -> None:
    assert [signed(value) for value in (1.26, -1.26, 0.01, -0.01)] == ["+1.3", "−1.3", "0.0", "0.0"]


def test_shipped_runs_on_the_command_line(capsys: pytest.CaptureFixture, tmp_path) -> None:
    names = ["scenes/bce", "scenes/recam"]
    arguments = ["runs", "compare", *names, "--data", "scenes@val", "--bootstrap", "50"]
    assert main([*arguments, "--json", str(tmp_path / "x.json")]) == 0
    shown = capsys.readouterr().out
    assert "95% interval" in shown
    assert "wrong class" in shown
    rates = json.loads((tmp_path / "x.json").read_text())["scores"]["runs"]["scenes/recam"]["rates"]
    assert rates["wrong_class"]["change_interval"][0] <= rates["wrong_class"]["change"]
    assert "200 pictures" in shown
    assert "version of torch" not in shown
    assert main(["runs", "compare", "scenes/bce", "run/none"]) == 2
    assert main(["runs", "compare", "scenes/bce", "scenes/bce"]) == 2
    assert main(["runs", "compare", "scenes/bce", "photos/bce", "--data", "scenes@val"]) == 2
    assert "are not those of the run photos/bce" in capsys.readouterr().err
