import re

import pytest

from breastcls.datasets.synthetic.tree_writer import atomic_tree, run_jobs
from breastcls.errors import OutputError

NAME = re.compile(r"synthetic-\d+\.png")


def fail_before_the_end(target):
    with atomic_tree(target, NAME, False) as tree:
        tree.mkdir()
        (tree / "synthetic-1.png").write_text("new", encoding="utf-8")
        raise RuntimeError("interrupted")


def test_a_folder_is_complete_or_does_not_exist(tmp_path):
    target = tmp_path / "deep" / "tree"
    with pytest.raises(RuntimeError, match="interrupted"):
        fail_before_the_end(target)
    assert list(target.parent.iterdir()) == []
    with atomic_tree(target, NAME, False) as tree:
        tree.mkdir()
        (tree / "synthetic-1.png").write_text("new", encoding="utf-8")
        assert not target.exists()
    assert [path.name for path in target.parent.iterdir()] == ["tree"]
    assert (target / "synthetic-1.png").read_text(encoding="utf-8") == "new"


def test_only_synthetic_images_are_replaced_and_only_if_requested(tmp_path):
    target = tmp_path / "tree"
    target.mkdir()
    (target / "synthetic-1.png").write_text("old", encoding="utf-8")
    with pytest.raises(OutputError, match="overwrite=True"), atomic_tree(target, NAME, False):
        pass
    with atomic_tree(target, NAME, True) as tree:
        tree.mkdir()
    assert list(target.iterdir()) == []
    (target / "real.png").write_text("real", encoding="utf-8")
    with (
        pytest.raises(OutputError, match=r"real\.png.*not replaced even with overwrite"),
        atomic_tree(target, NAME, True),
    ):
        pass
    assert (target / "real.png").read_text(encoding="utf-8") == "real"


def test_a_file_at_the_target_is_refused(tmp_path):
    (tmp_path / "tree").write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match="is a file"), atomic_tree(tmp_path / "tree", NAME, True):
        pass


def test_all_jobs_run_until_the_first_error():
    done = []
    run_jobs([lambda number=number: done.append(number) for number in range(20)], 4)
    assert sorted(done) == list(range(20))

    def fail():
        raise OutputError("no space")

    with pytest.raises(OutputError, match="no space"):
        run_jobs([fail, *(lambda: done.append(-1) for _ in range(2000))], 1)
    assert done.count(-1) < 2000
