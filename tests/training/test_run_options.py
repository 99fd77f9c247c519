import pytest

from breastcls.errors import TrainingError
from breastcls.training.run_options import Devices, Logging, ModelSelection, Preprocessing


@pytest.mark.parametrize(
    ("kind", "short", "options"),
    [
        (ModelSelection, None, ModelSelection()),
        (ModelSelection, "val_loss", ModelSelection(monitor="val_loss")),
        (Devices, None, Devices(None, "auto")),
        (Devices, "mirrored", Devices(strategy="mirrored")),
        (Preprocessing, None, Preprocessing(None, None)),
        (Logging, None, Logging()),
    ],
)
def test_short_forms(kind, short, options):
    assert kind.of(short) == options
    assert kind.of(options) is options


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (Preprocessing, "resize", "squeeze"),
        (Preprocessing, "stain", 3),
        (ModelSelection, "monitor", "val_auc"),
        (ModelSelection, "patience", 0),
        (Devices, "precision", "float64"),
        (Logging, "csv", "log.txt"),
        (Logging, "checkpoint_steps", 0),
        (Logging, "progress", "no"),
    ],
)
def test_an_invalid_value_is_named(kind, name, value):
    with pytest.raises(TrainingError, match=rf"{kind.__name__}\.{name}"):
        kind(**{name: value})


@pytest.mark.parametrize("kind", [Preprocessing, ModelSelection, Logging])
def test_another_type_is_refused(kind):
    with pytest.raises(TrainingError, match=rf"must be a breastcls\.training\.{kind.__name__} or None; found 3"):
        kind.of(3)
