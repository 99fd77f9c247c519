"""The exceptions and warnings of the package.

All errors derive from `BreastclsError`, so that one `except` catches every error that the library detects. Each also
derives from the built-in exception that a caller would expect (`ValueError`, `OSError`, ...). A message names the file
or argument, and states what was found, what was expected and what to do.
"""

from __future__ import annotations

from typing_extensions import override


class BreastclsError(Exception):
    """Base class of all errors of breastcls."""


class DatasetError(BreastclsError, ValueError):
    """A table of images is invalid: a missing column, an unknown class, an empty selection."""


class LayoutError(DatasetError):
    """A folder does not contain images in a layout that the reader supports."""


class SplitError(DatasetError):
    """The requested split is impossible, for example because a class has fewer cases than there are parts."""


class LeakageError(DatasetError):
    """Training and test images share cases, slides, files or pixels, and the caller did not allow it."""


class ImageError(BreastclsError, OSError):
    """A file cannot be read as an image, or was changed or removed after the folder was scanned."""


class OutputError(BreastclsError, OSError):
    """A result cannot be written to the requested path."""


class RegistryError(BreastclsError, KeyError):
    """A name is not registered, or is already registered."""

    @override
    def __str__(self) -> str:
        # A KeyError shows the repr of its argument, which puts quotes and escapes into a sentence.
        return Exception.__str__(self)


class BackendError(BreastclsError, ImportError):
    """The backend that is chosen for Keras is unknown or not installed, or does not support what was requested."""


class ModelError(BreastclsError, ValueError):
    """A model cannot be built, loaded or used as requested."""


class WeightsError(ModelError):
    """Pretrained weights cannot be found, downloaded or loaded."""


class TrainingError(BreastclsError, RuntimeError):
    """Training cannot start or continue, for example because the loss is not a number."""


class EvaluationError(BreastclsError, ValueError):
    """Predictions cannot be evaluated as requested."""


class ExplanationError(BreastclsError, ValueError):
    """A model or an image cannot be explained with the requested method."""


class RecipeError(BreastclsError, ValueError):
    """A recipe is invalid, or cannot be run as requested."""


class BreastclsWarning(UserWarning):
    """Base class of all warnings of breastcls."""


class DatasetWarning(BreastclsWarning):
    """Files or rows were left out, or something was assumed; the message gives the number."""


class ModelWarning(BreastclsWarning):
    """A model runs otherwise than requested, or may not be suited to the images."""


class LicenceWarning(BreastclsWarning):
    """The licence of pretrained weights restricts their use; the message says how."""


class LeakageWarning(BreastclsWarning):
    """Training and test images are not independent, and the caller has allowed it."""


class EvaluationWarning(BreastclsWarning):
    """A metric is less reliable than it appears, for example a confidence interval over very few cases."""


class TrainingWarning(BreastclsWarning):
    """Training continues, but not exactly as requested."""


class ExplanationWarning(BreastclsWarning):
    """A heat-map is empty, inverted or otherwise unreliable."""
