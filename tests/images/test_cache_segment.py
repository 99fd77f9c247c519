"""A segment returns the images that were written, or reports damage."""

import os

import numpy as np
import pytest

from breastcls.images.cache_segment import DamagedSegmentError, Segment, SegmentWriter

SHAPE = (4, 5, 3)
BYTES = 60


def images(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, *SHAPE), dtype=np.uint8)


def keys(count: int) -> list[bytes]:
    return [bytes([number]) * 15 + b"\0" for number in range(count)]


def write(folder, pictures, order=None):
    writer = SegmentWriter(folder, keys(len(pictures)), BYTES)
    for position in range(len(pictures)) if order is None else order:
        writer.write(position, pictures[position])
    return writer.finish()


def test_round_trip_in_any_order(tmp_path):
    pictures = images(6)
    segment = Segment(write(tmp_path, pictures, [3, 0, 5, 1, 4, 2]), BYTES)
    out = np.empty(SHAPE, np.uint8)
    for position in (5, 0, 3, 3):
        assert segment.read_into(position, out)
        np.testing.assert_array_equal(out, pictures[position])
    assert segment.keys.tobytes() == b"".join(keys(6))


def test_it_can_be_mapped_into_memory(tmp_path):
    pictures = images(3)
    path = write(tmp_path, pictures)
    np.testing.assert_array_equal(np.memmap(path, np.uint8, "r", shape=(3, *SHAPE)), pictures)


def test_images_that_were_not_written_leave_no_gap(tmp_path):
    pictures = images(5)
    segment = Segment(write(tmp_path, pictures, [4, 1, 2]), BYTES)
    assert segment.keys.tobytes() == b"".join(keys(5)[number] for number in (1, 2, 4))
    out = np.empty(SHAPE, np.uint8)
    assert segment.read_into(2, out)
    np.testing.assert_array_equal(out, pictures[4])


def test_nothing_written_is_no_file(tmp_path):
    assert write(tmp_path, images(2), []) is None
    assert not list(tmp_path.iterdir())


def test_it_has_no_name_until_it_is_complete(tmp_path):
    writer = SegmentWriter(tmp_path, keys(1), BYTES)
    writer.write(0, images(1)[0])
    assert not list(tmp_path.glob("*.images"))
    writer.abandon()
    assert not list(tmp_path.iterdir())


def test_any_changed_byte_is_noticed(tmp_path):
    pictures = images(3)
    path = write(tmp_path, pictures)
    whole = path.read_bytes()
    out = np.empty(SHAPE, np.uint8)
    for position in range(0, len(whole), 5):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 16]) + whole[position + 1 :])
        try:
            segment = Segment(path, BYTES)
        except DamagedSegmentError:
            assert position >= 3 * BYTES
            continue
        assert [segment.read_into(number, out) for number in range(3)].count(False) == 1


@pytest.mark.parametrize("length", [0, 3, 50, 200, -1])
def test_a_cut_segment_is_noticed(tmp_path, length):
    path = write(tmp_path, images(3))
    os.truncate(path, length if length >= 0 else path.stat().st_size - 1)
    with pytest.raises(DamagedSegmentError):
        Segment(path, BYTES)


def test_a_segment_cut_while_open_is_noticed(tmp_path):
    path = write(tmp_path, images(3))
    segment = Segment(path, BYTES)
    os.truncate(path, 70)
    out = np.empty(SHAPE, np.uint8)
    assert segment.read_into(0, out)
    assert not segment.read_into(1, out)


def test_a_segment_of_another_size_is_noticed(tmp_path):
    with pytest.raises(DamagedSegmentError, match="size"):
        Segment(write(tmp_path, images(3)), BYTES + 3)


def test_without_positioned_reads_and_writes_it_works_too(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "preadv", raising=False)
    monkeypatch.delattr(os, "pwrite", raising=False)
    test_round_trip_in_any_order(tmp_path)
