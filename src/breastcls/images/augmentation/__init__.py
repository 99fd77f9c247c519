"""Augmentation: named policies as data, applied to batches in the graph."""
