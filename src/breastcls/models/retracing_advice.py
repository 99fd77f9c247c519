"""TensorFlow's advice on how to write a loop over models, which the users of this package do not write."""

from __future__ import annotations

import logging


def hide_retracing_advice() -> None:
    """Leave out the advice "... triggered tf.function retracing", and no other message, from TensorFlow's log.

    Keras compiles one function per model, so that the advice appears where a script or a notebook predicts with several
    models. Nothing can be done about it there.
    """
    # A filter that the logger has already is not added again.
    logging.getLogger("tensorflow").addFilter(_is_other)


def _is_other(record: logging.LogRecord) -> bool:
    return "triggered tf.function retracing" not in record.getMessage()
