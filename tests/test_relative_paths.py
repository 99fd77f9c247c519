import pytest

from breastcls.relative_paths import relative_paths


@pytest.mark.parametrize(
    ("paths", "root", "expected"),
    [
        (["/a/b/c.png", "/a/d.png"], None, ["b/c.png", "d.png"]),
        (["/a/b/c.png"], None, ["c.png"]),
        (["/a/b/c.png", "/a/b/c.png"], "/a", ["b/c.png", "b/c.png"]),
        # A path outside of the folder: no path may stay absolute.
        (["/a/b/c.png", "/x/y.png"], "/a", ["a/b/c.png", "x/y.png"]),
        (["b/c.png", "/a/d/e.png"], None, ["b/c.png", "e.png"]),
        (["data/b/c.png"], "data", ["b/c.png"]),
        (["", "/a/b.png"], "/a", ["", "b.png"]),
        ([r"C:\data\b\1.png", r"C:\data\m\2.png"], None, ["b/1.png", "m/2.png"]),
        ([r"C:\data\1.png", r"D:\data\2.png"], None, ["data/1.png", "data/2.png"]),
        ([r"C:\data\b\1.png"], r"C:\data", ["b/1.png"]),
        # Paths that are written in another way.
        (["/a//b/./c.png", "/a/b/d.png/", "/a/b/../e.png"], "/a", ["b/c.png", "b/d.png", "b/../e.png"]),
        (["a.png", "./b.png", "."], None, ["a.png", "b.png", ""]),
        # A common beginning of two names is no folder.
        (["/data/case-1/a.png", "/data/case-2/a.png"], None, ["case-1/a.png", "case-2/a.png"]),
        ([], None, []),
    ],
)
def test_paths_are_relative_to_the_root_or_the_common_folder(paths, root, expected):
    assert relative_paths(paths, root) == expected


def test_a_relative_root_is_the_same_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert relative_paths([str(tmp_path / "data" / "b" / "1.png")], "data") == ["b/1.png"]
