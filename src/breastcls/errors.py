"""Every exception and warning that the package raises on purpose.

All errors derive from `BreastclsError`, so that one `except` catches what this library found wrong, and each also
derives from the built-in exception that a caller would expect (`ValueError`, `OSError`, ...). A message names the
file or argument, says what was found and what was expected, and what to do.
"""

from __future__ import annotations


class BreastclsError(Exception):
    """Base class of every error that breastcls raises on purpose."""


class DatasetError(BreastclsError, ValueError):
    """A table of images is not what it should be: a missing column, an unknown class, an empty selection."""


class LayoutError(DatasetError):
    """A folder or archive does not hold images in a layout that the reader knows."""


class SplitError(DatasetError):
    """A split that was asked for cannot be made, for example a class with fewer cases than parts."""


class LeakageError(DatasetError):
    """Training and test images share cases, slides or pictures, and the caller did not allow it."""


class ImageError(BreastclsError, OSError):
    """A file cannot be read as an image, or changed or vanished between the scan and the reading."""


class OutputError(BreastclsError, OSError):
    """A result cannot be written where it was asked for."""


class RegistryError(BreastclsError, KeyError):
    """A name is not in a registry, or is already taken in it."""

    def __str__(self) -> str:
        # A KeyError shows the repr of its argument: for a sentence that means quotes and escapes.
        return Exception.__str__(self)


class ModelError(BreastclsError, ValueError):
    """A model cannot be built, loaded or used as asked."""


class WeightsError(ModelError):
    """Pretrained weights cannot be found, fetched or loaded."""


class TrainingError(BreastclsError, RuntimeError):
    """Training cannot start or go on, for example because the loss is not a number."""


class EvaluationError(BreastclsError, ValueError):
    """Predictions cannot be scored as asked."""


class ExplanationError(BreastclsError, ValueError):
    """A model or an image cannot be explained with the method asked for."""


class RecipeError(BreastclsError, ValueError):
    """A recipe is not what it should be, or cannot be run as asked."""


class BreastclsWarning(UserWarning):
    """Base class of every warning that breastcls issues."""


class DatasetWarning(BreastclsWarning):
    """Something in a folder or table was left out or assumed; the message counts it."""


class LeakageWarning(BreastclsWarning):
    """Training and test are not independent, and the caller went on knowingly."""


class EvaluationWarning(BreastclsWarning):
    """A figure rests on less than it seems to, for example an interval over very few cases."""


class TrainingWarning(BreastclsWarning):
    """Training goes on, but not quite as asked."""


class ExplanationWarning(BreastclsWarning):
    """A heat-map is empty or inverted, or otherwise not to be taken at face value."""
