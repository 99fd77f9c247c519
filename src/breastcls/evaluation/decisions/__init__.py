"""From probabilities to decisions: thresholds, calibration, prediction sets, what a decision is worth."""
