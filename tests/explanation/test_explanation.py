import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from breastcls.datasets.dataset import Dataset
from breastcls.errors import ExplanationError, ImageError
from breastcls.explanation.explain import explain


@pytest.fixture
def files(blue_squares, tmp_path):
    """The images of `blue_squares`, enlarged to different sizes, as files."""
    paths = []
    for number, image in enumerate(blue_squares.images):
        paths.append(tmp_path / f"{number}.png")
        large = cv2.resize(image, (32 * 3, 32 * (2 + number)), interpolation=cv2.INTER_NEAREST)
        cv2.imwrite(str(paths[-1]), large[..., ::-1])
    return paths


def test_heatmap_and_overlay_have_the_size_and_position_of_the_original_image(blue_squares, files):
    explanation = explain(blue_squares.model, files, target_class=1)
    for number, mask in enumerate(blue_squares.masks):
        size = (32 * (2 + number), 96)
        heat = explanation.heatmap(number)
        assert heat.shape == size
        assert explanation.image(number).shape == explanation.overlay(number).shape == (*size, 3)
        own = cv2.resize(mask.astype(np.uint8), size[::-1], interpolation=cv2.INTER_NEAREST).astype(bool)
        assert own.ravel()[heat.argmax()]
        changed = np.abs(explanation.overlay(number).astype(int) - explanation.image(number)).sum(axis=-1)
        assert changed[own].mean() > 10 * changed[~own].mean()


def test_a_changed_or_missing_file_is_an_error(blue_squares, files):
    explanation = explain(blue_squares.model, files, target_class=1)
    cv2.imwrite(str(files[0]), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(ExplanationError, match=r"0\.png has the size \(8, 8\); it had \(64, 96\)"):
        explanation.overlay(0)
    files[1].unlink()
    with pytest.raises(ImageError, match=r"1\.png"):
        explanation.overlay(1)


def test_json_lists_every_image_without_pixels(blue_squares, files, tmp_path):
    options = {"target_class": 1, "layer": "colour", "classes": ("none", "square")}
    explanation = explain(blue_squares.model, files, "grad-cam", **options)
    text = explanation.to_json(tmp_path / "explanation.json")
    read = json.loads((tmp_path / "explanation.json").read_text(encoding="utf-8"))
    assert read == json.loads(text)
    assert read["method"] == "grad-cam"
    assert read["options"] == {"layer": "colour"}
    assert read["layer"] == "colour"
    assert read["image_size"] == [32, 32]
    assert [row["path"] for row in read["images"]] == [path.name for path in files]
    assert read["images"][2]["target"] == "square"
    np.testing.assert_allclose(read["images"][2]["probabilities"], explanation.probabilities[2], rtol=1e-6)
    assert len(text) < 4000


def test_printing_describes_method_layer_and_flags(blue_squares, capsys):
    with pytest.warns(match="negative"):
        explain(blue_squares.model, blue_squares.images, target_class=0, classes=("none", "square")).print()
    text = capsys.readouterr().out
    assert "4 images by Grad-CAM" in text
    assert "at layer colour" in text
    assert "none: 4 explained" in text
    assert "4 negative: there is evidence against the class only" in text


def test_captions_name_the_predicted_and_another_target_class(blue_squares):
    explanation = explain(blue_squares.model, blue_squares.images, target_class=1, classes=("none", "square"))
    number = int(explanation.predicted.argmax())
    assert explanation.caption(number).startswith("square 0.")
    with pytest.warns(match="negative"):
        other = explain(blue_squares.model, blue_squares.images, target_class=0, classes=("none", "square"))
    assert ", explained: none 0." in other.caption(number)


def test_an_explanation_is_immutable(blue_squares):
    explanation = explain(blue_squares.model, blue_squares.images, target_class=1)
    with pytest.raises(AttributeError):
        explanation.method = "other"
    assert len(explanation) == 4


def test_weak_maps_are_drawn_weakly_and_glass_is_left_out(blue_squares):
    """A map with a share of 0.02 changes an image a twenty-fifth as much as one with 0.5, and glass not at all."""
    images = np.stack([blue_squares.images[0]] * 4)
    images[:, :, 16:] = 250
    made = explain(blue_squares.model, images, target_class=1)
    full = np.ones_like(made.heatmaps)
    some = replace(made, heatmaps=full, positive_share=np.array([0.02, 0.25, 0.5, 1.0], np.float32))
    change = np.array([np.abs(some.overlay(one).astype(float) - images[one])[:, :14].sum() for one in range(4)])
    strongest = [
        np.abs(some.overlay(one, by_share=False).astype(float) - images[one])[:, :14].sum() for one in range(4)
    ]
    np.testing.assert_allclose(change / strongest, [0.04, 0.5, 1.0, 1.0], atol=0.03)
    np.testing.assert_array_equal(some.overlay(3)[:, 18:], images[3, :, 18:])
    assert (some.overlay(3, tissue_only=False)[:, 18:] != images[3, :, 18:]).any()
    np.testing.assert_allclose(some.glass_share, 0.5, atol=0.05)
    assert some.caption(0).endswith(f"positive share 0.02, on glass {some.glass_share[0]:.2f}")
    assert json.loads(some.to_json())["images"][0]["glass_share"] == pytest.approx(0.5, abs=0.05)


def test_cases_are_kept_and_replaced_by_pseudonyms(blue_squares, files):
    data = Dataset.from_columns(
        ("none", "square"), path=[str(one) for one in files], label=["square"] * 4, case=list("aabb")
    )
    made = explain(blue_squares.model, data, target_class=1)
    assert made.cases == ("a", "a", "b", "b")
    hidden = made.with_pseudonyms()
    assert hidden.cases[0] == hidden.cases[1] != hidden.cases[2]
    assert set(hidden.cases) == {"case-001", "case-002"}
