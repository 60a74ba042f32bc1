"""Backbones and the network that carries FC1 and FC2 on top of one."""
