"""Trained networks on disk: run folders, and files of the published implementation."""
