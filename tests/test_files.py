import re
import stat

import pytest

from breastcls.errors import ImageError, OutputError
from breastcls.files import atomic_path, export_text, hash_file, make_folder, remove_temporaries, write_text
from support.platforms import NOT_SUPERUSER


def test_a_file_is_complete_or_does_not_exist(tmp_path):
    target = tmp_path / "deep" / "result.json"
    write_text(target, "first")

    def fail_before_the_end() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("sec", encoding="utf-8")
            raise ValueError("interrupted")

    with pytest.raises(ValueError, match="interrupted"):
        fail_before_the_end()
    assert target.read_text(encoding="utf-8") == "first"
    assert [path.name for path in target.parent.iterdir()] == ["result.json"]


def test_the_suffix_and_permissions_are_those_of_a_new_file(tmp_path):
    with atomic_path(tmp_path / "figure.svg") as temporary:
        assert temporary.suffix == ".svg"
    (tmp_path / "plain").write_text("", encoding="utf-8")
    mode = stat.S_IMODE((tmp_path / "plain").stat().st_mode)
    assert stat.S_IMODE((tmp_path / "figure.svg").stat().st_mode) == mode


def test_other_errors_pass_through(tmp_path):
    with pytest.raises(ImageError, match=r"broken\.png"), atomic_path(tmp_path / "x.png"):
        raise ImageError("broken.png")


def test_a_path_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match=re.escape(f"Cannot create the folder {tmp_path / 'file'}")):
        make_folder(tmp_path / "file")
    with pytest.raises(OutputError, match="Cannot create the folder"):
        write_text(tmp_path / "file" / "below" / "x.txt", "")


@NOT_SUPERUSER
def test_a_folder_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="write permission"):
        write_text(tmp_path / "x.txt", "")
    tmp_path.chmod(0o700)


def test_only_temporary_files_of_a_killed_process_are_removed(tmp_path):
    target = tmp_path / "run [1].json"
    with atomic_path(target) as temporary:
        left = tmp_path / temporary.name
    left.write_text("interrupted", encoding="utf-8")
    others = [target, tmp_path / ".run [1].json", tmp_path / ".run.abcd1234.json", tmp_path / ".run [1].abcd1234.csv"]
    for path in others:
        path.write_text("whole", encoding="utf-8")
    remove_temporaries(target)
    assert sorted(tmp_path.iterdir()) == sorted(others)


def test_text_is_returned_and_written_only_where_a_file_is_named(tmp_path):
    target = tmp_path / "table.md"
    assert export_text("| case |\n") == "| case |\n"
    assert list(tmp_path.iterdir()) == []
    assert export_text("| case |\n", target) == target.read_text(encoding="utf-8")


def test_hash(tmp_path):
    write_text(tmp_path / "a", "abc")
    assert hash_file(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
