"""The recipe `small-cpu`: texture of both stains and one linear layer, trained in a minute on two cores."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from breastcls.errors import TrainingError
from breastcls.experiments.recipes.recipe import Recipe
from breastcls.experiments.recipes.recipe_model import RecipeModel

if TYPE_CHECKING:
    import keras

    from breastcls.datasets.dataset import Dataset

PENALTY = 0.003
"""C of scikit-learn's logistic regression: small, so the penalty is strong. It was chosen with all other settings
by nested case-wise validation; see `docs/explanation/model-to-beat.md`."""


def train_small_cpu(
    train: Dataset,
    *,
    weights: str | os.PathLike[str] | None = "imagenet",
    image_size: int | tuple[int, int] = (224, 224),
    blocks: Sequence[int] | None = None,
    c: float = PENALTY,
    resize: str = "stretch",
    batch_size: int = 32,
    seed: int = 0,
) -> keras.Model:
    """Extract the features of `build_stain_texture` and fit its one dense layer.

    The image is separated into haematoxylin and eosin. Both, and the image in normalised colours, pass through the
    first blocks of MobileNet 0.25, and a logistic regression with a strong penalty and balanced class weights is fitted
    to the means and standard deviations of their channels. Nothing is random unless `weights=None`, and there is no
    early stopping, so no validation set is needed. 571 images of 224x224 take about a minute on two cores.

    Args:
        train: Training images of two classes or more.
        weights: `"imagenet"`, the path of a weight file of MobileNet 0.25 without its classifier, or None for random
            filters.
        image_size: (height, width) that images are brought to, or one number for a square.
        blocks: Blocks of MobileNet whose channels are summarised; see `build_stain_texture`.
        c: Inverse strength of the penalty, as in scikit-learn's `LogisticRegression`, on standardised features.
        resize: How images are brought to `image_size`: "stretch", "crop" or "pad". It is recorded in the card.
        batch_size: Images per batch.
        seed: Seed of the random filters.

    Returns:
        An ordinary `keras.Model`, RGB 0..255 in and probabilities out, with a card that lists the cases and slides it
        was trained on. `predict`, `evaluate`, `explain`, `save_model` and `fit` take it like any other.

    Raises:
        TrainingError: If a class has no images, or `c` is not positive.
        ModelError: If another argument is not valid.
        WeightsError: If the weights cannot be found or loaded.
        ImageError: If an image cannot be read.

    Example:
        >>> model = train_small_cpu(train, weights="mobilenet_2_5_224_tf_no_top.h5")  # doctest: +SKIP
        >>> print(bc.evaluate(model, test, train=train))  # doctest: +SKIP
    """
    import numpy as np
    from threadpoolctl import threadpool_limits

    from breastcls.features.exact_head import write_probe
    from breastcls.features.linear_probe import LinearProbe
    from breastcls.features.penalty_search import Regression
    from breastcls.models.backbones.stain_texture import BLOCKS, build_stain_texture
    from breastcls.models.inference import run_batches
    from breastcls.models.model_parts import split_model
    from breastcls.training.class_weights import class_weights

    began = time.perf_counter()
    _check(train, c)
    model = build_stain_texture(
        classes=train.classes,
        image_size=image_size,
        weights=weights,
        blocks=BLOCKS if blocks is None else blocks,
        seed=seed,
    )
    features, _ = split_model(model)
    batches = train.to_keras(features.input_shape[1:3], batch_size=batch_size, resize=resize)
    values = np.concatenate(list(run_batches(features, (batches[place][0] for place in range(len(batches))))))
    balance = class_weights("balanced", train.labels, train.classes)
    assert balance is not None
    with threadpool_limits(limits=1):
        regression = Regression(
            values.astype(np.float64), train.labels, [balance[k] for k in range(len(train.classes))], 1e-8
        )
        converged = regression.fit(c)
        kernel, bias = regression.layer()
    if not converged:
        raise TrainingError(f"The logistic regression did not converge with c={c:g}. Pass a smaller c.")
    write_probe(model, LinearProbe(kernel.astype(np.float32), bias.astype(np.float32), c, {}, 0))
    settings = {"c": c, "blocks": list(BLOCKS if blocks is None else blocks), "seed": seed, "batch_size": batch_size}
    _record_training(model, train, settings, resize, time.perf_counter() - began)
    return model


def _check(train: Dataset, c: float) -> None:
    counts = {name: int((train.labels == index).sum()) for index, name in enumerate(train.classes)}
    if min(counts.values()) == 0:
        raise TrainingError(f"Every class needs training images; found {counts}. Check the labels or the selection.")
    if isinstance(c, bool) or not isinstance(c, (int, float)) or not 0 < c < float("inf"):
        raise TrainingError(f"c={c!r}: expected a positive number.")


def _record_training(model: keras.Model, train: Dataset, settings: dict[str, Any], resize: str, seconds: float) -> None:
    """Record the training images in the card, as `fit` does, so that leaks are found wherever the model is used."""
    from breastcls.environment import describe_environment
    from breastcls.models.model_card import get_card, set_card
    from breastcls.models.training_cases import record_training

    card = get_card(model)
    assert card is not None
    summary = train.summary()
    record = {
        "recipe": "small-cpu",
        "data": {"train": {**summary.total, "by_class": summary.by_class.to_dict("index")}},
        "fit": settings,
        "seconds": round(seconds, 3),
        "environment": describe_environment(),
    }
    set_card(model, record_training(card, record, train).replace(resize=resize))


def _train(
    train: Dataset,
    val: Dataset | None,
    *,
    weights: Any,
    image_size: tuple[int, int] | None,
    epochs: int | None,
    seed: int,
    run_dir: Path | None,
    resume: bool,
    progress: bool,
) -> keras.Model:
    """Train as a `TrainFunction`. Nothing is chosen by `val`, so it is used for training too."""
    return train_small_cpu(
        train if val is None else train + val, weights=weights, image_size=image_size or (224, 224), seed=seed
    )


SMALL_CPU = Recipe(
    name="small-cpu",
    title="Texture of both stains, linear",
    summary="The image separated into haematoxylin and eosin; means and standard deviations of the first blocks of "
    "MobileNet 0.25 over each and over the image in normalised colours; logistic regression with a strong penalty.",
    data="any",
    models=(RecipeModel("stain-texture", None, (224, 224), head="linear"),),
    fractions=(0.8, 0.2),
    train=_train,
)
