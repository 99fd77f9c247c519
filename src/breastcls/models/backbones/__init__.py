"""Backbones: the registered architectures and the sources of their pretrained weights."""
