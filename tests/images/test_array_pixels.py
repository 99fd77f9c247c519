import io

import numpy as np
import pytest
from PIL import Image

from breastcls.errors import EvaluationError, ImageError
from breastcls.images.array_pixels import check_pixels, pillow_pixels
from breastcls.images.decode import read_image

IMAGE = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)


class Tensor:
    """A tensor that needs to be detached, as those of PyTorch with a gradient."""

    def __init__(self, values):
        self.values, self.detached = values, False

    def detach(self):
        found = Tensor(self.values)
        found.detached = True
        return found

    def __array__(self, dtype=None, copy=None):
        if not self.detached:
            raise RuntimeError("cannot be converted")
        return self.values


def test_rgb_pixels_are_taken_as_they_are():
    assert check_pixels(IMAGE, "The image", EvaluationError) is IMAGE
    assert check_pixels(IMAGE[np.newaxis], "The array", EvaluationError).shape == (1, 4, 5, 3)
    np.testing.assert_array_equal(check_pixels(Tensor(IMAGE), "The image", EvaluationError), IMAGE)


@pytest.mark.parametrize(
    ("values", "words", "remedy"),
    [
        (IMAGE / 255, "float64 and values from 0 to 0.2314", "(image * 255)"),
        (IMAGE / 127.5 - 1, "values from -1 to -0.5373", "((image + 1) * 127.5)"),
        (IMAGE.astype(np.float32), "values from 0 to 59", "image.round()"),
        (IMAGE * 1.0 - 100, "values from -100 to -41", "standardised"),
        (IMAGE * np.nan, "NaN", "from 0 to 255"),
        (IMAGE.astype(np.int64), "int64", 'image.astype("uint8")'),
        (IMAGE.astype(np.uint16) * 257, "uint16", "image // 257"),
        (IMAGE > 3, "bool", '.astype("uint8") * 255'),
        (IMAGE[..., 0], "no channels", "np.stack([image] * 3, axis=-1)"),
        (IMAGE[..., :1], "one channel", "np.repeat(image, 3, axis=-1)"),
        (np.dstack([IMAGE, IMAGE[..., :1]]), "four channels (RGBA)", "image[..., :3]"),
        (np.moveaxis(IMAGE, -1, 0), "channels first", "np.moveaxis(image, 0, -1)"),
        (np.moveaxis(IMAGE, -1, 0)[np.newaxis], "channels first", "np.moveaxis(images, 1, -1)"),
        (IMAGE[:0], "empty", "RGB"),
        (IMAGE[np.newaxis, np.newaxis], "(1, 1, 4, 5, 3)", "generator"),
        (np.arange(5), "not an image", "images alone"),
        (np.zeros((4, 5, 7), np.uint8), "7 values on the last axis", "RGB"),
    ],
)
def test_others_are_refused_with_what_was_found_and_how_to_convert_it(values, words, remedy):
    with pytest.raises(EvaluationError) as caught:
        check_pixels(values, "The image", EvaluationError)
    assert words in str(caught.value)
    assert remedy in str(caught.value)


@pytest.mark.parametrize("remedy", ["(image * 255)", "((image + 1) * 127.5)", "image.round()"])
def test_the_conversions_that_are_named_restore_the_pixels(remedy):
    full = np.linspace(0, 255, 48).round().reshape(4, 4, 3)
    values = {"(image * 255)": full / 255, "((image + 1) * 127.5)": full / 127.5 - 1, "image.round()": full}[remedy]
    with pytest.raises(EvaluationError) as caught:
        check_pixels(values, "The image", EvaluationError)
    code = str(caught.value).split("`")[1]
    np.testing.assert_array_equal(eval(code, {"image": values}), full.astype(np.uint8))


def write(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def test_images_of_pillow_equal_their_files_and_are_not_changed(tmp_path, picture):
    rgb = Image.fromarray(picture)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    contents = {
        "rgb.png": write(rgb, "PNG"),
        "grey.png": write(rgb.convert("L"), "PNG"),
        "palette.png": write(rgb.quantize(16), "PNG"),
        "opaque.png": write(rgb.convert("RGBA"), "PNG"),
        "deep.png": write(Image.fromarray(picture[..., 0].astype(np.uint16) * 257), "PNG"),
        "turned.jpg": write(rgb, "JPEG", exif=exif),
        "cmyk.jpg": write(rgb.convert("CMYK"), "JPEG"),
        "rgb.tif": write(rgb, "TIFF"),
        "rgb.bmp": write(rgb, "BMP"),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        image = Image.open(tmp_path / name)
        size = image.size
        for _ in range(2):
            np.testing.assert_array_equal(pillow_pixels(image, name), read_image(tmp_path / name), err_msg=name)
        assert image.size == size


def test_images_of_pillow_that_are_not_read(tmp_path, picture):
    rgb = Image.fromarray(picture)
    transparent = rgb.convert("RGBA")
    transparent.putalpha(100)
    pages = Image.open(io.BytesIO(write(rgb, "TIFF", save_all=True, append_images=[rgb])))
    truncated = Image.open(io.BytesIO(write(rgb, "PNG")[:-500]))
    for image, words in [
        (transparent, "transparent"),
        (pages, "2 frames"),
        (truncated, "damaged"),
        (rgb.convert("F"), "'F'"),
    ]:
        with pytest.raises(ImageError, match=f"my image: .*{words}"):
            pillow_pixels(image, "my image")
