"""What the images are: the table, its readers, splits, leak checks, synthetic images."""
