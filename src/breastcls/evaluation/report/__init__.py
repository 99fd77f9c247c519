"""Plots and the single-file report."""
