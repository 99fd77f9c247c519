"""Files of tensors of other frameworks: reading them without running code, and their keys."""
