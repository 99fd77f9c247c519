"""Checkpointing: what a run writes, and how it is resumed."""
