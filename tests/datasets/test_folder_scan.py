import pytest

from breastcls.datasets.folder_scan import scan_files
from breastcls.errors import LayoutError


def test_hidden_files_are_skipped_and_the_order_is_fixed(tmp_path):
    for name in ("b/2.png", "b/1.png", "a/3.png", ".hidden/x.png", "__MACOSX/y.png", "b/._2.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("", encoding="utf-8")
    folders, names = scan_files(tmp_path)
    assert names == ["3.png", "1.png", "2.png"]
    assert [f.rsplit("/", 1)[-1] for f in folders] == ["a", "b", "b"]


def test_the_error_names_the_nearest_existing_folder(tmp_path):
    with pytest.raises(LayoutError, match=f"nearest existing parent is {tmp_path}"):
        scan_files(tmp_path / "no" / "such")
    (tmp_path / "file.png").write_text("", encoding="utf-8")
    with pytest.raises(LayoutError, match="is a file, not a folder"):
        scan_files(tmp_path / "file.png")


def test_cyclic_links_are_refused(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/loop").symlink_to(tmp_path)
    with pytest.raises(LayoutError):
        scan_files(tmp_path)
