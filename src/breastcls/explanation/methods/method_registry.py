"""The registry of explanation methods."""

from __future__ import annotations

from breastcls.explanation.methods.grad_cam import GRAD_CAM
from breastcls.explanation.methods.grad_cam_plus_plus import GRAD_CAM_PLUS_PLUS
from breastcls.explanation.methods.hires_cam import HIRES_CAM
from breastcls.explanation.methods.integrated_gradients import INTEGRATED_GRADIENTS
from breastcls.explanation.methods.layer_cam import LAYER_CAM
from breastcls.explanation.methods.method import Method
from breastcls.explanation.methods.occlusion import OCCLUSION
from breastcls.explanation.methods.score_cam import SCORE_CAM
from breastcls.explanation.methods.smooth_grad import SMOOTH_GRAD
from breastcls.registry import Registry

METHODS: Registry[Method] = Registry("explanation method")
for _method in (
    GRAD_CAM,
    GRAD_CAM_PLUS_PLUS,
    HIRES_CAM,
    LAYER_CAM,
    SCORE_CAM,
    INTEGRATED_GRADIENTS,
    SMOOTH_GRAD,
    OCCLUSION,
):
    METHODS.register(_method.name, _method)


def register_method(method: Method) -> Method:
    """Add an explanation method, so that `explain` accepts its name.

    Args:
        method: The method.

    Returns:
        The method.

    Raises:
        RegistryError: If the name is taken.

    Example:
        >>> from breastcls.explanation import Attribution, Method, image_gradients
        >>> def gradient_times_input(scored, images, targets):
        ...     return Attribution((images * image_gradients(scored, images, targets)).sum(axis=-1))
        >>> reference = "Shrikumar et al. 2016, arXiv:1605.01713"
        >>> method = Method("gradient-times-input", gradient_times_input, "Gradient x input", reference)
        >>> registered = register_method(method)
        >>> "gradient-times-input" in list_methods()
        True
    """
    return METHODS.register(method.name, method)


def list_methods() -> tuple[str, ...]:
    """Return the names of all explanation methods, in the order of registration.

    Example:
        >>> list_methods()[:2]
        ('grad-cam', 'grad-cam++')
    """
    return tuple(METHODS)
