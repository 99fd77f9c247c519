"""Stain: optical density, normalisers, and what they are compared with."""
