"""Masks: from seeds to pseudo masks of one picture, and of a set."""
