"""Gradients of class scores: one small module for each backend of Keras, today TensorFlow."""
