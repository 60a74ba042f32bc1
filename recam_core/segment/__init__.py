"""Segmentation networks that are trained on pseudo masks."""
