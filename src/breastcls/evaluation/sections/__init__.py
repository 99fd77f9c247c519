"""The built-in sections of an evaluation, one file each."""
