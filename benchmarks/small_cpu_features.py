"""Numbers that describe images, for `small_cpu.py`: colour, classical texture, and layers of small networks."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
from mahotas.features import haralick, lbp, pftas

from breastcls.models.backbones.stain_texture import build_stain_texture
from breastcls.models.building import build_model
from breastcls.models.inference import run_batches
from breastcls.models.model_parts import find_backbone, split_model
from breastcls.models.spatial_moments import SpatialMoments
from breastcls.models.stain_separation import StainSeparation
from breastcls.stain.macenko import Macenko, find_stains, find_strengths
from breastcls.stain.optical_density import HAEMATOXYLIN_EOSIN_RESIDUAL, density_table, to_density
from breastcls.stain.reinhard import Reinhard, colour_statistics, to_lab

Images = Any
BLOCKS = (1, 2, 3, 4, 5, 6, 9, 11, 13)
MOBILENET = "mobilenet_2_5_224_tf_no_top.h5"
SQUEEZENET = "squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5"
_UNMIX = np.linalg.inv(HAEMATOXYLIN_EOSIN_RESIDUAL)
# Reference of Macenko et al. 2009 as their own code has it.
_PUBLISHED = (np.array([[0.5626, 0.7201, 0.4062], [0.2159, 0.8012, 0.5581]]), np.array([1.9705, 1.0308]))


# One image at a time, on the processor's cores


def _colour(image: Images) -> dict[str, Any]:
    flat = image.reshape(-1, 3)
    density = -np.log((flat + 1.0) / 256)
    quarters = np.percentile(density, [5, 25, 75, 95], axis=0).ravel()
    together = np.corrcoef(density.T)[np.triu_indices(3, 1)]
    return {
        "colour": np.r_[flat.mean(0), flat.std(0)],
        "density": np.r_[density.mean(0), density.std(0), quarters, together],
    }


def _grey(amount: Images) -> Images:
    low, high = np.percentile(amount, [0.5, 99.5])
    return np.clip((amount - low) / (high - low + 1e-9) * 255, 0, 255).astype(np.uint8)


def _usual_stains(image: Images) -> list[Images]:
    amounts = np.clip(-np.log((image + 1.0) / 256) @ _UNMIX, 0, None)
    return [_grey(amounts[..., stain]) for stain in (0, 1)]


def _patterns(channel: Images) -> Images:
    codes = [lbp(channel, radius, 8) for radius in (1, 2, 3, 5)]
    return np.concatenate([code / code.sum() for code in codes])


def _cooccurrence(channel: Images) -> Images:
    levels = (channel // 8).astype(np.uint8)
    return np.concatenate([haralick(levels, distance=distance).mean(0) for distance in (1, 2, 4)])


def _filter_bank(channel: Images) -> Images:
    values = []
    for sigma in (0.7, 1.4, 2.8, 5.6, 11.2):
        smooth = cv2.GaussianBlur(channel, (0, 0), sigma)
        across, down = (cv2.Sobel(smooth, cv2.CV_32F, x, 1 - x, ksize=1) * sigma for x in (1, 0))
        blobs = cv2.Laplacian(smooth, cv2.CV_32F, ksize=1) * sigma**2
        for response in (np.hypot(across, down), np.abs(blobs), np.maximum(blobs, 0), np.maximum(-blobs, 0)):
            values += [response.mean(), response.std()]
        values.append(smooth.std())
    return np.log(np.maximum([*values, channel.mean(), channel.std()], 1e-4))


def _classical(images: tuple[Images, Images, Images, Images]) -> dict[str, Any]:
    image, reinhard, macenko, stains = images
    fixed = _usual_stains(image)
    half = cv2.resize(image, (112, 112), interpolation=cv2.INTER_AREA)
    own = [np.ascontiguousarray(stains[..., stain]) for stain in (0, 1)]
    return {
        **_colour(image),
        "pftas": pftas(image.copy()),
        "pftas half": pftas(half.copy()),
        "pftas reinhard": pftas(reinhard.copy()),
        "pftas macenko": pftas(macenko.copy()),
        "pftas H+E": np.concatenate([pftas(channel.copy()) for channel in fixed]),
        "pftas grey": pftas(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)),
        "lbp rgb": np.concatenate([_patterns(image[..., channel]) for channel in range(3)]),
        "lbp H+E": np.concatenate([_patterns(channel) for channel in fixed]),
        "glcm rgb": np.concatenate([_cooccurrence(image[..., channel]) for channel in range(3)]),
        "glcm H+E": np.concatenate([_cooccurrence(channel) for channel in fixed]),
        "filter bank H+E": np.concatenate([_filter_bank(channel.astype(np.float32) / 255) for channel in own]),
        "filter bank macenko": np.concatenate(
            [_filter_bank(np.ascontiguousarray(macenko[..., k], dtype=np.float32) / 255) for k in range(3)]
        ),
    }


# Pictures: what is done to the stain first


def normalizers(images: Images) -> dict[str, Any]:
    """Return stain normalizers by name. References come from constants or from all images without their labels."""
    statistics = [colour_statistics(to_lab(image)) for image in images]
    table, stains, strengths = density_table(240.0), [], []
    for image in images[::5]:
        density = to_density(image, table)
        stains.append(find_stains(image, density))
        strengths.append(find_strengths(density, np.linalg.pinv(stains[-1].T)))
    median = np.median(stains, axis=0)
    usual = HAEMATOXYLIN_EOSIN_RESIDUAL[:2]
    return {
        "reinhard": Reinhard(*(np.median(part, axis=0) for part in zip(*statistics, strict=True))),
        "macenko": Macenko(usual, np.array([1.6, 1.0])),
        "macenko published": Macenko(_unit(_PUBLISHED[0]), _PUBLISHED[1]),
        "macenko median": Macenko(_unit(median), np.median(strengths, axis=0)),
    }


def _unit(rows: Images) -> Images:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _zoom(pictures: Images, factor: float) -> Images:
    """Enlarge the middle, or shrink with the border mirrored."""
    size = pictures.shape[1]
    side = round(size / factor)
    border = max(0, (side - size + 1) // 2)
    start = max(0, (size - side) // 2)
    result = []
    for picture in pictures:
        wide = cv2.copyMakeBorder(picture, *(border,) * 4, cv2.BORDER_REFLECT) if border else picture
        part = wide[start : start + side, start : start + side]
        way = cv2.INTER_LINEAR if factor > 1 else cv2.INTER_AREA
        result.append(cv2.resize(np.ascontiguousarray(part), (size, size), interpolation=way))
    return np.stack(result)


# Networks


def _batches(images: Images) -> Iterable[Images]:
    return (images[start : start + 32].astype(np.float32) for start in range(0, len(images), 32))


def _run(model: Any, images: Images) -> Any:
    return np.concatenate(list(run_batches(model, _batches(images))))


def _summariser(model: Any, names: Iterable[str]) -> tuple[Callable[[Images], list[Any]], list[int]]:
    """Return a function from images to mean and deviation of each layer."""
    backbone = find_backbone(model)
    outputs = [SpatialMoments()(backbone.get_layer(name).output) for name in names]
    inner = keras.Model(backbone.inputs[0], keras.layers.Concatenate()(outputs))
    scaling = model.get_layer("scaling")
    image = keras.Input(model.input_shape[1:])
    whole = keras.Model(image, inner(scaling(keras.ops.flip(image, -1) if "squeezenet" in model.name else image)))
    cuts = np.cumsum([output.shape[1] for output in outputs])[:-1].tolist()
    return lambda images: np.split(_run(whole, images), cuts, axis=1), cuts


def compute_features(images: Images, weights: Path, quick: bool) -> dict[str, Any]:
    """Return all features by name, float32 (n, d).

    Args:
        images: uint8 (n, 224, 224, 3).
        weights: Folder of the two weight files; the networks get random filters where it has none.
        quick: Leave out what is slow.
    """
    features: dict[str, Any] = {}
    stains = _run(keras.Sequential([keras.Input(images.shape[1:]), StainSeparation()]), images).astype(np.uint8)
    pictures = {"raw": images}
    for name, normalizer in normalizers(images).items():
        pictures[name] = np.stack([normalizer.transform(image) for image in images])
    pictures |= {name: np.repeat(stains[..., k : k + 1], 3, axis=-1) for k, name in enumerate("HE")}
    if not quick:
        rows = zip(images, pictures["reinhard"], pictures["macenko"], stains, strict=True)
        # Started anew: a fork of a process that runs TensorFlow's threads may hang.
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            described = pool.map(_classical, list(rows), chunksize=8)
        features |= {name: np.array([row[name] for row in described]) for name in described[0]}
    else:
        described = [_colour(image) | {"pftas": pftas(image.copy())} for image in images]
        features |= {name: np.array([row[name] for row in described]) for name in described[0]}

    classes = ("benign", "malignant")
    mobilenet = build_model("mobilenet", classes=classes, weights=weights / MOBILENET, alpha=0.25)
    summarise, _ = _summariser(mobilenet, [f"conv_pw_{block}_relu" for block in BLOCKS])
    for name, pixels in pictures.items():
        for block, values in zip(BLOCKS, summarise(pixels), strict=True):
            features[f"mobilenet {name} {block}"] = values
    for factor in () if quick else (0.8, 1.25):
        for name in "HE":
            for block, values in zip(BLOCKS, summarise(_zoom(pictures[name], factor)), strict=True):
                features[f"mobilenet {name}*{factor} {block}"] = values
    squeezenet = build_model("squeezenet", classes=classes, weights=weights / SQUEEZENET)
    modules = ["conv1", *(f"fire{module}_concat" for module in (2, 3, 4))]
    summarise, _ = _summariser(squeezenet, modules)
    for name in () if quick else ("raw", "macenko", "H", "E"):
        features[f"squeezenet {name}"] = np.concatenate(summarise(pictures[name]), axis=1)
    for seed in (0,) if quick else (0, 1, 2):
        random = build_stain_texture(classes=classes, weights=None, seed=seed)
        features[f"random {seed}"] = _run(split_model(random)[0], images)
    shipped = build_stain_texture(classes=classes, weights=weights / MOBILENET)
    features["shipped"] = _run(split_model(shipped)[0], images)
    return {name: np.asarray(values, np.float32) for name, values in features.items()}
