"""``scenes``: drawn pictures with exact masks, in which contexts and shared parts mislead a classifier on purpose."""

from recam_core.scenes.dataset import Description, ScenesDataset, open_scenes

__all__ = ["Description", "ScenesDataset", "open_scenes"]
