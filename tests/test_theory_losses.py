"""Closed-form gradients of the two losses against automatic differentiation."""

import math

import numpy as np
import pytest
import torch

from recam_core.errors import UserError
from recam_core.method.losses import bce_loss, multi_label_sce_loss
from recam_core.theory.losses import (
    FUNCTIONS,
    LOSSES,
    bce_logit_gradient,
    bce_value,
    careless_region,
    descend,
    sce_logit_gradient,
    sce_value,
    surface,
    two_class_gradients,
)

LOGITS = np.array([[2.0, -1.0, 0.5], [40.0, -40.0, 0.0]])


def test_bce_gradient_is_that_of_autograd() -> None:
    labels = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    z = torch.tensor(LOGITS, requires_grad=True)
    torch.nn.functional.binary_cross_entropy_with_logits(z, torch.tensor(labels), reduction="sum").backward()
    np.testing.assert_allclose(bce_logit_gradient(LOGITS, labels), z.grad.numpy(), atol=1e-12)


def test_sce_gradient_is_that_of_autograd() -> None:
    labels = np.array([[1.0, 0.0, 0.0], [0.0, 0.5, 0.5]])
    z = torch.tensor(LOGITS, requires_grad=True)
    torch.nn.functional.cross_entropy(z, torch.tensor(labels), reduction="sum").backward()
    np.testing.assert_allclose(sce_logit_gradient(LOGITS, labels), z.grad.numpy(), atol=1e-12)


def test_softmax_keeps_pushing_where_the_sigmoid_has_stopped() -> None:
    """A confident positive beside an equally confident negative: the paper's case."""
    (bce_p, _), (sce_p, sce_q) = two_class_gradients(0.0, total=12.0)
    assert abs(bce_p) < 0.01
    assert sce_p == pytest.approx(-0.5)
    assert sce_q == pytest.approx(0.5)


def test_softmax_gradient_depends_on_the_difference_alone() -> None:
    (bce_low, _), (sce_low, _) = two_class_gradients(np.linspace(-4, 4, 9), total=-6.0)
    (bce_high, _), (sce_high, _) = two_class_gradients(np.linspace(-4, 4, 9), total=6.0)
    np.testing.assert_allclose(sce_low, sce_high)
    assert np.abs(bce_low - bce_high).max() > 0.5


# Values, more labels, naive loops -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", LOSSES)
def test_values_and_gradients_are_those_of_autograd(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits, labels = rng.normal(size=(5, 7)) * 6, (rng.random((5, 7)) < 0.4).astype(float)
    labels[0] = 0  # a picture without any class
    z = torch.tensor(logits, requires_grad=True)
    if name == "bce":
        loss = bce_loss(z, torch.tensor(labels)) * labels.size
    else:
        loss = multi_label_sce_loss(z, torch.tensor(labels)) * (labels.sum(axis=1) > 0).sum()
    loss.backward()
    value, gradient = FUNCTIONS[name]
    assert value(logits, labels).sum() == pytest.approx(loss.item(), abs=1e-6)
    np.testing.assert_allclose(gradient(logits, labels), z.grad.numpy(), atol=1e-6)


def test_values_equal_a_naive_loop() -> None:
    z, y = [1.5, -0.5, 2.0], [1, 0, 1]
    bce = sum(
        -math.log(1 / (1 + math.exp(-a))) if b else -math.log(1 - 1 / (1 + math.exp(-a)))
        for a, b in zip(z, y, strict=True)
    )
    total = sum(math.exp(a) for a in z)
    sce = sum(-0.5 * math.log(math.exp(a) / total) for a, b in zip(z, y, strict=True) if b)
    assert float(bce_value(np.array(z), np.array(y))) == pytest.approx(bce)
    assert float(sce_value(np.array(z), np.array(y))) == pytest.approx(sce)


def test_nothing_overflows() -> None:
    z, y = np.array([800.0, -800.0, 700.0]), np.array([0, 1, 0])
    with np.errstate(all="raise", under="ignore"):
        assert bce_value(z, y) == pytest.approx(2300)
        assert sce_value(z, y) == pytest.approx(1600)
        assert np.isfinite(sce_logit_gradient(z, y)).all()


def test_a_surface_holds_the_losses_of_its_two_logits() -> None:
    found = surface(reach=6, points=13, share=0.2)
    for row, column in ((0, 0), (3, 11), (12, 6)):
        difference, total = found.difference[column], found.total[row]
        z, y = [(total + difference) / 2, (total - difference) / 2], [1, 0]
        for name, (value, gradient) in FUNCTIONS.items():
            assert found.loss[name][row, column] == pytest.approx(float(value(z, y)))
            on_p, on_q = gradient(z, y)
            assert (found.on_p[name][row, column], found.on_q[name][row, column]) == pytest.approx((on_p, on_q))
        assert found.careless[row, column] == (1 / (1 + math.exp(-z[1])) < 0.2 <= 1 / (1 + math.exp(difference)))


def test_the_careless_region_is_a_wedge() -> None:
    t = math.log(0.1 / 0.9)
    difference, total = np.meshgrid(np.linspace(-8, 8, 33), np.linspace(-8, 8, 33))
    expected = ((total - difference) / 2 < t) & (difference <= -t)
    np.testing.assert_array_equal(careless_region(difference, total, 0.1), expected)
    assert expected.any()
    assert not expected.all()
    with pytest.raises(UserError, match=r"below 0\.5"):
        careless_region(0.0, 0.0, 0.5)


@pytest.mark.parametrize("name", LOSSES)
def test_descent_follows_the_gradient_of_autograd_and_never_climbs(name: str) -> None:
    start, y = np.array([2.0, 1.8, -1.0]), np.array([1.0, 0.0, 0.0])
    found = descend(name, start, y, rate=0.7, steps=25)
    z = torch.tensor(start, requires_grad=True)
    optimizer = torch.optim.SGD([z], lr=0.7)
    for step in range(25):
        np.testing.assert_allclose(found.logits[step], z.detach().numpy(), atol=1e-9)
        optimizer.zero_grad()
        if name == "bce":
            torch.nn.functional.binary_cross_entropy_with_logits(z, torch.tensor(y), reduction="sum").backward()
        else:
            torch.nn.functional.cross_entropy(z, torch.tensor(y)).backward()
        optimizer.step()
    assert (np.diff(found.losses) <= 0).all()
    assert (np.diff(descend(name, start, y, rate=4.0, steps=50).losses) <= 1e-9).all()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("mse", [0.0], [1.0]), "no loss"),
        (("bce", [], []), "one finite logit"),
        (("bce", [float("nan")], [1.0]), "finite"),
        (("bce", [0.0, 1.0], [1.0]), "one label each"),
        (("sce", [0.0], [1.0], 5.0), "rate above 0"),
        (("sce", [0.0], [1.0], 1.0, 0), "steps"),
    ],
)
def test_descent_refuses_what_it_cannot_do(arguments: tuple, words: str) -> None:
    with pytest.raises(UserError, match=words):
        descend(*arguments)
