"""The equations carried out on a picture, as the page that lights them up takes them: small pictures and words."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from recam_core.method.extraction import RULES
from recam_core.theory.losses import sigmoid, softmax
from recam_core.theory.walkthrough import Walkthrough
from recam_core.views.colours import colourise
from recam_core.views.pictures import data_url

#: Side of the photo, and classes among the bars, in pixels and at most.
_PHOTO, _BARS = 220, 6
#: Ends of the two-sided colours of what can be negative: against, and for.
_AGAINST, _NEUTRAL, _FOR = (47, 140, 158), (128, 134, 137), (229, 132, 67)


def equation_board(walk: Walkthrough, image: np.ndarray, names: Sequence[str]) -> dict[str, Any]:
    """What the browser is given: plain texts, numbers, and pictures as addresses; nothing in it is markup.

    Args:
        walk: the picture's.
        image: H x W x 3, uint8.
        names: K class names.

    Returns:
        ``photo`` and ``name`` (of p); ``parts``, by name: ``title``, ``said`` (a sentence with real numbers) and
        either ``pictures`` (each with an ``address`` and a ``caption``) or ``bars`` (each with ``name``, ``value`` as
        text, ``share`` 0..1 of the bar's length, ``sign`` and whether it ``counts``).
    """
    name, (row, column) = names[walk.p], walk.peak
    there = f"{walk.response.shape[0]} × {walk.response.shape[1]}"
    product = float(walk.products[0, row, column])
    shown = [f"channel {channel}" for channel in walk.channels]
    total = float(walk.response[row, column])
    others = total - float(walk.products[:, row, column].sum())
    parts: dict[str, dict[str, Any]] = {
        "f": {
            "title": "features f(x)",
            "said": f"{walk.count:,} channels on a grid of {there} cells. These {len(shown)} speak loudest for "
            f"{name} at its brightest cell; all of them count.",
            "pictures": _pictures(walk.features, shown, signed=False),
        },
        "w": {
            "title": f"weights w of FC1 for {name}",
            "said": f"One weight a channel: {walk.w[0]:+.3f} for channel {walk.channels[0]}, and so on.",
            "bars": _bars(shown, walk.w),
        },
        "wf": {
            "title": "products",
            "said": f"Weight times feature: at the brightest cell, channel {walk.channels[0]} gives {product:+.2f}, "
            f"these {len(shown)} together {total - others:+.2f}, the other {walk.count - len(shown):,} "
            f"{others:+.2f}: {total:.2f} in all.",
            "pictures": _pictures(walk.products, shown, signed=True),
        },
        "cam": {
            "title": f"CAM of {name}",
            "said": f"The sum over all channels, what is negative cut off, divided by its maximum of {total:.2f}.",
            "pictures": [_overlay(walk.cam, image, "equation 2")],
        },
        "z": {
            "title": "logits z, by the sigmoid",
            "said": f"The features' mean over all cells, times FC1: z = {walk.logits[walk.p]:.2f} for {name}, a "
            f"probability of {_percent(sigmoid(walk.logits)[walk.p])}. Each class by itself: they need not sum to 1.",
            "bars": _bars(*_strongest(walk.logits, sigmoid(walk.logits), walk.labels, names), percent=True),
        },
        "bce": {
            "title": "L_bce",
            "said": f"The mean over the {len(names)} classes of how wrong each is by itself: {walk.loss:.4f}.",
            "number": f"{walk.loss:.4f}",
        },
        "fk": {
            "title": f"masked features of {name}",
            "said": f"Every channel times the CAM: what lies outside of {name} fades, and one class is left.",
            "pictures": _pictures(walk.masked, shown, signed=False),
        },
    }
    if (second := walk.second) is not None:
        belief = softmax(second.single)
        rows = [*names, "background"][: len(belief)]
        single = np.arange(len(belief)) == walk.p
        parts |= {
            "w2": {
                "title": f"weights w′ of FC2 for {name}",
                "said": f"FC2 has weights of its own: {second.w2[0]:+.3f} for channel {walk.channels[0]}.",
                "bars": _bars(shown, second.w2),
            },
            "z2": {
                "title": "logits z′, by the softmax",
                "said": f"The masked features' mean, times FC2: z′ = {second.single[walk.p]:.2f} for {name}, "
                f"{_percent(belief[walk.p])} of the one unit of belief that the classes share.",
                "bars": _bars(*_strongest(second.single, belief, single, rows), percent=True),
            },
            "sce": {
                "title": "L_sce",
                "said": f"Of this feature: −log {_percent(belief[walk.p])} = {second.single_loss:.4f}; the mean over "
                "the picture's classes is the loss.",
                "number": f"{second.single_loss:.4f}",
            },
            "w3": {
                "title": f"weights w″ for {name}",
                "said": f"By this run's rule, {RULES[second.rule].meaning}: {walk.w[0]:+.3f} and {second.w2[0]:+.3f} "
                f"make {second.w3[0]:+.3f}.",
                "bars": _bars(shown, second.w3),
            },
            "recam": {
                "title": f"ReCAM of {name}",
                "said": "The map again, now by w″: the features are the same, the weights are not.",
                "pictures": [_overlay(second.recam, image, "equation 7")],
            },
        }
    parts["photo"] = {
        "title": "the picture x",
        "said": f"{image.shape[1]} × {image.shape[0]} pixels.",
        "pictures": [{"address": data_url(_small(image), "jpeg"), "caption": "x"}],
    }
    return {"name": name, "parts": parts}


def _pictures(maps: np.ndarray, captions: Sequence[str], signed: bool) -> list[dict[str, str]]:
    """S x h x w values, each with its own scale, or around 0 with one for all."""
    most = float(np.abs(maps).max()) or 1.0
    found = []
    for values, caption in zip(maps, captions, strict=True):
        image = _two_sided(values / most) if signed else _heat(values / (float(values.max()) or 1.0))
        found.append({"address": data_url(image), "caption": caption})
    return found


def _heat(shares: np.ndarray) -> np.ndarray:
    return colourise((np.clip(shares, 0, 1) * 255).round().astype(np.uint8))


def _two_sided(shares: np.ndarray) -> np.ndarray:
    """H x W in -1..1 to colours: grey at 0."""
    strength = np.clip(np.abs(shares), 0, 1)[..., None]
    end = np.where(shares[..., None] >= 0, np.array(_FOR), np.array(_AGAINST))
    return (np.array(_NEUTRAL) * (1 - strength) + end * strength).round().astype(np.uint8)


def _overlay(map_: np.ndarray, image: np.ndarray, caption: str) -> dict[str, str]:
    """A map over the picture, dimmed where it is dark."""
    small = _small(image)
    height, width = small.shape[:2]
    coarse = Image.fromarray((np.clip(map_, 0, 1) * 255).round().astype(np.uint8))
    levels = np.asarray(coarse.resize((width, height), Image.Resampling.BILINEAR))
    mixed = 0.45 * small.astype(np.float64) + 0.55 * colourise(levels)
    return {"address": data_url(mixed.round().astype(np.uint8), "jpeg"), "caption": caption}


def _small(image: np.ndarray) -> np.ndarray:
    photo = Image.fromarray(np.ascontiguousarray(image))
    photo.thumbnail((_PHOTO, _PHOTO), Image.Resampling.LANCZOS)
    return np.asarray(photo)


def _strongest(
    logits: np.ndarray, belief: np.ndarray, right: np.ndarray, names: Sequence[str]
) -> tuple[list[str], np.ndarray, list[bool]]:
    """Names, beliefs and whether they are right, of the right classes and the strongest others."""
    order = sorted(range(len(logits)), key=lambda k: (not right[k], -logits[k]))[:_BARS]
    return [names[k] for k in order], belief[order], [bool(right[k]) for k in order]


def _bars(
    names: Sequence[str], values: np.ndarray, counts: Sequence[bool] | None = None, percent: bool = False
) -> list[dict[str, Any]]:
    most = 1.0 if percent else float(np.abs(values).max()) or 1.0
    return [
        {
            "name": str(name),
            "value": _percent(value) if percent else f"{value:+.3f}",
            "share": round(min(abs(float(value)) / most, 1.0), 4),
            "sign": "minus" if value < 0 else "plus",
            "counts": True if counts is None else counts[place],
        }
        for place, (name, value) in enumerate(zip(names, values, strict=True))
    ]


def _percent(share: float) -> str:
    return f"{100 * float(share):.1f} %"
