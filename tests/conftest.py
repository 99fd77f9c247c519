"""What every test shares: quiet TensorFlow, few threads, the real images where they are."""

import gc
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("MPLBACKEND", "agg")

import pytest

pytest_plugins = [
    "support.explanation_fixtures",
    "support.image_fixtures",
    "support.prediction_fixtures",
    "support.report_fixtures",
    "support.training_fixtures",
    "support.vector_fixtures",
]

PROJECT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real images, or a visible skip."""
    folder = Path(os.environ.get("BREASTCLS_TEST_DATA", PROJECT.parent / "shared" / "data"))
    if not (folder / "README.md").is_file():
        pytest.skip(f"no real images at {folder}: set BREASTCLS_TEST_DATA to run this test")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _private_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tests never read or fill the user's own cache."""
    os.environ["BREASTCLS_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module", autouse=True)
def _small_garbage_collections() -> None:
    """Leave out of garbage collections what was there before.

    The libraries alone hold half a million objects, and cross-validation collects garbage after every fold.
    """
    gc.collect()
    gc.freeze()
