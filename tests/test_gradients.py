"""Closed-form gradients of the two losses against automatic differentiation."""

import numpy as np
import pytest
import torch

from recam_core.method.gradients import bce_logit_gradient, sce_logit_gradient, two_class_gradients

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
