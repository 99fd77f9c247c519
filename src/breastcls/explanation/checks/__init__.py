"""Checks of explanations: faithfulness and randomisation."""
