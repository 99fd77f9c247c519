"""Backbones, heads, building, saving and loading."""
