"""Whole mounts: patches put back in their places in the slide."""
