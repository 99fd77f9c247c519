"""Records of runs come from files: whatever is in them, reading them raises errors of the library only."""

import json

import numpy as np
import pytest

import breastcls as bc
from breastcls.errors import BreastclsError, TrainingError
from breastcls.training.checkpointing.checkpoint_check import check_meta
from breastcls.training.checkpointing.checkpoints import Checkpoint, Checkpoints
from breastcls.training.checkpointing.resume import is_finished, load_run
from breastcls.training.checkpointing.run_folder import read_config, read_split
from breastcls.training.fit_settings import settings_arguments
from support.checkpoint_states import PHASE_META, STEP_META
from support.json_damage import damage


@pytest.fixture(scope="module")
def finished(easy, tmp_path_factory):
    folder = tmp_path_factory.mktemp("damaged") / "run"
    model = bc.build_model("cnn4", classes=easy.classes, image_size=32, seed=1)
    train, val = easy.split((0.5, 0.5), seed=1)
    bc.fit(model, train, val, epochs=1, batch_size=32, augment="none", run_dir=folder)
    return folder


def _read_everything(folder):
    run = load_run(folder)
    str(run)
    run.to_json()


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("run.json", _read_everything),
        ("run.json", is_finished),
        ("local.json", read_split),
        ("config.json", lambda folder: settings_arguments((read_config(folder) or {})["fit"])),
    ],
)
def test_every_damage_of_a_record_is_an_error_of_the_library_or_none(finished, name, read):
    path = finished / name
    whole = path.read_text(encoding="utf-8")
    refused = 0
    try:
        for what, text in damage(json.loads(whole), most_per_list=1):
            path.write_bytes(text.encode("utf-8", "surrogatepass"))
            try:
                read(finished)
            except BreastclsError:
                refused += 1
            except Exception as error:
                raise AssertionError(f"{name}, {what}: {type(error).__name__}: {error}") from error
    finally:
        path.write_text(whole, encoding="utf-8")
    assert refused > 10


@pytest.mark.parametrize("meta", [PHASE_META, STEP_META], ids=["phase", "step"])
def test_a_checkpoint_with_other_values_is_skipped_like_a_damaged_one(tmp_path, meta):
    check_meta(meta)
    checkpoints = Checkpoints(tmp_path)
    checkpoints.write("phase-0", Checkpoint({"model": [np.zeros(2)]}, {**meta, "rows": None}))
    with pytest.warns(match="cannot be read"):
        assert checkpoints.read("phase-0") is None
    refused = 0
    for what, text in damage(meta, most_per_list=1):
        try:
            changed = json.loads(text)
        except (ValueError, RecursionError):
            continue
        try:
            check_meta(changed)
        except ValueError:
            refused += 1
        except Exception as error:
            raise AssertionError(f"{what}: {type(error).__name__}: {error}") from error
    assert refused > 100


def test_the_message_names_the_file_and_the_remedy(finished):
    path = finished / "local.json"
    whole = path.read_text(encoding="utf-8")
    path.write_text('{"images": 3}', encoding="utf-8")
    try:
        with pytest.raises(TrainingError, match=r"local\.json is damaged: images is 3\. Delete it"):
            read_split(finished)
    finally:
        path.write_text(whole, encoding="utf-8")
