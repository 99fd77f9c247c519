"""Weak references from an evaluation to the model and the dataset that it was made from."""

from __future__ import annotations

import weakref
from typing import Any


class SourceReferences:
    """The model and the test set of an evaluation, as long as the program keeps them.

    A pickled or reloaded evaluation has none: neither a model nor a dataset is part of a result.

    Example:
        >>> class Model: ...
        >>> model = Model()
        >>> source = SourceReferences(model)
        >>> source.model is model, source.test
        (True, None)
        >>> del model
        >>> source.model is None
        True
    """

    def __init__(self, model: Any = None, test: Any = None) -> None:
        self._model = None if model is None else weakref.ref(model)
        self._test = None if test is None else weakref.ref(test)

    @property
    def model(self) -> Any:
        """The Keras model, or None where there is none any more."""
        return None if self._model is None else self._model()

    @property
    def test(self) -> Any:
        """The dataset, or None where there is none any more."""
        return None if self._test is None else self._test()

    def __reduce__(self) -> tuple[type[SourceReferences], tuple[()]]:
        return SourceReferences, ()

    def __copy__(self) -> SourceReferences:
        return self

    def __deepcopy__(self, memo: Any) -> SourceReferences:
        return self
