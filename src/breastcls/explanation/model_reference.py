"""A reference from an explanation to the model that was explained, and to the function of its scores."""

from __future__ import annotations

import weakref
from typing import Any


class ModelReference:
    """The explained model, as long as the program keeps it, and the target; an explanation that was pickled has none.

    Args:
        model: The model, of which a weak reference is kept.
        target: The `TargetScore` where it is not the score of one class that was explained, else None.

    Example:
        >>> class Model: ...
        >>> model = Model()
        >>> reference = ModelReference(model)
        >>> reference.model is model
        True
        >>> del model
        >>> reference.model is None
        True
    """

    def __init__(self, model: Any = None, target: Any = None) -> None:
        self.target = target
        self._model = None if model is None else weakref.ref(model)

    @property
    def model(self) -> Any:
        """The model, or None where there is none any more."""
        return None if self._model is None else self._model()

    def __reduce__(self) -> tuple[type[ModelReference], tuple[()]]:
        return ModelReference, ()

    def __copy__(self) -> ModelReference:
        return self

    def __deepcopy__(self, memo: Any) -> ModelReference:
        return self
