"""Experiments over retrained classifiers: what a setting does, on which pictures, and whether it is more than noise."""
