"""`find_similar`: the training images of other cases whose features are most similar."""

from __future__ import annotations

from typing import Any

from breastcls.datasets.dataset import Dataset
from breastcls.features.feature_extraction import extract_features
from breastcls.features.image_index import ImageIndex, index_images
from breastcls.features.similar_images import SimilarImages


def find_similar(
    model: Any, images: Dataset, train: Dataset | ImageIndex, *, count: int = 5, batch_size: int = 32
) -> SimilarImages:
    """Return for each image the most similar training images of other cases, by the features of a model.

    The features are those in front of the head of the model. A similar image is no proof that a prediction is right;
    a pathologist can judge whether the tissue is similar too. Images of the same case are never returned.

    Args:
        model: What `extract_features` takes as the encoder, usually the trained model.
        images: The images to compare, such as `test[:8]`.
        train: The images to find similar ones among, usually the training data; or an index of them, made once by
            `index_images(extract_features(model, train))`, which saves time for further calls.
        count: How many similar images for each.
        batch_size: Images at a time.

    Returns:
        The similar images with their labels, cases and distances. They are printed, drawn by `plot`, and shown by the
        viewer of heat-maps and by the report of an evaluation with `similar=`.

    Raises:
        DatasetError: If the cases of `train` are not known, or an index is of another encoder.
        ModelError: If the model has no features.
        ImageError: If an image cannot be read.

    Warns:
        LeakageWarning: If a case of `images` is also in `train`, so that the model was trained on it.
        DatasetWarning: If the cases of `images` are not known.

    Example:
        >>> similar = find_similar(model, test[:8], train, count=5)  # doctest: +SKIP
        >>> similar.plot("similar.png", predictions=bc.predict(model, test[:8]))  # doctest: +SKIP
    """
    index = train if isinstance(train, ImageIndex) else index_images(_with_vectors(model, train, batch_size))
    return index.search(_with_vectors(model, images, batch_size), count)


def _with_vectors(model: Any, data: Dataset, batch_size: int) -> Dataset:
    return data if data.vectors is not None else extract_features(model, data, batch_size=batch_size)
