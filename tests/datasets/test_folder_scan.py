import re

import pytest

from breastcls.datasets.folder_scan import scan_files
from breastcls.errors import DatasetWarning, LayoutError
from support.platforms import POSIX


def test_hidden_files_are_skipped_and_the_order_is_fixed(tmp_path):
    for name in ("b/2.png", "b/1.png", "a/3.png", ".hidden/x.png", "__MACOSX/y.png", "b/._2.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("", encoding="utf-8")
    folders, names = scan_files(tmp_path)
    assert names == ["3.png", "1.png", "2.png"]
    assert [f.rsplit("/", 1)[-1] for f in folders] == ["a", "b", "b"]


def test_the_error_names_the_nearest_existing_folder(tmp_path):
    with pytest.raises(LayoutError, match=re.escape(f"nearest existing parent is {tmp_path}")):
        scan_files(tmp_path / "no" / "such")
    (tmp_path / "file.png").write_text("", encoding="utf-8")
    with pytest.raises(LayoutError, match="is a file, not a folder"):
        scan_files(tmp_path / "file.png")


@POSIX
@pytest.mark.parametrize("target", [".", "..", "a"])
def test_a_link_to_a_parent_folder_is_named(tmp_path, target):
    (tmp_path / "top/a").mkdir(parents=True)
    target = {".": tmp_path / "top/a", "..": tmp_path, "a": tmp_path / "top"}[target]
    (tmp_path / "top/a/loop").symlink_to(target)
    with pytest.raises(LayoutError, match=r"The link .*loop leads to .*, a folder that contains it"):
        scan_files(tmp_path / "top")


@POSIX
def test_links_to_other_folders_are_followed_and_dead_ones_named(tmp_path):
    (tmp_path / "top/benign").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/a.png").touch()
    (tmp_path / "top/malignant").symlink_to("../elsewhere")
    (tmp_path / "top/benign/dead.png").symlink_to("gone.png")
    assert scan_files(tmp_path / "top")[1] == ["dead.png", "a.png"]
    (tmp_path / "top/lost").symlink_to("nowhere")
    with pytest.warns(DatasetWarning, match=r"The link .*lost leads to nowhere, which does not exist"):
        scan_files(tmp_path / "top")
