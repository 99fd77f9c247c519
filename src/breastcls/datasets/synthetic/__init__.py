"""Synthetic H&E-like images in the layouts of BreakHis and IDC."""
