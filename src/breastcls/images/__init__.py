"""Pixels: reading files, the prepared store, the input pipeline, augmentation, stain."""
