"""Checks of explanations: repeatability, randomisation of the weights, faithfulness."""
