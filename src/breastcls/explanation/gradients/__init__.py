"""Gradients of class scores: one interface, and one small module for each backend of Keras."""
