import re

import cv2
import numpy as np
import pytest

from breastcls.datasets.synthetic.tree_writer import new_tree, run_jobs, write_png
from breastcls.errors import OutputError

NAME = re.compile(r"synthetic-\d+\.png")


def test_a_picture_is_written_as_rgb(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    write_png(tmp_path / "a" / "b.png", image)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "a" / "b.png"))[..., ::-1], image)


def fail_half_way(target):
    with new_tree(target, NAME, False) as tree:
        tree.mkdir()
        (tree / "synthetic-1.png").write_text("new", encoding="utf-8")
        raise RuntimeError("half way")


def test_a_tree_is_there_whole_or_not_at_all(tmp_path):
    target = tmp_path / "deep" / "tree"
    with pytest.raises(RuntimeError, match="half"):
        fail_half_way(target)
    assert list(target.parent.iterdir()) == []
    with new_tree(target, NAME, False) as tree:
        tree.mkdir()
        (tree / "synthetic-1.png").write_text("new", encoding="utf-8")
        assert not target.exists()
    assert [path.name for path in target.parent.iterdir()] == ["tree"]
    assert (target / "synthetic-1.png").read_text(encoding="utf-8") == "new"


def test_only_what_is_ours_is_replaced_and_only_when_asked(tmp_path):
    target = tmp_path / "tree"
    target.mkdir()
    (target / "synthetic-1.png").write_text("old", encoding="utf-8")
    with pytest.raises(OutputError, match="overwrite=True"), new_tree(target, NAME, False):
        pass
    with new_tree(target, NAME, True) as tree:
        tree.mkdir()
    assert list(target.iterdir()) == []
    (target / "real.png").write_text("precious", encoding="utf-8")
    with pytest.raises(OutputError, match=r"real\.png.*not replaced even with overwrite"), new_tree(target, NAME, True):
        pass
    assert (target / "real.png").read_text(encoding="utf-8") == "precious"


def test_a_file_in_the_place_is_named(tmp_path):
    (tmp_path / "tree").write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match="is a file"), new_tree(tmp_path / "tree", NAME, True):
        pass


def test_all_jobs_run_and_the_first_error_ends_it():
    done = []
    run_jobs([lambda number=number: done.append(number) for number in range(20)], 4)
    assert sorted(done) == list(range(20))

    def fail():
        raise OutputError("no space")

    with pytest.raises(OutputError, match="no space"):
        run_jobs([fail, *(lambda: done.append(-1) for _ in range(2000))], 1)
    assert done.count(-1) < 2000
