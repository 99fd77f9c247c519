"""The explanation methods by name."""

from __future__ import annotations

from breastcls.explanation.methods.attribution import Explainer
from breastcls.explanation.methods.grad_cam import grad_cam
from breastcls.explanation.methods.grad_cam_plus_plus import grad_cam_plus_plus
from breastcls.explanation.methods.hires_cam import hires_cam
from breastcls.explanation.methods.integrated_gradients import integrated_gradients
from breastcls.explanation.methods.layer_cam import layer_cam
from breastcls.explanation.methods.occlusion import occlusion
from breastcls.explanation.methods.score_cam import score_cam
from breastcls.explanation.methods.smooth_grad import smooth_grad
from breastcls.registry import Registry

METHODS: Registry[Explainer] = Registry("explanation method")
"""Every method that `explain` knows; another package adds its own with `register_method`."""


def register_method(name: str, method: Explainer) -> Explainer:
    """Make an explanation method known by its name, so that `explain` accepts it, and return it.

    Raises:
        RegistryError: If the name is taken.
    """
    return METHODS.register(name, method)


def list_methods() -> tuple[str, ...]:
    """Return the names of all explanation methods.

    Example:
        >>> list_methods()[:2]
        ('grad-cam', 'grad-cam++')
    """
    return tuple(METHODS)


METHODS.register(
    "grad-cam",
    Explainer("Grad-CAM", grad_cam, "Selvaraju et al. 2017, DOI 10.1109/ICCV.2017.74", needs_feature_map=True),
)
METHODS.register(
    "grad-cam++",
    Explainer(
        "Grad-CAM++",
        grad_cam_plus_plus,
        "Chattopadhay et al. 2018, DOI 10.1109/WACV.2018.00097",
        needs_feature_map=True,
    ),
)
METHODS.register(
    "hires-cam",
    Explainer("HiResCAM", hires_cam, "Draelos and Carin 2020, arXiv:2011.08891", needs_feature_map=True),
)
METHODS.register(
    "layer-cam",
    Explainer("LayerCAM", layer_cam, "Jiang et al. 2021, DOI 10.1109/TIP.2021.3089943", needs_feature_map=True),
)
METHODS.register(
    "score-cam",
    Explainer("Score-CAM", score_cam, "Wang et al. 2020, DOI 10.1109/CVPRW50498.2020.00020", needs_feature_map=True),
)
METHODS.register(
    "integrated-gradients",
    Explainer(
        "Integrated gradients",
        integrated_gradients,
        "Sundararajan et al. 2017, arXiv:1703.01365",
        needs_feature_map=False,
        upper_percentile=99.5,
        smoothing=0.015,
    ),
)
METHODS.register(
    "smooth-grad",
    Explainer(
        "SmoothGrad",
        smooth_grad,
        "Smilkov et al. 2017, arXiv:1706.03825",
        needs_feature_map=False,
        upper_percentile=99.5,
        smoothing=0.015,
        shows="where the score of the class reacts",
    ),
)
METHODS.register(
    "occlusion",
    Explainer(
        "Occlusion",
        occlusion,
        "Zeiler and Fergus 2014, DOI 10.1007/978-3-319-10590-1_53",
        needs_feature_map=False,
    ),
)
