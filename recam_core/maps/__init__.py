"""Activation maps: how they are made from a network, kept on disk, and read as seeds."""
