"""Backbones: the registered architectures and where their pretrained weights come from."""
