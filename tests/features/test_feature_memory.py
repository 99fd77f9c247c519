"""How much memory features may take, and that they are not computed where they take more."""

import os

import pytest

import breastcls as bc
from breastcls.errors import TrainingWarning
from breastcls.features import feature_memory
from breastcls.features.feature_memory import count_feature_bytes, max_feature_bytes
from breastcls.training.distribution.placement import Place
from breastcls.training.fit_options import FrozenHead
from breastcls.training.fit_settings import FitSettings
from breastcls.training.input_modes import TrainingData, choose_input_mode, prepare_input_mode
from breastcls.training.phases import Phase


def test_it_is_a_quarter_of_the_memory_installed_or_allowed(monkeypatch):
    pages = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 10**6}
    monkeypatch.setattr(os, "sysconf", pages.__getitem__)
    monkeypatch.setattr(feature_memory, "_allowed_memory", lambda: iter(()))
    assert max_feature_bytes() == 1024 * 10**6
    monkeypatch.setattr(feature_memory, "_allowed_memory", lambda: iter([10**9, 9 * 10**9]))
    assert max_feature_bytes() == 25 * 10**7


def test_where_the_system_does_not_say_eight_gibibytes_are_assumed(monkeypatch):
    monkeypatch.delattr(os, "sysconf")
    monkeypatch.setattr(feature_memory, "_allowed_memory", lambda: iter(()))
    assert max_feature_bytes() == 2 * 2**30


@pytest.mark.parametrize(
    ("line", "tree", "name"),
    [("0::/jobs/step", ".", "memory.max"), ("4:cpu,memory:/jobs/step", "memory", "memory.limit_in_bytes")],
)
def test_limits_of_control_groups_count_from_the_innermost_to_the_root(tmp_path, line, tree, name):
    own, root = tmp_path / "cgroup", tmp_path / "tree"
    own.write_text(f"1:name=systemd:/elsewhere\n{line}\n", encoding="utf-8")
    top = root / tree
    for folder, text in (("jobs/step", "max"), ("jobs", "3000"), (".", "9000"), ("elsewhere", "1")):
        (top / folder).mkdir(parents=True, exist_ok=True)
        (top / folder / name).write_text(text + "\n", encoding="utf-8")
    assert list(feature_memory._allowed_memory(own, root)) == [3000, 9000]
    assert list(feature_memory._allowed_memory(tmp_path / "none", root)) == []


def test_the_largest_case_is_as_large_as_it_is():
    """BreakHis in four versions with ResNet50: a quarter of a gigabyte pooled, flattened fifty times as much."""
    for head, expected in (("linear", 259e6), ("flatten-mlp", 12.7e9)):
        model = bc.build_model("resnet50", classes=("a", "b"), image_size=224, weights=None, head=head)
        assert count_feature_bytes(model, 4 * 7909) == pytest.approx(expected, rel=0.01)


def test_features_that_do_not_fit_are_not_computed(parts, small):
    train, val, _ = parts
    head, versions, channels = Phase("head", "head", 4, 1e-3), 2, 256
    needed = 4 * channels * (versions * len(train) + len(val))
    settings = FitSettings(augment="dihedral", frozen_head=FrozenHead(feature_versions=versions), batch_size=8)
    for most, expected in ((needed, "features"), (needed - 1, "images")):
        data = TrainingData(Place(small()), train, val, (32, 32), "stretch", None, settings, most)
        assert choose_input_mode(head, data) == expected
        # An exact fit knows no other mode.
        assert choose_input_mode(Phase("head", "head", 1, 1e-3, "lbfgs"), data) == "features"
    message = r"The features of the phase 'head' take .* trained on images"
    with pytest.warns(TrainingWarning, match=message):
        assert prepare_input_mode(head, data).name == "images"
    # A run that goes on stays on its mode: the state of its optimizer is that of the head alone.
    assert prepare_input_mode(head, data, "features").name == "features"


def test_fit_falls_back_to_images_and_says_so(parts, small, monkeypatch):
    options = {"augment": "none", "fine_tune": False, "epochs": 2, "batch_size": 8}
    usual = bc.fit(small(dropout=0.0), *parts[:2], **options)
    monkeypatch.setattr("breastcls.training.fit.max_feature_bytes", lambda: 1000)
    with pytest.warns(TrainingWarning, match="trained on images"):
        run = bc.fit(small(dropout=0.0), *parts[:2], **options)
    assert (usual.config["input_modes"], run.config["input_modes"]) == (["features"], ["images"])
    # Another mode, not another result.
    assert run.history["loss"].to_numpy() == pytest.approx(usual.history["loss"].to_numpy(), rel=1e-3)
