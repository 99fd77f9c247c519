"""Features kept on disk: those of the model, computed once, and whatever happens to the store, the right ones."""

import os
import shutil
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

import breastcls as bc
from breastcls.errors import DatasetWarning, TrainingError, TrainingWarning
from breastcls.features import feature_job, feature_store
from breastcls.features.feature_store import read_features
from breastcls.images.cache_segment import SegmentWriter
from breastcls.images.image_cache import cache_size, clear_cache
from breastcls.images.image_source import ReadSettings
from breastcls.models.model_parts import split_model
from breastcls.stain.fitting import fit_normalizer
from support.platforms import POSIX

SIZE = 32


@pytest.fixture(scope="module")
def tissue(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tissue")
    options = {"slides_per_subtype": 2, "images_per_slide": 1, "magnifications": (200,), "image_size": (92, 140)}
    return bc.load_breakhis(bc.datasets.make_breakhis(folder / "BreaKHis_v1", **options))


@pytest.fixture(scope="module")
def frozen():
    return build()


def build(seed=3, size=SIZE):
    classes = ("benign", "malignant")
    return split_model(bc.build_model("cnn4", classes=classes, image_size=size, weights=None, seed=seed))[0]


@pytest.fixture
def read(frozen, tmp_path):
    """Read features through a cache of the test's own."""

    def call(data, model=frozen, **options):
        options = {"image_size": SIZE, "cache_dir": tmp_path / "cache", "progress": False, **options}
        return read_features(model, data, **options)

    return call


@pytest.fixture
def computed(monkeypatch):
    """How many entries each computation took."""
    counts = []
    original = feature_job.FeatureJob.compute

    def count(self, source, entries, *rest):
        counts.append(len(entries))
        return original(self, source, entries, *rest)

    monkeypatch.setattr(feature_job.FeatureJob, "compute", count)
    return counts


def segments(folder):
    return sorted(folder.rglob("*.features"))


def test_they_are_what_the_model_gives(read, tissue, frozen, tmp_path):
    images, _ = tissue.to_numpy((SIZE, SIZE))
    expected = np.asarray(frozen(images, training=False))
    for _ in range(2):
        found = read(tissue)
        assert found.shape == (1, len(tissue), *frozen.output_shape[1:])
        assert found.dtype == np.float32
        np.testing.assert_allclose(found[0], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(read(tissue, cache=False), found)


def test_each_image_is_computed_once_over_folds_and_as_data_grow(read, tissue, computed):
    for train, test in tissue.folds(2, seed=1):
        both = np.concatenate([read(train), read(test)], axis=1)
        assert both.shape[1] == len(tissue)
    assert sum(computed) == len(tissue)
    computed.clear()
    some = read(tissue[::2], augment="dihedral", versions=2)
    grown = read(tissue, augment="dihedral", versions=3)
    assert computed == [2 * len(tissue[::2]), 3 * len(tissue) - 2 * len(tissue[::2])]
    np.testing.assert_array_equal(grown[:2, ::2], some)


def test_another_order_and_repeats_give_the_same_features(read, tissue, computed):
    whole = read(tissue)
    rows = np.array([3, 0, 3, 5])
    np.testing.assert_array_equal(read(tissue[rows]), whole[:, rows])
    assert computed == [len(tissue)]
    np.testing.assert_array_equal(read(tissue[rows], cache=False), whole[:, rows])
    # The image that is there twice was computed once.
    assert computed == [len(tissue), 3]


@pytest.mark.parametrize(("size", "batch_size"), [(32, 32), (299, 32), (331, 16), ((460, 700), 8), (2000, 1)])
def test_the_shape_of_a_computation_depends_on_the_image_size_alone(frozen, size, batch_size):
    for entries in (1, 5, 700):
        numbers = np.arange(entries)
        job = feature_job.FeatureJob(frozen, ReadSettings(size), None, 0, "float32", np.zeros_like(numbers), numbers)
        assert job.batch_size == batch_size
        assert job.description["batch_size"] == batch_size


def test_few_images_are_computed_in_the_shape_of_many(read, tissue, monkeypatch):
    """A training on three images, or the last missing one of a thousand, gives the bits that all together give."""
    sizes = []
    original = feature_job.compile_frozen

    def compile_and_note(frozen, size, precision):
        sizes.append(size)
        return original(frozen, size, precision)

    monkeypatch.setattr(feature_job, "compile_frozen", compile_and_note)
    whole = read(tissue, cache=False)
    for rows in ([5], [2, 9, 4]):
        np.testing.assert_array_equal(read(tissue[rows], cache=False), whole[:, rows])
    assert sizes == [32, 32, 32]


@pytest.fixture
def in_bfloat16(monkeypatch):
    """Have bfloat16 tried, note on what, and take images whose mean is above a limit for too far from float32."""
    tried = []

    def make(limit):
        def settle(frozen, images, wanted):
            tried.append(images)
            return wanted if images.mean(axis=(1, 2, 3)).max() < limit else "float32"

        monkeypatch.setattr(feature_store, "preferred_precision", lambda frozen: "bfloat16")
        monkeypatch.setattr(feature_job, "settle_precision", settle)
        return tried

    return make


def test_bfloat16_is_tried_on_images_spread_over_all(read, easy, in_bfloat16, tmp_path):
    tried = in_bfloat16(256)
    found = read(easy)
    np.testing.assert_array_equal(found, read(easy, precision="bfloat16", cache=False))
    pixels, _ = easy.to_numpy((SIZE, SIZE))
    spread = np.linspace(0, len(easy) - 1, 16).round().astype(int)
    np.testing.assert_array_equal(tried[0], pixels[spread])
    # What is kept already was tried when it was computed.
    read(easy[3:9])
    assert len(tried) == 1


def test_the_precision_does_not_depend_on_what_was_computed_before(read, easy, in_bfloat16, tmp_path):
    """Also if some images pass and others do not: each set has the features that an empty store would give it."""
    means = easy.to_numpy((SIZE, SIZE))[0].mean(axis=(1, 2, 3))
    order = np.argsort(means)
    in_bfloat16(np.sort(means)[-4])
    calm, mixed = easy[np.sort(order[:20])], easy
    cold = {len(data): read(data, cache=False) for data in (calm, mixed)}
    np.testing.assert_array_equal(cold[len(mixed)], read(mixed, precision="float32", cache=False))
    np.testing.assert_array_equal(cold[len(calm)], read(calm, precision="bfloat16", cache=False))
    assert (cold[len(mixed)][:, np.sort(order[:20])] != cold[len(calm)]).any()
    for data in (calm, mixed, calm, mixed):
        np.testing.assert_array_equal(read(data), cold[len(data)])
    for data in (mixed, calm, mixed):
        np.testing.assert_array_equal(read(data, cache_dir=tmp_path / "other"), cold[len(data)])


def test_augmented_versions_depend_on_the_image_alone(read, tissue, tmp_path):
    whole = read(tissue, augment="standard", versions=3, seed=7)
    assert whole.shape[0] == 3
    for first, second in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(whole[first] - whole[second]).max(axis=1).min() > 1e-4
    turned = read(tissue[::-1], augment="standard", versions=3, seed=7, cache=False)
    np.testing.assert_allclose(turned[:, ::-1], whole, rtol=1e-4, atol=1e-5)
    other = read(tissue, augment="standard", versions=3, seed=8)
    assert np.abs(other - whole).max() > 1e-3


@pytest.mark.parametrize(
    "change",
    [{"image_size": 24}, {"resize": "crop"}, {"precision": "bfloat16"}, {"augment": "dihedral"}, {"seed": 1}],
    ids=str,
)
def test_the_key_contains_what_features_depend_on(read, tissue, computed, change):
    read(tissue)
    if "image_size" in change:
        change["model"] = build(size=24)
    read(tissue, **change)
    # Without augmentation the seed decides nothing.
    assert len(computed) == (1 if "seed" in change else 2)


def test_stain_is_in_the_key(read, tissue, computed):
    plain = read(tissue)
    normalised = read(tissue, normalizer=fit_normalizer(tissue.to_numpy((64, 64))[0][0], "reinhard"))
    assert len(computed) == 2
    assert np.abs(plain - normalised).max() > 1e-3


def test_another_checkpoint_is_another_key_and_the_same_one_built_again_is_not(read, tissue, computed, frozen):
    first = read(tissue)
    np.testing.assert_array_equal(read(tissue, model=build()), first)
    assert len(computed) == 1
    copied = keras.models.clone_model(frozen)
    copied.set_weights(frozen.get_weights())
    np.testing.assert_array_equal(read(tissue, model=copied), first)
    assert len(computed) == 1
    weights = frozen.get_weights()
    weights[-1] = np.nextafter(weights[-1], np.float32(9))
    copied.set_weights(weights)
    read(tissue, model=copied)
    assert len(computed) == 2


def test_a_changed_file_is_computed_again(read, easy, tmp_path, computed):
    names = [shutil.copy(path, tmp_path / f"{number}.png") for number, path in enumerate(easy.paths[:5])]
    labels = [easy.classes[label] for label in easy.labels[:5]]
    data = bc.Dataset.from_columns(easy.classes, path=names, label=labels, case=list("abcde"))
    before = read(data)
    shutil.copy(easy.paths[9], names[2])
    os.utime(names[2], ns=(1, 1))
    after = read(data)
    assert computed == [5, 1]
    changed = np.abs(after - before)[0].max(axis=1) > 0
    assert changed.tolist() == [False, False, True, False, False]


@pytest.mark.parametrize("damage", ["a flipped byte", "cut short", "no footer"])
def test_a_damaged_file_is_computed_again_with_a_warning(read, tissue, tmp_path, computed, damage):
    expected = read(tissue)
    (path,) = segments(tmp_path / "cache")
    content = bytearray(path.read_bytes())
    if damage == "a flipped byte":
        content[1000] ^= 1
    elif damage == "cut short":
        del content[len(content) // 2 :]
    else:
        content[-10:] = bytes(10)
    path.write_bytes(content)
    with pytest.warns(DatasetWarning, match="The stored features in .* are damaged"):
        found = read(tissue)
    np.testing.assert_array_equal(found, expected)
    assert computed[1] == (1 if damage == "a flipped byte" else len(tissue))
    np.testing.assert_array_equal(read(tissue), expected)


def test_a_folder_that_cannot_be_written_costs_time_only(read, tissue, tmp_path):
    tissue.to_numpy((SIZE, SIZE), cache_dir=tmp_path / "cache")
    (tmp_path / "cache" / "features").write_text("a file where the folder should be", encoding="utf-8")
    with pytest.warns(TrainingWarning, match="Features cannot be stored in .*computed each time"):
        found = read(tissue)
    np.testing.assert_array_equal(found, read(tissue, cache=False))


def test_a_full_disk_costs_time_only(read, tissue, monkeypatch, computed, tmp_path):
    def fail(self, position, image):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(SegmentWriter, "write", fail)
    monkeypatch.setattr(feature_store, "_SEGMENT_ENTRIES", 4)
    # The images are prepared by the same writer.
    with pytest.warns(DatasetWarning, match="No space left"), pytest.warns(TrainingWarning, match="No space left"):
        found = read(tissue)
    assert computed == [len(tissue)]
    assert not list(tmp_path.rglob("*.part"))
    monkeypatch.undo()
    np.testing.assert_array_equal(read(tissue, cache=False), found)


def test_clearing_the_store_clears_features_too(read, tissue, tmp_path, computed):
    cache = tmp_path / "cache"
    read(tissue)
    before = cache_size(cache)
    assert before >= len(tissue) * (SIZE * SIZE * 3 + 256 * 4)
    assert clear_cache(cache) == before
    assert not segments(cache)
    read(tissue)
    assert len(computed) == 2


def test_mixing_policies_and_needless_views_are_refused(read, tissue):
    with pytest.raises(TrainingError, match="'mixup' mixes images"):
        read(tissue, augment="mixup", versions=2)
    with pytest.raises(TrainingError, match="versions=2: without augmentation"):
        read(tissue, versions=2)
    with pytest.raises(TrainingError, match=r"versions is .*; expected a whole number"):
        read(tissue, augment="dihedral", versions=0)
    with pytest.raises(TrainingError, match="no images"):
        read(tissue[:0])


SCRIPT = """
import os, sys, time
import numpy as np
import breastcls as bc
from breastcls.features import feature_job
from breastcls.features import feature_store
from breastcls.features.feature_store import read_features
from breastcls.models.model_parts import split_model

folder, cache, out, pause, number = sys.argv[1:]
feature_store._SEGMENT_ENTRIES = 4
feature_job._ENTRIES_AT_ONCE = 4
original = feature_job.augment_versions
def slow(*arguments):
    time.sleep(float(pause))
    # In one write: two threads come by here, and print writes the end of a line apart from it.
    os.write(1, b"batch\\n")
    return original(*arguments)
feature_job.augment_versions = slow
counted = []
compute = feature_job.FeatureJob.compute
def count(self, source, entries, *rest):
    counted.append(len(entries))
    return compute(self, source, entries, *rest)
feature_job.FeatureJob.compute = count
data = bc.load_breakhis(folder)
model = bc.build_model("cnn4", classes=("benign", "malignant"), image_size=32, weights=None, seed=3)
options = {"image_size": 32, "cache_dir": cache, "augment": "standard", "versions": 2, "progress": False}
np.save(out, read_features(split_model(model)[0], data, **options))
print("computed", sum(counted), flush=True)
"""


@pytest.mark.slow
@POSIX
def test_two_processes_batch_size_and_one_that_is_killed(tissue, tmp_path, monkeypatch):
    """A process killed at work loses what it had not written; two at once share the work; the features are the same."""
    cache = tmp_path / "cache"
    folder = os.path.commonpath(tissue.paths)

    def start(name, pause):
        command = [sys.executable, "-W", "error::breastcls.errors.BreastclsWarning", "-c", SCRIPT]
        out = tmp_path / name
        pipe = subprocess.PIPE
        return subprocess.Popen([*command, folder, str(cache), str(out), str(pause), "0"], stdout=pipe, text=True)

    killed = start("killed.npy", 0.3)
    for _ in range(5):
        assert killed.stdout.readline().strip() == "batch"
    time.sleep(0.2)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    assert not (tmp_path / "killed.npy").exists()
    kept = len(segments(cache))
    assert kept >= 1

    both = [start("first.npy", 0.05), start("second.npy", 0.05)]
    said = [process.communicate(timeout=300)[0].split() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    total = sum(int(words[-1]) for words in said)
    assert total == 2 * len(tissue) - 4 * kept
    first, second = np.load(tmp_path / "first.npy"), np.load(tmp_path / "second.npy")
    np.testing.assert_array_equal(first, second)
    options = {"image_size": SIZE, "augment": "standard", "versions": 2, "progress": False}
    monkeypatch.setattr(feature_job, "_ENTRIES_AT_ONCE", 4)
    undisturbed = read_features(build(), tissue, cache_dir=tmp_path / "other", **options)
    np.testing.assert_array_equal(first, undisturbed)


@pytest.mark.real
def test_features_of_real_images(real_data, tmp_path):
    """MobileNet 0.25 on BreakHis: what Keras computes, from the store the second time, and for every version."""
    data = bc.load_breakhis(real_data / "BreaKHis_200X_224", magnification=200)[::12]
    weights = real_data / "weights" / "mobilenet_2_5_224_tf_no_top.h5"
    model = bc.build_model("mobilenet", classes=data.classes, image_size=224, weights=weights, alpha=0.25)
    frozen, _ = split_model(model)
    options = {"image_size": 224, "cache_dir": tmp_path, "progress": False}
    found = read_features(frozen, data, **options)
    expected = frozen.predict(data.to_numpy((224, 224))[0], verbose=0)
    error = np.linalg.norm(found[0] - expected, axis=1) / np.linalg.norm(expected, axis=1)
    assert error.max() < 1e-4
    np.testing.assert_array_equal(read_features(frozen, data, **options), found)
    versions = read_features(frozen, data, augment="classic", versions=2, **options)
    # A version is nearer to its own image than to the others.
    distance = np.linalg.norm(versions[0][:, None] - found[0][None], axis=2)
    assert (distance.argmin(axis=1) == np.arange(len(data))).mean() > 0.7
