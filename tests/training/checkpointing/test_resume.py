"""Going on with a run: what is another run is refused, with what differs, and damaged records are named."""

from pathlib import Path

import pytest

import breastcls as bc
from breastcls.errors import OutputError, TrainingError
from support.training_fixtures import COMMON, GOES_ON, SHORT, bits, cut_off


def test_without_resume_a_run_is_not_overwritten(parts, make, tmp_path):
    options = {**COMMON, "epochs": 1, "augment": "none", "run_dir": tmp_path / "run"}
    bc.fit(make(1), *parts[:2], **options)
    with pytest.raises(OutputError, match="resume=True"):
        bc.fit(make(1), *parts[:2], **options)


def test_other_settings_are_refused_with_the_difference(parts, make, tmp_path):
    cut_off(make, parts, tmp_path)
    options = {**SHORT, "run_dir": tmp_path, **GOES_ON}
    with pytest.raises(TrainingError, match=r"learning_rate: 0.001 there, 0.5 here"):
        bc.fit(make(1), *parts[:2], **options, learning_rate=0.5)
    with pytest.raises(TrainingError, match=r"seed: 4 there, 5 here"):
        bc.fit(make(1), *parts[:2], **{**options, "seed": 5})
    other = bc.build_model("cnn4", classes=("benign", "malignant"), image_size=48, weights=None, seed=3)
    with pytest.raises(TrainingError, match="image_size"):
        bc.fit(other, *parts[:2], **options)
    # What changes no weight may differ.
    bc.fit(make(1), *parts[:2], **options, logging=bc.training.Logging(tmp_path / "log.csv"))


def test_other_data_is_refused_with_the_difference(parts, make, tmp_path):
    train, val, test = parts
    cut_off(make, parts, tmp_path)
    options = {**SHORT, "run_dir": tmp_path, **GOES_ON}
    with pytest.raises(TrainingError, match=rf"train: {len(train)} images there, {len(train) - 1} here"):
        bc.fit(make(1), train[1:], val, **options)
    with pytest.raises(TrainingError, match="in another order"):
        bc.fit(make(1), train[::-1], val, **options)
    with pytest.raises(TrainingError, match=r"val: 16 images there, 18 here;.*new: 2"):
        bc.fit(make(1), train, val + test[:2], **options)


def copies_of(data, folder, end=b"", last=b""):
    """The same images elsewhere, with bytes behind them that no reader looks at."""
    folder.mkdir()
    paths = []
    for path in data.paths:
        paths.append(str(folder / Path(path).name))
        content = Path(path).read_bytes() + (last if path == data.paths[-1] and last else end)
        Path(paths[-1]).write_bytes(content)
    return bc.Dataset(data.table.assign(path=paths), data.classes)


@pytest.mark.parametrize("validated", [True, False])
def test_a_moved_folder_is_the_same_data_and_other_pictures_of_the_same_names_are_not(parts, make, tmp_path, validated):
    val = parts[1] if validated else None
    first = copies_of(parts[0], tmp_path / "first", b"aa")
    cut_off(make, (first, val), tmp_path / "run")
    options = {**SHORT, "run_dir": tmp_path / "run", **GOES_ON}
    name = Path(first.paths[-1]).name
    # Where the leakage audit has read the files their hash is known, else their size alone.
    other = copies_of(parts[0], tmp_path / "other", b"aa", last=b"ab" if validated else b"a")
    with pytest.raises(TrainingError, match=f"1 image has the same names but other content, such as {name}"):
        bc.fit(make(1), other, val, **options)
    moved = copies_of(parts[0], tmp_path / "moved", b"aa")
    assert bc.fit(make(1), moved, val, **options).stopped == "all epochs done"


@pytest.mark.parametrize("content", ["{", "[]", "{}"])
def test_a_damaged_record_is_named_and_without_it_the_run_is_repeated(parts, make, tmp_path, content):
    options = {"epochs": 1, "run_dir": tmp_path}
    first = make(1)
    bc.fit(first, *parts[:2], **options)
    (tmp_path / "run.json").write_text(content, encoding="utf-8")
    with pytest.raises(TrainingError, match=r"run\.json is damaged .* Delete it"):
        bc.fit(make(1), *parts[:2], resume=True, **options)
    (tmp_path / "run.json").unlink()
    again = make(1)
    bc.fit(again, *parts[:2], resume=True, **options)
    assert bits(again) == bits(first)


def test_a_file_that_is_no_run_is_refused(parts, make, tmp_path):
    (tmp_path / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(TrainingError, match="damaged"):
        bc.fit(make(1), *parts[:2], epochs=1, run_dir=tmp_path, resume=True)
    (tmp_path / "config.json").write_text("[]", encoding="utf-8")
    with pytest.raises(TrainingError, match="not the record"):
        bc.fit(make(1), *parts[:2], epochs=1, run_dir=tmp_path, resume=True)
