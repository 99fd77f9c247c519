"""Many trainings as one experiment: cross-validation, comparison of splits, the BreakHis protocol."""
