"""Vision transformers: the architecture, its layers, and the entries of the registry."""
