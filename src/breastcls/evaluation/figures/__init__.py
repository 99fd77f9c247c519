"""Figures of an evaluation: each is drawn with Matplotlib from tables, for papers and for the HTML report."""
