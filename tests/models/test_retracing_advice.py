"""TensorFlow's advice on retracing is left out of its log, and nothing else is."""

import logging

from breastcls.models.retracing_advice import hide_retracing_advice


def test_only_the_advice_is_left_out(caplog):
    logger = logging.getLogger("tensorflow")
    before = list(logger.filters)
    hide_retracing_advice()
    hide_retracing_advice()
    try:
        assert len(logger.filters) == 1
        with caplog.at_level("WARNING", logger="tensorflow"):
            logger.warning("5 out of the last %d calls to f triggered tf.function retracing. Tracing is", 9)
            logger.warning("Something else")
        assert [record.getMessage() for record in caplog.records if record.name == "tensorflow"] == ["Something else"]
    finally:
        logger.filters[:] = before
