"""What a score has to be held against: simple baselines, shortcuts, changed images."""
