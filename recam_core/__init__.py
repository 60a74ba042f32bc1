"""Class Re-Activation Maps (Chen et al., CVPR 2022): training, maps, scores and retraining.

For a notebook or a program::

    import recam_core as recam

    lab = recam.load("photos")
    maps = lab.maps("cow.jpg")
    maps.show()

What :data:`__all__` names stays as it is from version to version (``docs/library.md``); the rest is free to change.

The way of the data is one-directional: ``data`` -> ``model`` / ``method`` -> ``train`` / ``retrain`` ->
``maps`` -> ``scores`` -> ``views``. See ``docs/architecture.md``.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recam_core.data.spec import open_dataset
    from recam_core.errors import UserError
    from recam_core.library import Evaluations, Lab, PictureErrors, PictureMaps, evaluate, load

__version__ = "0.1.0"
__all__ = [
    "Evaluations",
    "Lab",
    "PictureErrors",
    "PictureMaps",
    "UserError",
    "__version__",
    "evaluate",
    "load",
    "open_dataset",
]

#: Where names lie, if not in ``recam_core.library``. They are imported when they are first used: torch takes seconds.
_ELSEWHERE = {"UserError": "recam_core.errors", "open_dataset": "recam_core.data.spec"}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    found = getattr(importlib.import_module(_ELSEWHERE.get(name, "recam_core.library")), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
