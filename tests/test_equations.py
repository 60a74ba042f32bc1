"""The method against its equations written out as loops (docs of recam_core.method give the numbers)."""

import math

import pytest
import torch

from recam_core.errors import UserError
from recam_core.method.cam import cam, pair_cams
from recam_core.method.extraction import class_weights, rules_of, share_of_double_negatives
from recam_core.method.losses import bce_loss, multi_label_sce_loss, sce_loss
from recam_core.method.masks import parse_mask, truth_shares
from recam_core.method.single_label import pooled_single_label, present_pairs
from recam_core.method.step import recam_batch, single_label_logits
from recam_core.theory.losses import bce_logit_gradient, sce_logit_gradient

B, K, C, H, W = 3, 4, 5, 3, 2
LABELS = torch.tensor([[1, 0, 1, 0], [0, 1, 0, 0], [1, 1, 0, 1]], dtype=torch.float64)


@pytest.fixture
def tensors():
    generator = torch.Generator().manual_seed(7)
    features = torch.randn(B, C, H, W, generator=generator, dtype=torch.float64)
    fc1 = torch.randn(K, C, generator=generator, dtype=torch.float64)
    fc2 = torch.randn(K, C, generator=generator, dtype=torch.float64)
    return features, fc1, fc2


def naive_cam(features, weight):
    """Equation 2, number by number."""
    maps = torch.zeros(B, K, H, W, dtype=features.dtype)
    for b in range(B):
        for k in range(K):
            raw = [[max(sum(float(weight[k, c] * features[b, c, i, j]) for c in range(C)), 0.0) for j in range(W)]
                   for i in range(H)]  # fmt: skip
            highest = max(max(row) for row in raw)
            for i in range(H):
                for j in range(W):
                    maps[b, k, i, j] = raw[i][j] / highest if highest > 0 else 0.0
    return maps


def naive_pooled(features, maps, b, k):
    """Equations 3 and 4 for one image and class: GAP(M_k * f(x)), number by number."""
    return [sum(float(maps[b, k, i, j] * features[b, c, i, j]) for i in range(H) for j in range(W)) / (H * W)
            for c in range(C)]  # fmt: skip


def naive_softmax_loss(logits, k):
    return -math.log(math.exp(logits[k]) / sum(math.exp(value) for value in logits))


def naive_bce(logits, labels):
    """Equation 1, averaged over the images."""
    total = 0.0
    for b in range(len(logits)):
        for k in range(K):
            s = 1 / (1 + math.exp(-float(logits[b, k])))
            total -= math.log(s) if labels[b, k] else math.log(1 - s)
    return total / (len(logits) * K)


def test_equation_1_bce(tensors):
    features, fc1, _ = tensors
    logits = features.mean(dim=(2, 3)) @ fc1.T
    assert float(bce_loss(logits, LABELS)) == pytest.approx(naive_bce(logits, LABELS), rel=1e-9)


def test_equation_2_cam(tensors):
    features, fc1, _ = tensors
    assert torch.allclose(cam(features, fc1), naive_cam(features, fc1), atol=1e-9)


def test_the_maps_of_pairs_are_those_of_equation_2(tensors):
    """What head retraining computes, for two sets of weights at once."""
    features, fc1, fc2 = tensors
    image, category = present_pairs(LABELS)
    found = pair_cams(features, torch.stack([fc1, fc2]), image, category)
    for weight, maps in zip((fc1, fc2), found, strict=True):
        assert torch.allclose(maps, cam(features, weight)[image, category], atol=1e-9)


def test_a_class_without_any_activation_has_an_empty_cam():
    features = torch.ones(1, 2, 2, 2)
    assert torch.equal(cam(features, torch.tensor([[-1.0, -1.0]])), torch.zeros(1, 1, 2, 2))


def test_a_faint_map_is_divided_by_its_maximum_too():
    features = torch.tensor([[[[4e-5, 2e-5]]]], dtype=torch.float64)
    assert cam(features, torch.ones((1, 1), dtype=torch.float64)).flatten().tolist() == pytest.approx([1, 0.5])


def test_equations_3_and_4_single_label_features(tensors):
    features, fc1, fc2 = tensors
    maps = naive_cam(features, fc1)
    logits, category, image = single_label_logits(features, LABELS, fc1, fc2, parse_mask("soft"))
    expected_pairs = [(b, k) for b in range(B) for k in range(K) if LABELS[b, k]]
    assert list(zip(image.tolist(), category.tolist(), strict=True)) == expected_pairs
    for row, (b, k) in zip(logits, expected_pairs, strict=True):
        pooled = naive_pooled(features, maps, b, k)
        expected = [sum(float(fc2[q, c]) * pooled[c] for c in range(C)) for q in range(K)]
        assert row.tolist() == pytest.approx(expected, rel=1e-9)


def test_equations_5_and_6_recam_loss(tensors):
    features, fc1, fc2 = tensors
    maps = naive_cam(features, fc1)
    per_image = []
    for b in range(B):
        present = [k for k in range(K) if LABELS[b, k]]
        losses = []
        for k in present:
            pooled = naive_pooled(features, maps, b, k)
            losses.append(
                naive_softmax_loss([sum(float(fc2[q, c]) * pooled[c] for c in range(C)) for q in range(K)], k)
            )
        per_image.append(sum(losses) / len(present))
    logits = features.mean(dim=(2, 3)) @ fc1.T
    loss = recam_batch(features, logits, LABELS, fc1, fc2, parse_mask("soft"), 0.3)
    assert float(loss.parts["sce"]) == pytest.approx(sum(per_image) / B, rel=1e-9)
    assert float(loss.total) == pytest.approx(naive_bce(logits, LABELS) + 0.3 * sum(per_image) / B, rel=1e-9)


def test_the_control_puts_binary_cross_entropy_on_fc2(tensors):
    features, fc1, fc2 = tensors
    maps = naive_cam(features, fc1)
    per_image = []
    for b in range(B):
        present = [k for k in range(K) if LABELS[b, k]]
        losses = []
        for k in present:
            pooled = naive_pooled(features, maps, b, k)
            z = torch.tensor([[sum(float(fc2[q, c]) * pooled[c] for c in range(C)) for q in range(K)]])
            single = torch.tensor([[float(q == k) for q in range(K)]])
            losses.append(naive_bce(z, single))
        per_image.append(sum(losses) / len(present))
    logits = features.mean(dim=(2, 3)) @ fc1.T
    loss = recam_batch(features, logits, LABELS, fc1, fc2, parse_mask("soft"), 0.3, fc2_loss="bce")
    assert float(loss.parts["fc2_bce"]) == pytest.approx(sum(per_image) / B, rel=1e-6)
    assert float(loss.total) == pytest.approx(naive_bce(logits, LABELS) + 0.3 * sum(per_image) / B, rel=1e-6)


def test_equation_7_rules(tensors):
    _, fc1, fc2 = tensors
    expected = {
        "fc1": lambda a, b: a,
        "fc2": lambda a, b: b,
        "sum": lambda a, b: a + b,
        "product": lambda a, b: a * b,
        "rectified_product": lambda a, b: a * max(b, 0.0),
    }
    assert set(rules_of(True, False)) == set(expected)
    for rule, formula in expected.items():
        found = class_weights(rule, fc1, fc2)
        for k in range(K):
            for c in range(C):
                assert float(found[k, c]) == pytest.approx(formula(float(fc1[k, c]), float(fc2[k, c])))


def test_double_negatives_are_what_a_plain_product_turns_positive():
    """Not with a weight of 0, with which FC2 begins and which its channels without a gradient keep."""
    fc1 = torch.tensor([[-1.0, -1.0, 1.0, 1.0, -1.0, 0.0, 0.0, -1.0]])
    fc2 = torch.tensor([[-1.0, 1.0, -1.0, 1.0, 0.0, -1.0, 0.0, -1.0]])
    assert share_of_double_negatives(fc1, fc2).tolist() == [0.25]
    assert float((fc1 * fc2 > 0).logical_and(fc1 < 0).float().mean()) == 0.25


def test_rules_that_need_fc2_say_so():
    with pytest.raises(UserError, match="needs FC2"):
        class_weights("product", torch.ones(2, 2), None)
    with pytest.raises(UserError, match="no extraction rule 'best'"):
        class_weights("best", torch.ones(2, 2), None)
    assert torch.equal(class_weights("fc1", torch.ones(2, 2), None), torch.ones(2, 2))


def test_multi_label_softmax_loss(tensors):
    features, fc1, _ = tensors
    logits = features.mean(dim=(2, 3)) @ fc1.T
    expected = 0.0
    for b in range(B):
        present = [k for k in range(K) if LABELS[b, k]]
        expected += sum(naive_softmax_loss(logits[b].tolist(), k) for k in present) / len(present) / B
    assert float(multi_label_sce_loss(logits, LABELS)) == pytest.approx(expected, rel=1e-9)


def test_images_without_a_class_do_not_count_in_the_softmax_losses(tensors):
    features, fc1, _ = tensors
    logits = features.mean(dim=(2, 3)) @ fc1.T
    with_empty = torch.cat([LABELS, torch.zeros(1, K, dtype=LABELS.dtype)])
    more = torch.cat([logits, logits[:1]])
    assert float(multi_label_sce_loss(more, with_empty)) == pytest.approx(float(multi_label_sce_loss(logits, LABELS)))
    image, category = present_pairs(LABELS)
    pairs = torch.randn(len(image), K, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert float(sce_loss(pairs, category, image, B + 1)) == pytest.approx(float(sce_loss(pairs, category, image, B)))


def test_no_class_at_all_gives_zero_and_not_nan(tensors):
    features, fc1, fc2 = tensors
    labels = torch.zeros(B, K, dtype=torch.float64)
    logits = features.mean(dim=(2, 3)) @ fc1.T
    assert float(recam_batch(features, logits, labels, fc1, fc2, parse_mask("soft"), 1.0).parts["sce"]) == 0


@pytest.mark.parametrize(
    ("text", "formula"),
    [
        ("soft", lambda m, t: m),
        ("none", lambda m, t: 1.0),
        ("hard:0.5", lambda m, t: 1.0 if m > 0.5 else 0.0),
        ("power:3", lambda m, t: m**3),
        ("oracle", lambda m, t: t),
    ],
)
def test_masks(tensors, text, formula):
    features, fc1, _ = tensors
    image, category = present_pairs(LABELS)
    maps = naive_cam(features, fc1)[image, category]
    truth = torch.rand(maps.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    masks = parse_mask(text)(maps, truth)
    pooled = pooled_single_label(features, masks, image)
    for p, b in enumerate(image.tolist()):
        for c in range(C):
            expected = sum(
                formula(float(maps[p, i, j]), float(truth[p, i, j])) * float(features[b, c, i, j])
                for i in range(H) for j in range(W)
            ) / (H * W)  # fmt: skip
            assert float(pooled[p, c]) == pytest.approx(expected, abs=1e-6)


def test_a_hard_mask_leaves_out_what_just_reaches_its_threshold():
    cams = torch.tensor([[[0.0, 0.25, 0.25 + 1e-6, 1.0]]])
    assert parse_mask("hard:0.25")(cams).tolist() == [[[0.0, 0.0, 1.0, 1.0]]]
    assert parse_mask("hard:0")(cams).tolist() == [[[0.0, 1.0, 1.0, 1.0]]]  # no CAM, no mask


@pytest.mark.parametrize("text", ["", "median", "hard:2", "hard:x", "power:-1", "soft:1", "power:nan"])
def test_bad_masks_are_refused_with_a_sentence(text):
    with pytest.raises(UserError, match="mask"):
        parse_mask(text)


def test_a_mask_to_a_power_below_1_has_a_gradient_where_the_cam_is_0():
    cams = torch.tensor([0.0, 0.25, 1.0], dtype=torch.float64, requires_grad=True)
    mask = parse_mask("power:0.5")(cams)
    assert mask.tolist() == pytest.approx([0, 0.5, 1], abs=2e-3)
    mask.sum().backward()
    assert torch.isfinite(cams.grad).all()
    assert float(cams.grad[1]) == pytest.approx(1)


def test_masks_are_named_as_they_are_read():
    for text in ("soft", "none", "hard:0.3", "power:2", "oracle"):
        assert str(parse_mask(text)) == text
    assert str(parse_mask("hard")) == "hard:0.3"


def test_truth_shares_count_the_pixels_of_each_cell():
    mask = torch.tensor([[[1, 1, 2, 0], [1, 2, 0, 0]]], dtype=torch.uint8)
    shares = truth_shares(mask, torch.tensor([0, 0]), torch.tensor([0, 1]), (1, 2))
    assert shares.tolist() == [[[0.75, 0.0]], [[0.25, 0.25]]]


def test_gradients_of_both_losses_have_their_closed_form():
    generator = torch.Generator().manual_seed(11)
    logits = torch.randn(B, K, generator=generator, dtype=torch.float64, requires_grad=True)
    bce_loss(logits, LABELS).backward()
    expected = bce_logit_gradient(logits.detach().numpy(), LABELS.numpy()) / (B * K)
    assert logits.grad.numpy() == pytest.approx(expected, abs=1e-12)

    category = torch.tensor([2, 0, 3])
    single = torch.randn(B, K, generator=generator, dtype=torch.float64, requires_grad=True)
    sce_loss(single, category, torch.arange(B), B).backward()
    one_hot = torch.nn.functional.one_hot(category, K).numpy()
    assert single.grad.numpy() == pytest.approx(sce_logit_gradient(single.detach().numpy(), one_hot) / B, abs=1e-12)


def test_the_recam_gradient_flows_through_the_masks(tensors):
    """Equation 6 is back-propagated through FC1 by way of the masks too: autograd against finite differences."""
    features, fc1, fc2 = (tensor.clone().requires_grad_() for tensor in tensors)

    def sce(f, w, w2):
        return recam_batch(f, f.mean(dim=(2, 3)) @ w.T, LABELS, w, w2, parse_mask("soft"), 1.0).parts["sce"]

    assert torch.autograd.gradcheck(sce, (features, fc1, fc2))
    sce(features, fc1, fc2).backward()
    assert fc1.grad.abs().max() > 0


def test_a_hard_mask_lets_no_gradient_reach_fc1(tensors):
    features, fc1, fc2 = tensors
    fc1 = fc1.clone().requires_grad_()
    image, category = present_pairs(LABELS)
    logits, category, image = single_label_logits(features, LABELS, fc1, fc2.requires_grad_(), parse_mask("hard:0.3"))
    sce_loss(logits, category, image, B).backward()
    assert fc1.grad is None or float(fc1.grad.abs().max()) == 0
