"""Mean and standard deviation of the ImageNet training images, per channel.

They are those of the `torch` and `caffe` modes of `preprocess_input` in Keras Applications.
"""

MEAN = (0.485, 0.456, 0.406)
"""RGB, values 0..1."""

STANDARD_DEVIATION = (0.229, 0.224, 0.225)
"""RGB, values 0..1."""

MEAN_BGR_255 = (103.939, 116.779, 123.68)
"""BGR, values 0..255."""
