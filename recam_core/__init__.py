"""Class Re-Activation Maps (Chen et al., CVPR 2022): training, maps, scores and retraining.

The way of the data is one-directional: ``data`` -> ``model`` / ``method`` -> ``train`` / ``retrain`` ->
``maps`` -> ``scores`` -> ``views``. See ``docs/architecture.md``.
"""

__version__ = "0.1.0"
