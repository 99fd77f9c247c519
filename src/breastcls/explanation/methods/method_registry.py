"""The registry of explanation methods."""

from __future__ import annotations

from breastcls.explanation.methods.ablation_cam import ABLATION_CAM
from breastcls.explanation.methods.attention_rollout import ATTENTION_ROLLOUT
from breastcls.explanation.methods.eigen_cam import EIGEN_CAM
from breastcls.explanation.methods.fused_layer_cam import FUSED_LAYER_CAM
from breastcls.explanation.methods.grad_cam import GRAD_CAM
from breastcls.explanation.methods.grad_cam_plus_plus import GRAD_CAM_PLUS_PLUS
from breastcls.explanation.methods.gradient_rollout import GRADIENT_ROLLOUT
from breastcls.explanation.methods.gradient_x_input import GRADIENT_X_INPUT
from breastcls.explanation.methods.guided_backpropagation import GUIDED_BACKPROPAGATION
from breastcls.explanation.methods.hires_cam import HIRES_CAM
from breastcls.explanation.methods.integrated_gradients import INTEGRATED_GRADIENTS
from breastcls.explanation.methods.kernel_shap import KERNEL_SHAP
from breastcls.explanation.methods.layer_cam import LAYER_CAM
from breastcls.explanation.methods.method import Method
from breastcls.explanation.methods.occlusion import OCCLUSION
from breastcls.explanation.methods.rise import RISE
from breastcls.explanation.methods.score_cam import SCORE_CAM
from breastcls.explanation.methods.smooth_grad import SMOOTH_GRAD
from breastcls.explanation.methods.xgrad_cam import XGRAD_CAM
from breastcls.registry import Registry

METHODS: Registry[Method] = Registry("explanation method")
for _method in (
    GRAD_CAM,
    GRAD_CAM_PLUS_PLUS,
    HIRES_CAM,
    LAYER_CAM,
    FUSED_LAYER_CAM,
    XGRAD_CAM,
    EIGEN_CAM,
    SCORE_CAM,
    ABLATION_CAM,
    GRADIENT_X_INPUT,
    INTEGRATED_GRADIENTS,
    SMOOTH_GRAD,
    GUIDED_BACKPROPAGATION,
    OCCLUSION,
    RISE,
    KERNEL_SHAP,
    ATTENTION_ROLLOUT,
    GRADIENT_ROLLOUT,
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
        >>> import numpy as np
        >>> from breastcls.explanation import Attribution, Method, image_gradients
        >>> def saliency(scored, images, targets):
        ...     return Attribution(np.abs(image_gradients(scored, images, targets)).max(axis=-1))
        >>> method = Method("saliency", saliency, "Saliency map", "Simonyan et al. 2014, arXiv:1312.6034")
        >>> registered = register_method(method)
        >>> "saliency" in list_methods()
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
