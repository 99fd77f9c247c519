"""`load_embeddings`: every kind of file, ids in every order, and what is refused."""

import h5py
import numpy as np
import pandas as pd
import pytest

import breastcls as bc
from breastcls.errors import DatasetError
from breastcls.features.embedding_table import load_embeddings

N, D = 12, 20
IDS = [f"case{row // 2}/img{row}.png" for row in range(N)]
VECTORS = np.random.default_rng(0).normal(size=(N, D)).astype(np.float32)
ORDER = np.random.default_rng(1).permutation(N)
STEMS = [name.rsplit("/", 1)[-1].removesuffix(".png") for name in IDS]


@pytest.fixture
def table():
    labels = ["benign" if row % 4 < 2 else "malignant" for row in range(N)]
    cases = [str(row // 2) for row in range(N)]
    return pd.DataFrame({"path": IDS, "label": labels, "case": cases, "centre": "Lyon", "number": range(N)})


def write_file(kind, folder, ids=IDS, vectors=VECTORS, order=ORDER):
    """Write vectors in another order than the table, with ids, in one of the kinds of files."""
    ids, vectors = [ids[row] for row in order], vectors[order]
    path = folder / f"vectors.{kind}"
    if kind == "npz":
        np.savez_compressed(path, vectors=vectors, ids=np.array(ids))
    elif kind == "h5":
        with h5py.File(path, "w") as file:
            file["group/features"] = vectors
            file["ids"] = [one.encode() for one in ids]
    elif kind == "csv":
        names = [f"f{number}" for number in range(vectors.shape[1])]
        pd.DataFrame(vectors, columns=names).assign(id=ids).to_csv(path, index=False)
    elif kind == "parquet":
        pytest.importorskip("pyarrow")
        pd.DataFrame({"path": ids, "embedding": list(vectors)}).to_parquet(path)
    elif kind == "folder":
        path = folder / "vectors"
        for name, vector in zip(ids, vectors, strict=True):
            file = path / name.replace(".png", ".npy")
            file.parent.mkdir(parents=True, exist_ok=True)
            np.save(file, vector)
    return path


@pytest.mark.parametrize("kind", ["npz", "h5", "csv", "parquet", "folder"])
def test_vectors_of_every_kind_of_file_are_matched_by_their_ids(tmp_path, table, kind):
    data = load_embeddings(table, write_file(kind, tmp_path))
    np.testing.assert_allclose(data.vectors, VECTORS, rtol=1e-6)
    assert data.vectors.dtype == np.float32
    assert not data.vectors.flags.writeable
    assert any("another order" in note for note in data.notes) or kind == "folder"


@pytest.mark.parametrize(
    "array",
    [
        VECTORS,
        dict(zip(np.array(IDS)[ORDER].tolist(), VECTORS[ORDER], strict=True)),
        pd.DataFrame(VECTORS[ORDER], index=np.array(STEMS)[ORDER]),
    ],
    ids=["array", "mapping", "frame"],
)
def test_vectors_in_memory(table, array):
    np.testing.assert_array_equal(load_embeddings(table, array).vectors, VECTORS)


def test_ids_may_refer_to_another_column_and_to_names_without_folders(table):
    by_number = load_embeddings(table, VECTORS[ORDER], ids=ORDER, id_column="number")
    by_name = load_embeddings(table, VECTORS[ORDER], ids=[STEMS[row] for row in ORDER])
    np.testing.assert_array_equal(by_number.vectors, VECTORS)
    np.testing.assert_array_equal(by_name.vectors, VECTORS)
    assert any("without suffixes" in note for note in by_name.notes)


@pytest.mark.parametrize("kind", [np.float16, np.float64, np.int8, ">f4"])
def test_other_types_are_converted_and_the_notes_say_so(table, kind):
    values = np.round(VECTORS * 8).astype(kind)
    data = load_embeddings(table, values)
    np.testing.assert_array_equal(data.vectors, values.astype(np.float32))
    assert any("converted" in note for note in data.notes)


def test_selections_splits_folds_and_sums_keep_rows_and_vectors_together(table):
    data = load_embeddings(table, VECTORS)
    place = {path: row for row, path in enumerate(IDS)}

    def check(part):
        np.testing.assert_array_equal(part.vectors, VECTORS[[place[path] for path in part.paths]])

    train, test = data.split((0.5, 0.5), seed=3)
    parts = [data[::-1], data[[3, 1]], data[5], data.where(label="malignant"), train, test, train + test, test + train]
    parts += [part for fold in data.folds(2, seed=1) for part in fold] + list(data.groups("case").values())
    parts += [(train + test)[np.arange(N) % 2 == 0], data.with_classes(("a", "b"), {"benign": "a", "malignant": "b"})]
    for part in parts:
        check(part)
    other = load_embeddings(table[:2], VECTORS[:2].copy(), classes=data.classes)
    check(test + other)


def test_the_csv_round_trip_keeps_the_vectors(table, tmp_path):
    data = load_embeddings(table, VECTORS, encoder={"name": "vit", "image_size": [224, 224]})[::2]
    again = bc.load_table(data.to_csv(tmp_path / "part.csv"), root=data.root)
    np.testing.assert_array_equal(again.vectors, VECTORS[::2])
    assert again.encoder == {"name": "vit", "image_size": [224, 224]}
    pd.testing.assert_frame_equal(again.table, data.table)
    (tmp_path / "part.vectors.npz").unlink()
    with pytest.raises(DatasetError, match="not beside it"):
        bc.load_table(tmp_path / "part.csv")


def test_large_files_are_mapped_into_memory(table, tmp_path, monkeypatch):
    monkeypatch.setattr("breastcls.datasets.vectors.vector_archive._LEAST_MAPPED_BYTES", 1)
    np.savez(tmp_path / "a.npz", vectors=VECTORS[ORDER], ids=np.array(IDS)[ORDER])
    np.save(tmp_path / "a.npy", VECTORS)
    archived, plain = (load_embeddings(table, tmp_path / name) for name in ("a.npz", "a.npy"))
    for data in (archived, plain):
        np.testing.assert_array_equal(data.vectors, VECTORS)
        assert isinstance(data.vector_rows.source.array, np.memmap)


def wrong_array(change):
    array = VECTORS.copy()
    change(array)
    return array


@pytest.mark.parametrize(
    ("array", "options", "message"),
    [
        (VECTORS[:-1], {}, "11 vectors without ids, the table 12 rows"),
        (VECTORS[:, :, None], {}, r"shape \(12, 20, 1\).*Average the tokens"),
        (VECTORS[0], {}, r"shape \(20,\)"),
        (VECTORS[:, :0], {}, "empty"),
        (VECTORS.astype(complex), {}, "complex"),
        (VECTORS.astype(object), {}, "object"),
        (wrong_array(lambda array: array.__setitem__((3, 1), np.nan)), {"ids": IDS}, "NaN.*row 3, 'case1/img3.png'"),
        (wrong_array(lambda array: array.__setitem__((2, 0), np.inf)), {}, "infinite.*row 2"),
        (VECTORS.astype(np.float64) * 1e300, {}, "float32 cannot hold"),
        (VECTORS, {"ids": [*IDS[:-1], IDS[0]]}, "more than once.*'case0/img0.png'"),
        (VECTORS, {"ids": [*IDS[:-1], "other.png"]}, "no vector for 1 of 12 rows.*'case5/img11.png'"),
        (np.concatenate([VECTORS, VECTORS[:1]]), {"ids": [*IDS, "other.png"]}, "1 vector.*not a row.*extra='drop'"),
        (VECTORS, {"ids": IDS[:-1]}, "12 vectors and 11 ids"),
        (VECTORS, {"id_column": "scanner", "ids": IDS}, "no column 'scanner'"),
        (VECTORS, {"extra": "ignore"}, "extra is 'ignore'"),
        ({"a": [1.0], "b": [1.0, 2.0]}, {}, r"one shape \(d,\)"),
    ],
)
def test_wrong_vectors_are_refused(table, array, options, message):
    with pytest.raises(DatasetError, match=message):
        load_embeddings(table, array, **options)


def save_npz(path, **arrays):
    np.savez(path, **arrays)
    return path


def save_h5(path, **arrays):
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file[name] = values
    return path


def save_parquet(path, frame):
    pytest.importorskip("pyarrow")
    frame.to_parquet(path)
    return path


MIXED_IDS = [IDS[row] for row in ORDER]
MIXED = pd.DataFrame(VECTORS[ORDER]).add_prefix("f")
LISTS = pd.DataFrame({"embedding": list(VECTORS[ORDER])})


@pytest.mark.parametrize(
    "write",
    [
        lambda folder: save_npz(folder / "a.npz", features=VECTORS[ORDER], ids=np.array(MIXED_IDS, "S")),
        lambda folder: save_npz(folder / "a.npz", features=VECTORS[ORDER], image_ids=np.array(MIXED_IDS)[:, None]),
        lambda folder: save_npz(folder / "a.npz", arr_0=VECTORS[ORDER], arr_1=np.array(MIXED_IDS)),
        lambda folder: save_npz(folder / "a.npz", **dict(zip(MIXED_IDS, VECTORS[ORDER], strict=True))),
        lambda folder: save_h5(folder / "a.h5", features=VECTORS[ORDER], coords=np.ones((N, 2)), tile=MIXED_IDS),
        lambda folder: save_h5(folder / "a.h5", **dict(zip(MIXED_IDS, VECTORS[ORDER][:, None], strict=True))),
        lambda folder: save_h5(folder / "a.h5", **{"x/features": VECTORS[ORDER], "x/File_Names": MIXED_IDS}),
        lambda folder: save_parquet(folder / "a.parquet", MIXED.set_axis(MIXED_IDS)),
        lambda folder: save_parquet(folder / "a.parquet", LISTS.set_axis(MIXED_IDS).assign(label="benign", age=7)),
        lambda folder: MIXED.assign(path=MIXED_IDS),
        lambda folder: LISTS.assign(tile=MIXED_IDS, age=7),
    ],
)
def test_ids_are_found_under_any_name_and_never_replaced_by_the_order(table, tmp_path, write):
    np.testing.assert_array_equal(load_embeddings(table, write(tmp_path)).vectors, VECTORS)


def test_a_parquet_file_of_a_filtered_frame_is_read_without_its_row_numbers(table, tmp_path):
    path = save_parquet(tmp_path / "a.parquet", pd.DataFrame(VECTORS).add_prefix("f").set_axis(range(3, 3 + N)))
    np.testing.assert_array_equal(load_embeddings(table, path).vectors, VECTORS)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda folder: save_npz(folder / "a.npz", v=VECTORS, ids=np.array(IDS, object)), "'ids'.*pickle.*dtype=str"),
        (lambda folder: save_npz(folder / "a.npz", cls=VECTORS, mean=VECTORS), r"'cls' \(12, 20\), 'mean'.*key="),
        (lambda folder: save_npz(folder / "a.npz", v=VECTORS.T, ids=np.array(IDS)), r"\(20, 12\).*transpose"),
        (lambda folder: save_h5(folder / "a.h5", features=VECTORS.T), r"\(20, 12\).*transpose"),
        (lambda folder: save_parquet(folder / "a.parquet", MIXED.assign(age=7, path=MIXED_IDS)), "'age'.*key="),
        (lambda folder: MIXED.assign(path=MIXED_IDS, f0="x"), "'f0' does not have numbers"),
        (
            lambda folder: save_parquet(folder / "a.parquet", LISTS.assign(embedding=[None, *VECTORS[1:]])),
            "or are missing",
        ),
        (lambda folder: [[1.0, 2.0]] * (N - 1) + [[1.0]], "different lengths"),
        (lambda folder: np.ma.masked_greater(VECTORS, 1), "masked"),
    ],
)
def test_files_that_can_be_read_in_several_ways_are_refused(table, tmp_path, write, message):
    with pytest.raises(DatasetError, match=message):
        load_embeddings(table, write(tmp_path))


def test_further_vectors_can_be_dropped(table):
    data = load_embeddings(table[:5], VECTORS, ids=IDS, extra="drop")
    np.testing.assert_array_equal(data.vectors, VECTORS[:5])
    assert any("7 vectors" in note for note in data.notes)


def test_pickles_are_never_loaded(table, tmp_path):
    np.save(tmp_path / "objects.npy", np.array([{}] * N, dtype=object), allow_pickle=True)
    np.savez(tmp_path / "objects.npz", vectors=np.array([[print] * 2] * N, dtype=object))
    (tmp_path / "vectors.pt").write_bytes(b"PK\x03\x04 archive/data.pkl")
    for name in ("objects.npy", "objects.npz", "vectors.pt"):
        with pytest.raises(DatasetError, match="pickle"):
            load_embeddings(table, tmp_path / name)


def test_hdf5_files_cannot_read_other_files(table, tmp_path):
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["vectors"] = VECTORS
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["vectors"] = h5py.ExternalLink("secret.h5", "vectors")
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        layout = h5py.VirtualLayout((N, D), np.float32)
        layout[:] = h5py.VirtualSource("secret.h5", "vectors", (N, D))
        file.create_virtual_dataset("vectors", layout)
    VECTORS.tofile(tmp_path / "raw")
    with h5py.File(tmp_path / "raw.h5", "w") as file:
        file.create_dataset("vectors", (N, D), "f4", external=[("raw", 0, h5py.h5f.UNLIMITED)])
    for name in ("link.h5", "virtual.h5", "raw.h5"):
        with pytest.raises(DatasetError, match="another file"):
            load_embeddings(table, tmp_path / name)


def test_a_label_among_the_columns_never_becomes_part_of_the_vectors(table, tmp_path):
    frame = pd.DataFrame(VECTORS).add_prefix("f").assign(path=IDS, label=[0, 1] * 6)
    frame.to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(DatasetError, match=r"column .label.*key="):
        load_embeddings(table, tmp_path / "a.csv")
    data = load_embeddings(table, tmp_path / "a.csv", key=[f"f{number}" for number in range(D)])
    np.testing.assert_allclose(data.vectors, VECTORS, rtol=1e-6)


def test_vectors_of_one_dataset_come_from_one_encoder(table):
    first, second = (load_embeddings(table, VECTORS, encoder=name) for name in ("uni", "virchow"))
    with pytest.raises(DatasetError, match="uni and virchow"):
        first + second
    by_engine = [load_embeddings(table, VECTORS, encoder={"name": "uni", "engine": name}) for name in ("keras", "onnx")]
    assert (by_engine[0] + by_engine[1]).encoder == {"name": "uni"}
    with pytest.raises(DatasetError, match="different sizes"):
        first + load_embeddings(table, VECTORS[:, :5])
    with pytest.raises(DatasetError, match="one without"):
        first + bc.Dataset.from_columns(first.classes, path=IDS, label=first.table["label"], case=first.table["case"])
