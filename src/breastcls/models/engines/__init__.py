"""Engines: programs that run a network forward, such as Keras, OpenVINO and ONNX Runtime."""
