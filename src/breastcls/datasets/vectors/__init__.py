"""Vectors of images, such as the embeddings of a foundation model: their files, their checks and their rows."""
