"""Generate the pictures of the documentation from synthetic images.

    python docs/pictures.py

Run it again after a change of an augmentation policy, a normalizer, the report or the synthetic images; names of
pictures as arguments generate only these. It takes one to two minutes, most of them for training the model of the
heat-maps and of the report. The pictures of the report and of the viewer need Chromium. The pictures of the splits and
of the cache are drawn from stored results of benchmarks on real images.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import cv2
import numpy as np
from matplotlib.figure import Figure

import breastcls as bc

PICTURES = Path(__file__).parent / "pictures"
RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"
MOST_BYTES = 150_000
GAP = 4


def main(only: set[str]) -> None:
    """Draw every picture, or those named."""
    PICTURES.mkdir(exist_ok=True)
    draw_favicon()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BREASTCLS_CACHE"] = f"{folder}/cache"
        for name, draw in DRAWINGS.items():
            if not only or name in only:
                save(name, draw(Path(folder)))


def draw_favicon() -> None:
    """Draw the icon of the site: a nucleus in eosin."""
    icon = np.zeros((256, 256, 4), np.uint8)
    cv2.circle(icon, (128, 128), 120, (196, 160, 232, 255), -1, cv2.LINE_AA)
    cv2.ellipse(icon, ((134, 124), (130, 96), 30), (140, 58, 98, 255), -1, cv2.LINE_AA)
    cv2.circle(icon, (120, 136), 14, (92, 30, 60, 255), -1, cv2.LINE_AA)
    cv2.imwrite(str(PICTURES / "favicon.png"), cv2.resize(icon, (64, 64), interpolation=cv2.INTER_AREA))


def save(name: str, picture: np.ndarray) -> None:
    """Write an RGB picture as WebP, at the best quality that keeps it small."""
    for quality in (90, 80, 70, 60, 50):
        encoded = cv2.imencode(".webp", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_WEBP_QUALITY, quality])[
            1
        ]
        if len(encoded) <= MOST_BYTES:
            (PICTURES / f"{name}.webp").write_bytes(encoded.tobytes())
            print(f"{name}.webp: {len(encoded) // 1000} kB, {picture.shape[1]}x{picture.shape[0]}")
            return
    raise SystemExit(f"{name} is larger than {MOST_BYTES} bytes at any quality.")


def grid(rows: list[list[np.ndarray]]) -> np.ndarray:
    """Arrange images of one size in a grid with white gaps."""
    height, width, _ = rows[0][0].shape
    columns = max(map(len, rows))
    sheet = np.full((len(rows) * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3), 255, np.uint8)
    for row, images in enumerate(rows):
        for column, image in enumerate(images):
            top, left = row * (height + GAP), column * (width + GAP)
            sheet[top : top + height, left : left + width] = image
    return sheet


def tissue(folder: Path) -> bc.Dataset:
    """Return synthetic images at 200x, one of each slide; they are generated once."""
    root = folder / "tissue"
    if not root.exists():
        bc.datasets.make_breakhis(root, magnifications=[200], slides_per_subtype=2, images_per_slide=1, seed=11)
    return bc.load_breakhis(root)


def draw_synthetic(folder: Path) -> np.ndarray:
    """One image of each subtype: benign above, malignant below."""
    data = tissue(folder)
    images = [
        bc.images.resize_image(bc.images.read_image(data.where(subtype=subtype).paths[0]), (148, 225))
        for subtype in ("A", "F", "PT", "TA", "DC", "LC", "MC", "PC")
    ]
    return grid([images[:4], images[4:]])


def draw_augmentation(folder: Path) -> np.ndarray:
    """One row per policy: the original image and five augmented versions."""
    data = tissue(folder)
    image = bc.images.resize_image(bc.images.read_image(data.where(subtype="TA").paths[0]), (112, 150))
    names = ("dihedral", "classic", "standard", "stain", "strong")
    return grid([[image, *bc.augmentation.augment_images(np.stack([image] * 5), name, seed=1)] for name in names])


def draw_keras_cv(folder: Path) -> np.ndarray:
    """One row per policy of KerasCV: the original image and five augmented versions; of `fmix`, five mixed images."""
    data = tissue(folder)
    subtypes = ("TA", "F", "DC", "LC", "PC")
    images = [
        bc.images.resize_image(bc.images.read_image(data.where(subtype=name).paths[0]), (112, 150)) for name in subtypes
    ]
    rows = [[images[0], *bc.augmentation.augment_images(np.stack(images), "fmix", seed=1)]]
    for name in ("randaugment", "augmix", "gridmask", "channel-shuffle"):
        rows.append([images[0], *bc.augmentation.augment_images(np.stack([images[0]] * 5), name, seed=1)])
    return grid(rows)


def draw_stain(folder: Path) -> np.ndarray:
    """First row: images of five slides; further rows: normalised to the stain of the first by each method."""
    data = tissue(folder)
    originals = [bc.images.read_image(data.where(subtype=name).paths[0]) for name in ("TA", "F", "DC", "LC", "PC")]
    rows = [originals]
    for name in bc.stain.list_normalizers():
        normalizer = bc.stain.fit_normalizer(originals[0], name)
        rows.append([normalizer.transform(image) for image in originals])
    return grid([[bc.images.resize_image(image, (123, 187)) for image in row] for row in rows])


@functools.cache
def tutorial(folder: Path) -> tuple[Any, bc.Dataset, bc.Evaluation]:
    """Return the model, the test images and the evaluation of the tutorial; the model is trained once."""
    root = bc.datasets.make_breakhis(
        folder / "images",
        magnifications=[200],
        slides_per_subtype=16,
        images_per_slide=3,
        image_size=(115, 175),
        seed=7,
    )
    data = bc.load_breakhis(root)
    train, val, test = data.split((0.6, 0.15, 0.25), by="case", seed=7)
    model = bc.build_model("cnn4", classes=data.classes, image_size=(64, 96), seed=7)
    bc.fit(model, train, val, epochs=10, batch_size=8, augment="dihedral", seed=7)
    return model, test, bc.evaluate(model, test, train=train + val)


def draw_heatmaps(folder: Path) -> np.ndarray:
    """Image, heat-map and overlay of three test images, from the model of the tutorial."""
    model, test, _ = tutorial(folder)
    bc.explain(model, test[::12]).plot(folder / "heatmaps.png", limit=3)
    picture = bc.images.read_image(folder / "heatmaps.png")
    return bc.images.resize_image(picture, (round(picture.shape[0] * 900 / picture.shape[1]), 900))


def draw_heatmap_limits(folder: Path) -> np.ndarray:
    """Maps of a trained network, of one whose later layers are random, and of a wrong prediction."""
    import keras

    model, test, result = tutorial(folder)
    labels = test.table["label"].to_numpy()
    probabilities = result.predictions.probabilities
    predicted = np.asarray(test.classes)[probabilities.argmax(axis=1)]
    strength = probabilities.max(axis=1)
    right = int(np.argmax(np.where(predicted == labels, strength, 0)))
    wrong = int(np.argmax(np.where(predicted != labels, strength, 0)))
    shuffled = keras.models.clone_model(model)
    shuffled.set_weights(model.get_weights())
    generator = np.random.default_rng(1)
    layers = [layer for layer in shuffled.layers if layer.weights]
    inner = [layer for part in layers for layer in getattr(part, "layers", [part]) if layer.weights]
    for layer in inner[len(inner) // 2 :]:
        layer.set_weights([generator.permutation(value.ravel()).reshape(value.shape) for value in layer.get_weights()])
    columns = (("Grad-CAM", "grad-cam", model), ("later layers random", "grad-cam", shuffled),
               ("guided backprop.", "guided-backpropagation", model),
               ("later layers random", "guided-backpropagation", shuffled))  # fmt: skip
    figure = Figure(figsize=(9, 3.3), dpi=100, layout="constrained")
    axes = figure.subplots(2, 5)
    for row, (number, kind) in enumerate(((right, "right"), (wrong, "wrong"))):
        target = str(predicted[number])
        axes[row][0].imshow(bc.images.read_image(test.paths[number]))
        axes[row][0].set_title(f"{kind}: {target} {strength[number]:.2f}", fontsize=9)
        for axis, (title, method, network) in zip(axes[row][1:], columns, strict=True):
            made = bc.explain(network, test[[number]], method, target_class=target, classes=test.classes)
            axis.imshow(made.heatmap(0), cmap="viridis", vmin=0, vmax=1)
            axis.set_title(title, fontsize=9)
        for axis in axes[row]:
            axis.set_axis_off()
    figure.savefig(folder / "limits.png")
    return bc.images.read_image(folder / "limits.png")


def draw_attention(folder: Path) -> np.ndarray:
    """The images of one case in the order of their attention, by a classifier on features of a random network."""
    root = folder / "cases"
    bc.datasets.make_breakhis(
        root, magnifications=[200], slides_per_subtype=2, images_per_slide=8, image_size=(115, 175), seed=3
    )
    data = bc.load_breakhis(root)
    encoder = bc.build_model("cnn4", classes=data.classes, image_size=112, seed=7)
    vectors = bc.features.extract_features(encoder, data)
    result = bc.experiments.compare_pooling(vectors, folds=3, penalties=[0.1])
    case = str(result.attention.query("relative_weight > 1")["case"].iloc[0])
    result.plot_case(case, folder / "attention.png", count=8, dpi=130)
    return bc.images.read_image(folder / "attention.png")


def draw_report(folder: Path) -> np.ndarray:
    """The first screen of the report of the tutorial."""
    _, _, result = tutorial(folder)
    return screenshot(result.to_html(folder / "report.html"))


def draw_viewer(folder: Path) -> np.ndarray:
    """The viewer with heat-maps of the tutorial by two methods."""
    model, test, _ = tutorial(folder)
    made = [bc.explain(model, test[::8], method) for method in ("grad-cam", "occlusion")]
    return screenshot(bc.explanation.write_viewer(made, folder / "viewer.html", title="Synthetic images, 200×"))


def screenshot(page: Path) -> np.ndarray:
    """Return the first screen of a page."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        raise SystemExit("Pictures of pages need Chromium: install it, or name the other pictures.")
    picture = page.with_suffix(".png")
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1180,1000"]
    # The viewer draws its canvases after the page has loaded.
    command += ["--timeout=15000", f"--user-data-dir={page.parent / 'profile'}", f"--screenshot={picture}"]
    subprocess.run([*command, page.as_uri()], check=True, capture_output=True)
    return bc.images.resize_image(bc.images.read_image(picture), (763, 900))


def draw_whole_mount(folder: Path) -> np.ndarray:
    """A synthetic slide of IDC patches: tissue, labels and the probabilities of a small network."""
    data = bc.load_idc(bc.datasets.make_idc(folder / "idc", patients=4, patches_per_patient=400, seed=3))
    slides = sorted(set(data.slides))
    train, val, slide = (data.where(slide=names) for names in (slides[:2], slides[2:3], slides[3:]))
    model = bc.build_model("cnn4", classes=data.classes, image_size=32, seed=7)
    bc.fit(model, train, val, epochs=3, seed=7)
    [mount] = bc.explanation.stitch(slide, bc.predict(model, slide), micrometres_per_pixel=4.0)
    mount.plot(folder / "mount.png")
    picture = bc.images.read_image(folder / "mount.png")
    return bc.images.resize_image(picture, (round(picture.shape[0] * 900 / picture.shape[1]), 900))


def draw_similar(folder: Path) -> np.ndarray:
    """Test images of the tutorial, each beside its most similar images of other cases."""
    model, test, _ = tutorial(folder)
    cases = sorted(set(test.cases))
    queries, others = test.where(case=cases[::4]), test.where(case=[case for case in cases if case not in cases[::4]])
    similar = bc.features.find_similar(model, queries[::3], others, count=5)
    similar.plot(folder / "similar.png", predictions=bc.predict(model, queries[::3]), limit=3)
    picture = bc.images.read_image(folder / "similar.png")
    return bc.images.resize_image(picture, (round(picture.shape[0] * 900 / picture.shape[1]), 900))


def draw_splits(folder: Path) -> np.ndarray:
    """AUC of a network and of colour alone with image-wise and case-wise folds, from the benchmark result."""
    comparison = json.loads((RESULTS / "compare_splits.json").read_text(encoding="utf-8"))["comparison"]
    table, counts = comparison["table"], comparison["counts"]
    column = table["columns"].index("roc_auc")
    values = {tuple(key): row[column : column + 3] for key, row in zip(table["index"], table["data"], strict=True)}
    names = {"model": "network (frozen MobileNet)", "colour": "colour alone (6 values)"}
    figure = Figure(figsize=(7.5, 2.4), layout="constrained", dpi=120)
    axes = figure.subplots()
    styles = (
        ("image", "image-wise split (every case in both parts)", "#b9a3d0", -0.13),
        ("case", "case-wise split", "#5e35b1", 0.13),
    )
    for split, label, colour, shift in styles:
        for row, model in enumerate(names):
            value, low, high = values[model, split]
            axes.plot([low, high], [row + shift] * 2, color=colour, linewidth=3, label=label if row == 0 else None)
            axes.plot(value, row + shift, "o", color=colour, markersize=8)
            axes.annotate(f"{value:.2f}", (value, row + shift), (0, 6), textcoords="offset points", ha="center")
    axes.axvline(0.5, color="#777777", linewidth=1, linestyle="dotted")
    axes.set_yticks(range(len(names)), list(names.values()))
    axes.set(xlim=(0.48, 1), ylim=(1.5, -0.5))
    axes.set_xlabel(f"ROC AUC, 95% CI over cases; BreakHis 200×, {counts['images']} images of {counts['cases']} cases")
    figure.legend(loc="outside upper right", ncols=2, frameon=False, fontsize="small")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(folder / "splits.png")
    return bc.images.read_image(folder / "splits.png")


def draw_check(folder: Path) -> np.ndarray:
    """An image and four problems: truncated, almost blank, of another size, and a near duplicate."""
    image = bc.images.resize_image(bc.images.read_image(tissue(folder).where(subtype="F").paths[0]), (123, 187))
    cut = image.copy()
    cut[70:] = 128
    glass = np.full_like(image, 238) + np.random.default_rng(0).integers(0, 3, image.shape, dtype=np.uint8)
    small = np.full_like(image, 255)
    small[40:83, 60:127] = bc.images.resize_image(image, (43, 67))
    encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 20])[1]
    again = cv2.cvtColor(cv2.imdecode(encoded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    return grid([[image, cut, glass, small, again]])


def draw_prepare(folder: Path) -> np.ndarray:
    """Images per second in an epoch that decodes files and in one that reads the cache, from the benchmark result."""
    result = json.loads((RESULTS / "images_epoch.json").read_text(encoding="utf-8"))
    sides = result["plain_repeated"]["sides"]
    names = ["decoded in every epoch\n(Keras)", "read from the cache\n(breastcls)"]
    values = [sides["keras"]["images_per_second"], sides["breastcls"]["images_per_second"]]
    figure = Figure(figsize=(7.5, 2.2), layout="constrained", dpi=120)
    axes = figure.subplots()
    bars = axes.barh(names, values, color=["#b9a3d0", "#5e35b1"])
    axes.bar_label(bars, [f"{value:,.0f}" for value in values], padding=4)
    label = "images per second, 700 × 460 PNG to 224 × 224, two cores"
    axes.set(xscale="log", xlim=(10, max(values) * 4), xlabel=label)
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(folder / "prepare.png")
    return bc.images.read_image(folder / "prepare.png")


DRAWINGS = {
    "check": draw_check,
    "prepare": draw_prepare,
    "synthetic": draw_synthetic,
    "augmentation": draw_augmentation,
    "augmentation-keras-cv": draw_keras_cv,
    "stain": draw_stain,
    "heatmaps": draw_heatmaps,
    "heatmap-limits": draw_heatmap_limits,
    "attention": draw_attention,
    "report": draw_report,
    "viewer": draw_viewer,
    "whole-mount": draw_whole_mount,
    "similar": draw_similar,
    "splits": draw_splits,
}

if __name__ == "__main__":
    main(set(sys.argv[1:]))
