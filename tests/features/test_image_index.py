import json
import warnings
from importlib.util import find_spec

import cv2
import keras
import numpy as np
import pandas as pd
import pytest

from breastcls.datasets.dataset import Dataset
from breastcls.errors import DatasetError, DatasetWarning, LeakageWarning
from breastcls.features.embedding_table import load_embeddings
from breastcls.features.feature_extraction import extract_features
from breastcls.features.image_index import ImageIndex, index_images
from breastcls.features.similar_search import find_similar

CLASSES = ("benign", "malignant")


def make(rows, vectors, encoder=None):
    """A dataset without files: (name, label, case) of each row."""
    table = pd.DataFrame(rows, columns=["path", "label", "case"])
    return load_embeddings(table, np.array(vectors, np.float32), encoder=encoder, classes=CLASSES)


@pytest.fixture
def train():
    rows = [("1.png", "benign", "a"), ("2.png", "benign", "a"), ("3.png", "malignant", "b"), ("4.png", "benign", "c")]
    return make(rows, [[1, 0], [1, 0.01], [1, 0.2], [0, 1]], "one")


def test_the_same_case_is_never_returned(train):
    index = index_images(train)
    with pytest.warns(LeakageWarning, match="1 image is of 1 case that the index also has, such as 'a'"):
        found = index.search(make([("x.png", "benign", "a")], [[1, 0]], "one"), count=3)
    assert found.table()["case"].tolist() == ["b", "c"]
    assert found.neighbours.tolist() == [[0, 1, -1]]
    assert found.label_shares().iloc[0].tolist() == [0.5, 0.5]
    # A case whose name differs in spelling only is the same one, unless it was declared distinct.
    with pytest.warns(LeakageWarning):
        found = index.search(make([("x.png", "benign", "A")], [[1, 0]], "one"), count=3)
    assert found.table()["case"].tolist() == ["b", "c"]


def test_new_cases_get_the_nearest_with_labels_and_distances(train):
    found = index_images(train).search(make([("x.png", "malignant", "z")], [[1, 0]], "one"), count=2)
    table = found.table()
    assert table["similar_path"].tolist() == ["1.png", "2.png"]
    assert table["label"].tolist() == ["benign", "benign"]
    np.testing.assert_allclose(table["distance"], [0, 1 - 1 / np.hypot(1, 0.01)], atol=1e-6)
    assert "1.png" in str(found)
    assert json.loads(found.to_json())["pairs"][0]["case"] == "a"


def test_unknown_cases_are_warned_of_and_the_same_file_is_left_out(train, tmp_path):
    unknown = load_embeddings(
        pd.DataFrame({"path": ["1.png", "new.png"]}), np.array([[1, 0], [1, 0]]), encoder="one", classes=()
    )
    with pytest.warns() as caught:
        found = index_images(train).search(unknown, count=2)
    assert {warning.category for warning in caught} >= {DatasetWarning, LeakageWarning}
    table = found.table()
    assert table.loc[table["path"] == "1.png", "case"].tolist() == ["b", "c"]
    assert table.loc[table["path"] == "new.png", "case"].tolist() == ["a", "a"]


@pytest.mark.parametrize(
    "kind",
    ["exact", pytest.param("approximate", marks=pytest.mark.skipif(find_spec("faiss") is None, reason="no faiss"))],
)
def test_an_index_is_saved_and_loaded_without_pickles(kind, tmp_path):
    generator = np.random.default_rng(0)
    rows = [(f"{number}.png", CLASSES[number % 2], f"case {number % 30}") for number in range(300)]
    data = make(rows, generator.normal(size=(300, 8)), "one")
    queries = make([("q.png", "benign", "new")], generator.normal(size=(1, 8)), "one")
    index = index_images(data, kind=kind)
    loaded = ImageIndex.load(index.save(tmp_path / "index"))
    assert loaded.kind == kind
    assert str(loaded) == str(index)
    first, second = index.search(queries), loaded.search(queries)
    assert first.table()["case"].tolist() == second.table()["case"].tolist()
    np.testing.assert_array_equal(first.distances, second.distances)
    assert index_images(data).kind == "exact"  # Also where faiss is installed.
    record = json.loads((tmp_path / "index" / "index.json").read_text(encoding="utf-8"))
    (tmp_path / "index" / "index.json").write_text(json.dumps({**record, "images": 7}), encoding="utf-8")
    with pytest.raises(DatasetError, match="300 images with 8 components; the record states 7"):
        ImageIndex.load(tmp_path / "index")
    (tmp_path / "index" / "index.json").write_text(json.dumps({**record, "kind": "approximate"}), encoding="utf-8")
    (tmp_path / "index" / "index.faiss").write_bytes(b"damaged")
    with pytest.raises(DatasetError, match="missing or damaged"):
        ImageIndex.load(tmp_path / "index")
    with pytest.raises(DatasetError, match="cannot be read"):
        ImageIndex.load(tmp_path)


def test_an_index_of_one_case_has_no_image_of_another(tmp_path):
    paths = [str(tmp_path / f"{number}.png") for number in range(2)]
    for path in paths:
        cv2.imwrite(path, np.full((8, 8, 3), 150, np.uint8))
    data = make([(path, "benign", "a") for path in paths], [[1, 0], [0, 1]], "one")
    with pytest.warns(LeakageWarning):
        similar = index_images(data).search(data, count=12)
    assert str(similar).endswith("None: the index has no image of another case.")
    assert (similar.shown(paths[0]), similar.shown("other.png")) == ([], None)
    figure = similar.plot()
    assert [text.get_text() for axes in figure.axes for text in axes.texts] == ["no image of\nanother case"] * 2
    others = index_images(data).search(make([(paths[0], "benign", "z")], [[1, 0]], "one"), count=12)
    assert len(others.plot().axes) == 3  # No columns for images that there are not.


def test_an_index_is_searched_with_vectors_of_another_engine_and_version():
    rows, record = [("1.png", "benign", "a")], {"name": "vit", "engine": "keras", "written_by": "breastcls 0.1.0"}
    new = make([("x.png", "benign", "z")], [[1, 0]], {**record, "engine": "openvino", "written_by": "breastcls 0.2.0"})
    assert len(index_images(make(rows, [[1, 0]], record)).search(new, count=1).table()) == 1


def test_wrong_arguments_are_named(train):
    index = index_images(train)
    other = make([("x.png", "benign", "z")], [[1, 0]], "other")
    with pytest.raises(DatasetError, match="different encoders"):
        index.search(other)
    with pytest.raises(DatasetError, match="2 components and the images of 3"):
        index.search(make([("x.png", "benign", "z")], [[1, 0, 0]], "one"))
    with pytest.raises(DatasetError, match="count is 0"):
        index.search(other, count=0)
    with pytest.raises(DatasetError, match="metric is 'manhattan'"):
        index_images(train, metric="manhattan")
    with pytest.raises(DatasetError, match="kind is 'fast'"):
        index_images(train, kind="fast")
    with pytest.raises(DatasetError, match="needs feature vectors"):
        index_images(Dataset.from_columns(path=["1.png"], case=["a"]))
    with warnings.catch_warnings(action="ignore"):
        unknown = load_embeddings(pd.DataFrame({"path": ["1.png"]}), np.ones((1, 2)), classes=())
    with pytest.raises(DatasetError, match="case of every image"):
        index_images(unknown)


@pytest.fixture(scope="module")
def coloured(tmp_path_factory):
    """Images of two colours, four cases each, and a model whose features are the mean colour."""
    folder = tmp_path_factory.mktemp("coloured")
    paths, labels, cases = [], [], []
    for number in range(16):
        colour = ((170, 120, 200), (140, 60, 150))[number % 2]
        paths.append(str(folder / f"{number}.png"))
        noise = np.random.default_rng(number).normal(0, 6, (24, 24, 3))
        cv2.imwrite(paths[-1], np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)[..., ::-1])
        labels.append(CLASSES[number % 2])
        cases.append(str(number // 2))
    pixels = keras.Input((24, 24, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(pixels))
    model = keras.Model(pixels, keras.layers.Dense(2, activation="softmax")(pooled))
    return model, Dataset.from_columns(CLASSES, path=paths, label=labels, case=cases)


def test_similar_training_images_of_a_model(coloured, tmp_path):
    model, data = coloured
    train, test = data[:12], data[12:]
    found = find_similar(model, test, train, count=3)
    assert found.table()["label"].tolist() == [CLASSES[number // 3 % 2] for number in range(12)]
    index = index_images(extract_features(model, train))
    np.testing.assert_array_equal(find_similar(model, test, index, count=3).distances, found.distances)
    with pytest.warns(LeakageWarning):
        own = find_similar(model, train, train, count=11)
    for query, rows in zip(train.cases, own.neighbours, strict=True):
        assert (rows >= 0).sum() == 10
        assert query not in {own.found.cases[row] for row in rows if row >= 0}
    figure = found.plot(tmp_path / "similar.png", limit=2)
    assert figure.axes[1].get_title(loc="left").startswith("benign\ndistance 0.0")
    assert "The first 2 of 4 images" in figure.get_supxlabel()
    shown = found.shown(test.paths[1])
    assert [entry["label"] for entry in shown] == ["malignant"] * 3
    assert shown[0]["src"].startswith("data:image/jpeg;base64,")
    assert found.shown("elsewhere.png") is None
    with pytest.raises(DatasetError, match="limit is 0"):
        found.plot(limit=0)
