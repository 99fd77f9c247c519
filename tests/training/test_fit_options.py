import math

import keras
import pytest

from breastcls.errors import TrainingError
from breastcls.training.fit_options import EpochSchedule, FineTune, FrozenHead


@pytest.mark.parametrize(
    ("short", "options"),
    [
        (True, FineTune()),
        ("all", FineTune("all")),
        ("last-stage", FineTune("last-stage")),
        (1, FineTune(1)),
        (False, False),
        (FineTune(3), FineTune(3)),
    ],
)
def test_short_forms_of_fine_tune(short, options):
    assert FineTune.of(short) == options
    assert type(FineTune.of(short)) is type(options)


def test_short_forms_of_the_frozen_head():
    assert FrozenHead.of("lbfgs") == FrozenHead("lbfgs")
    assert FrozenHead.of(FrozenHead(feature_versions=None)).feature_versions is None


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (FineTune, "depth", "first"),
        (FineTune, "depth", True),
        (FineTune, "depth", 0),
        (FineTune, "head_epochs", 0),
        (FineTune, "head_epochs", 1.5),
        (FineTune, "learning_rate", -1),
        (FineTune, "learning_rate", "fast"),
        (FineTune, "layer_decay", 0),
        (FineTune, "layer_decay", 1.1),
        (FineTune, "batch_norm", "off"),
        (FrozenHead, "solver", "sgd"),
        (FrozenHead, "feature_versions", 0),
        (EpochSchedule, "peak", 0),
        (EpochSchedule, "peak", math.inf),
        (EpochSchedule, "decay", "linear"),
        (EpochSchedule, "warmup_epochs", -1),
    ],
)
def test_an_invalid_value_is_named(kind, name, value):
    with pytest.raises(TrainingError, match=f"{kind.__name__}.{name}"):
        kind(**{name: value})


@pytest.mark.parametrize("wrong", ["first", 0.5, 0, None])
def test_other_values_of_fine_tune_are_refused(wrong):
    with pytest.raises(TrainingError, match="fine_tune must be"):
        FineTune.of(wrong)


def test_a_schedule_may_be_the_rate_of_fine_tuning():
    schedule = keras.optimizers.schedules.ExponentialDecay(1e-4, 10, 0.9)
    assert FineTune(learning_rate=schedule).learning_rate is schedule
