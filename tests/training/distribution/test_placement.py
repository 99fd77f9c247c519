"""Where a model learns, in this process: one device, by a strategy or by none."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import breastcls as bc
from breastcls.errors import TrainingError
from breastcls.models.keras_internals import find_seed_generators
from breastcls.models.model_card import get_card
from breastcls.training.distribution.placement import Place, SameDecision, find_workers, placed, strategy_name
from breastcls.training.distribution.worker_group import WorkerGroup


@pytest.fixture(scope="module")
def mirror():
    return tf.distribute.MirroredStrategy(["CPU:0"])


def test_the_devices_of_this_machine_are_one_strategy():
    from breastcls.training.distribution.distributed_step import mirror as mirror_all

    assert mirror_all() is mirror_all()


def test_names(mirror):
    assert strategy_name(None) is None
    assert strategy_name("multi-worker") == "multi-worker"
    assert strategy_name(mirror) == "mirrored"
    assert strategy_name(tf.distribute.OneDeviceStrategy("CPU:0")) is None
    for wrong in ("horovod", 3, tf.distribute.get_strategy()):
        with pytest.raises(TrainingError, match="expected None, 'mirrored'"):
            strategy_name(wrong)


def test_workers_have_to_join_first(parts, small):
    with pytest.raises(TrainingError, match=r"call breastcls.training.join_workers\(\) first"):
        bc.fit(small(), *parts[:2], devices="multi-worker")


def test_without_a_strategy_the_model_itself_learns(small):
    model = small()
    with placed(model, find_workers(None)) as place:
        assert place.model is place.scorer is model
        source = object()
        assert place.shard(source, 10, 4) is source


def test_the_model_has_the_trained_weights_also_after_an_error(small, mirror):
    model = small()
    model.layers[-2].trainable = False
    before = model.get_weights()

    def learn(copy):
        assert copy is not model
        assert get_card(copy) == get_card(model)
        assert [weight.path for weight in copy.weights] == [weight.path for weight in model.weights]
        pairs = zip(copy._flatten_layers(), model._flatten_layers(), strict=True)
        assert all(one.trainable == other.trainable for one, other in pairs)
        for one, other in zip(before, copy.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
        copy.layers[-2].trainable = True
        copy.set_weights([weight + 1 for weight in before])
        find_seed_generators(copy)[0].state.assign(np.array([8, 9], "uint32"))
        # Until then it was left alone.
        np.testing.assert_array_equal(model.get_weights()[0], before[0])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), placed(model, find_workers(mirror)) as place:
        learn(place.model)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one + 1, other)
    assert model.layers[-2].trainable
    assert keras.ops.convert_to_numpy(find_seed_generators(model)[0].state).tolist() == [8, 9]


def test_the_scorer_has_the_weights_of_the_model(small, mirror):
    model = small()
    with placed(model, find_workers(mirror)) as place:
        place.model.set_weights([weight + 1 for weight in model.get_weights()])
        assert place.score_on_chief(lambda: {"first": float(model.get_weights()[0].flat[0])}) == {
            "first": float(place.model.get_weights()[0].flat[0])
        }


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mirrored", "one-device"])
def test_one_device_by_a_strategy_gives_what_it_gives_without(parts, small, mirror, kind, tmp_path):
    strategy = mirror if kind == "mirrored" else tf.distribute.OneDeviceStrategy("CPU:0")
    options = {"epochs": 2, "batch_size": 8, "augment": "none"}
    one, other = small(), small()
    first = bc.fit(one, *parts[:2], **options)
    second = bc.fit(other, *parts[:2], devices=strategy, run_dir=tmp_path / "run", **options)
    assert second.config["fit"]["devices"]["strategy"] == ("mirrored" if kind == "mirrored" else None)
    np.testing.assert_allclose(first.history["loss"], second.history["loss"], atol=1e-5)
    for left, right in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(left, right, atol=1e-4)
    again = small()
    assert bc.fit(again, *parts[:2], devices=strategy, run_dir=tmp_path / "run", resume=True, **options).best_epoch
    np.testing.assert_array_equal(again.get_weights()[0], other.get_weights()[0])


@pytest.mark.slow
def test_an_interrupted_mirrored_run_goes_on(parts, small, mirror, tmp_path):
    options = {"epochs": 3, "batch_size": 8, "augment": "standard", "devices": mirror}

    class Interrupt(keras.callbacks.Callback):
        left = 5

        def on_train_batch_end(self, batch, logs=None):
            self.left -= 1
            if not self.left:
                raise KeyboardInterrupt

    whole, cut = small(), small()
    bc.fit(whole, *parts[:2], **options)
    common = {**options, "run_dir": tmp_path / "run", "logging": bc.training.Logging(checkpoint_steps=1)}
    interrupt = Interrupt()
    with pytest.warns(bc.errors.TrainingWarning, match="Interrupted"):
        bc.fit(cut, *parts[:2], callbacks=[interrupt], **common)
    resumed = small()
    bc.fit(resumed, *parts[:2], resume=True, callbacks=[interrupt], **common)
    for left, right in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.slow
def test_the_exact_head_is_solved_under_a_strategy(parts, small, mirror):
    options = {"epochs": 1, "augment": "none", "fine_tune": False, "frozen_head": "lbfgs"}
    one, other = small(), small()
    first = bc.fit(one, *parts[:2], **options)
    second = bc.fit(other, *parts[:2], devices=mirror, **options)
    assert first.history["val_loss"].tolist() == second.history["val_loss"].tolist()
    np.testing.assert_array_equal(one.get_weights()[-2], other.get_weights()[-2])


def test_all_workers_stop_with_one_of_them():
    class Stopping(WorkerGroup):
        def gather(self, values):
            return np.array([values, [1.0]])

    class Model:
        stop_training = False

    decision = SameDecision(Stopping())
    decision.set_model(Model())
    decision.on_epoch_end(0)
    assert decision.model.stop_training


def test_a_place_is_made_of_a_model_alone(small):
    place = Place(small())
    assert place.strategy is None
    assert place.part.places(3).tolist() == [0, 1, 2]


def test_what_workers_must_have_in_common(parts):
    from breastcls.training.fit_checks import describe_task
    from breastcls.training.fit_settings import FitSettings
    from breastcls.training.phases import Phase
    from breastcls.training.run_options import Logging

    train, val, _ = parts
    phases = [Phase("all", "all", 2, 1e-3)]

    def describe(train=train, val=val, precision="float32", **changes):
        return describe_task(FitSettings(**{"run_dir": "/a/run", **changes}), phases, precision, train, val)

    same = describe()
    # Where the folder is and who shows progress may differ.
    assert describe(run_dir="/b/run", logging=Logging(progress=False)) == same
    for part, changed in (
        ("settings", describe(epochs=3)),
        ("settings", describe(run_dir=None)),
        ("settings", describe(resume=True)),
        ("precision", describe(precision="bfloat16")),
        ("images", describe(train=train[::-1])),
        ("images", describe(val=None)),
    ):
        assert {name for name in same if same[name] != changed[name]} == {part}
