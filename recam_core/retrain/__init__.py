"""Retraining the classifiers FC1 and FC2 on cached features."""
