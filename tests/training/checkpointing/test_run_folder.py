import pytest

from breastcls.errors import OutputError
from breastcls.training.checkpointing.run_folder import open_run_dir
from support.platforms import NOT_SUPERUSER


def test_a_new_folder_is_made_and_left_empty(tmp_path):
    assert list(open_run_dir(tmp_path / "a" / "b").iterdir()) == []


def test_a_finished_run_is_not_overwritten(tmp_path):
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(OutputError, match="Choose another run_dir"):
        open_run_dir(tmp_path)


@NOT_SUPERUSER
def test_a_folder_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="may write to"):
        open_run_dir(tmp_path)
    tmp_path.chmod(0o700)
