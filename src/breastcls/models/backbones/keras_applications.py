"""The architectures of Keras Applications: sizes, scaling, stages, weight files, licences.

The weight files are those of `keras.applications` (`include_top=False`). They are listed here instead of being
downloaded by the Keras constructors, so that they can be loaded for every image size, and an error can name the missing
file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from breastcls.errors import WeightsError
from breastcls.models.backbones.backbone import Backbone, WeightsFile
from breastcls.models.backbones.efficientnet_scaling import restore_imagenet_scaling

_STORE = "https://storage.googleapis.com/tensorflow/keras-applications/"
_NO_TOP = "_weights_tf_dim_ordering_tf_kernels_notop.h5"

Pretrained = Callable[[tuple[int, int], Mapping[str, Any]], WeightsFile]


def _build(constructor: str, input_shape: tuple[int, int, int], **options: Any) -> Any:
    import keras

    return getattr(keras.applications, constructor)(include_top=False, weights=None, input_shape=input_shape, **options)


def _file(folder: str, name: str, digest: str | None, published_as: str | None = None) -> Pretrained:
    file = WeightsFile(name=name, url=f"{folder}{published_as or name}", digest=digest)
    return lambda image_size, options: file


def _square_size(image_size: tuple[int, int], published: tuple[int, ...]) -> int:
    """Return the image size of the published file: that of the images if there is one, else 224."""
    height, width = image_size
    return height if height == width and height in published else 224


def _mobilenet(image_size: tuple[int, int], options: Mapping[str, Any]) -> WeightsFile:
    widths = {0.25: "2_5", 0.5: "5_0", 0.75: "7_5", 1.0: "1_0"}
    alpha = _published_alpha("mobilenet", options, tuple(widths))
    if options.get("depth_multiplier", 1) != 1:
        raise WeightsError(
            "ImageNet weights of 'mobilenet' are published for depth_multiplier=1 only. Pass weights=None."
        )
    name = f"mobilenet_{widths[alpha]}_{_square_size(image_size, (128, 160, 192, 224))}_tf_no_top.h5"
    return WeightsFile(name, f"{_STORE}mobilenet/{name}")


def _mobilenet_v2(image_size: tuple[int, int], options: Mapping[str, Any]) -> WeightsFile:
    alpha = _published_alpha("mobilenetv2", options, (0.35, 0.5, 0.75, 1.0, 1.3, 1.4))
    size = _square_size(image_size, (96, 128, 160, 192, 224))
    name = f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{alpha}_{size}_no_top.h5"
    return WeightsFile(name, f"{_STORE}mobilenet_v2/{name}")


_MOBILENET_V3 = {
    ("small", False, 0.75): "ebdb5cc8e0b497cd13a7c275d475c819",
    ("small", False, 1.0): "d3e8ec802a04aa4fc771ee12a9a9b836",
    ("small", True, 1.0): "cde8136e733e811080d9fcd8a252f7e4",
    ("large", False, 0.75): "40af19a13ebea4e2ee0c676887f69a2e",
    ("large", False, 1.0): "07fb09a5933dd0c8eaafa16978110389",
    ("large", True, 1.0): "ec5221f64a2f6d1ef965a614bdae7973",
}


def _mobilenet_v3(kind: str, image_size: tuple[int, int], options: Mapping[str, Any]) -> WeightsFile:
    minimal = bool(options.get("minimalistic", False))
    published = tuple(alpha for size, minimalistic, alpha in _MOBILENET_V3 if (size, minimalistic) == (kind, minimal))
    alpha = _published_alpha(f"mobilenetv3{kind}", options, published)
    middle = "_minimalistic" if minimal else ""
    name = f"weights_mobilenet_v3_{kind}{middle}_224_{alpha}_float_no_top_v2.h5"
    return WeightsFile(name, f"{_STORE}mobilenet_v3/{name}", _MOBILENET_V3[kind, minimal, alpha])


def _published_alpha(backbone: str, options: Mapping[str, Any], published: tuple[float, ...]) -> float:
    alpha = float(options.get("alpha", 1.0))
    if alpha not in published:
        raise WeightsError(
            f"No ImageNet weights of {backbone!r} are published for alpha={alpha} with these options. Published: "
            f"alpha {', '.join(map(str, published))}. Pass one of these, or weights=None, or weights=<path>."
        )
    return alpha


def _family(constructors: Mapping[str, Mapping[str, Any]], **shared: Any) -> list[Backbone]:
    return [
        Backbone(name=constructor.lower(), factory=partial(_build, constructor), **{**shared, **own})
        for constructor, own in constructors.items()
    ]


_GOOGLE = "Apache-2.0 (as stated by the Keras documentation)"
_RESNET_STAGES = ("conv5_", "conv4_", "conv3_", "conv2_")
_EFFICIENTNET_STAGES = ("block7a_", "block6a_", "block5a_", "block4a_", "block3a_", "block2a_")

# MD5 and last convolution.
_VGG = {
    "VGG16": ("6d6bbae143d832006294945121d1f1fc", "block5_conv3"),
    "VGG19": ("253f8cb515780f3b799900260a226db6", "block5_conv4"),
}
_RESNET = {
    "ResNet50": "4d473c1dd8becc155b73f8504c6f6626",
    "ResNet101": "88cf7a10940856eca736dc7b7e228a21",
    "ResNet152": "ee4c566cf9a93f14d82f913c2dc6dd0c",
}
_RESNET_V2 = {
    "ResNet50V2": "fac2f116257151a9d068a22e544a4917",
    "ResNet101V2": "c0ed64b8031c3730f411d2eb4eea35b5",
    "ResNet152V2": "ed17cf2e0169df9d443503ef94b23b33",
}
_DENSENET = {
    "DenseNet121": "30ee3e1110167f948a6b9946edeeb738",
    "DenseNet169": "b8c4d4c20dd625c148057b9ff1c1176b",
    "DenseNet201": "c13680b51ded0fb44dff2d8f86ac8bb1",
}
# Image size for which each was designed, and MD5.
_EFFICIENTNET = {
    "EfficientNetB0": (224, "50bc09e76180e00e4465e1a485ddc09d"),
    "EfficientNetB1": (240, "74c4e6b3e1f6a1eea24c589628592432"),
    "EfficientNetB2": (260, "111f8e2ac8aa800a7a99e3239f7bfb39"),
    "EfficientNetB3": (300, "af6d107764bb5b1abb91932881670226"),
    "EfficientNetB4": (380, "ebc24e6d6c33eaebbd558eafbeedf1ba"),
    "EfficientNetB5": (456, "38879255a25d3c92d5e44e04ae6cec6f"),
    "EfficientNetB6": (528, "9ecce42647a20130c1f39a5d4cb75743"),
    "EfficientNetB7": (600, "cbcfe4450ddf6f3ad90b1b398090fe4a"),
}
# Image size, MD5, number of blocks.
_EFFICIENTNET_V2 = {
    "EfficientNetV2B0": (224, "893217f2bb855e2983157299931e43ff", 6),
    "EfficientNetV2B1": (240, "0e80663031ca32d657f9caa404b6ec37", 6),
    "EfficientNetV2B2": (260, "1dfe2e7a5d45b6632553a8961ea609eb", 6),
    "EfficientNetV2B3": (300, "f6abf7b5849ac99a89b50dd3fd532856", 6),
    "EfficientNetV2S": (384, "af0682fb74e8c54910f2d4393339c070", 6),
    "EfficientNetV2M": (480, "1b8dc055df72dde80d614482840fe342", 7),
    "EfficientNetV2L": (480, "b0b66b5c863aef5b46e8608fe1711615", 7),
}
_CONVNEXT = {
    "Tiny": "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
    "Small": "6fc8009faa2f00c1c1dfce59feea9b0745eb260a7dd11bee65c8e20843da6eab",
    "Base": "40a20c5548a5e9202f69735ecc06c990e6b7c9d2de39f0361e27baeb24cb7c45",
    "Large": "96f02b6f0753d4f543261bc9d09bed650f24dd6bc02ddde3066135b63d23a1cd",
    "XLarge": "de3f8a54174130e0cecdc71583354753d557fcf1f4487331558e2a16ba0cfe05",
}

KERAS_APPLICATIONS: tuple[Backbone, ...] = (
    *_family(
        {
            name: {
                "last_convolution": last,
                "pretrained": _file(f"{_STORE}{name.lower()}/", f"{name.lower()}{_NO_TOP}", digest),
            }
            for name, (digest, last) in _VGG.items()
        },
        scaling="caffe",
        stages=("block5_", "block4_", "block3_", "block2_"),
        licence="CC BY 4.0",
        origin="Visual Geometry Group, Oxford: https://www.robots.ox.ac.uk/~vgg/research/very_deep/",
        paper="https://doi.org/10.48550/arXiv.1409.1556",
    ),
    *_family(
        {
            name: {"pretrained": _file(f"{_STORE}resnet/", f"{name.lower()}{_NO_TOP}", digest)}
            for name, digest in _RESNET.items()
        },
        scaling="caffe",
        last_convolution="conv5_block3_out",
        stages=_RESNET_STAGES,
        licence="MIT",
        origin="Kaiming He: https://github.com/KaimingHe/deep-residual-networks",
        paper="https://doi.org/10.1109/CVPR.2016.90",
    ),
    *_family(
        {
            name: {"pretrained": _file(f"{_STORE}resnet/", f"{name.lower()}{_NO_TOP}", digest)}
            for name, digest in _RESNET_V2.items()
        },
        scaling="-1-1",
        last_convolution="post_relu",
        stages=_RESNET_STAGES,
        licence="BSD-3-Clause (as stated by the Keras documentation)",
        origin="Facebook: https://github.com/facebook/fb.resnet.torch",
        paper="https://doi.org/10.1007/978-3-319-46493-0_38",
    ),
    *_family(
        {
            name: {"pretrained": _file(f"{_STORE}densenet/", f"{name.lower()}{_NO_TOP}", digest)}
            for name, digest in _DENSENET.items()
        },
        scaling="imagenet",
        last_convolution="relu",
        stages=_RESNET_STAGES,
        licence="BSD-3-Clause",
        origin="https://github.com/liuzhuang13/DenseNet",
        paper="https://doi.org/10.1109/CVPR.2017.243",
    ),
    *_family(
        {"Xception": {}},
        image_size=(299, 299),
        minimum_size=(71, 71),
        scaling="-1-1",
        last_convolution="block14_sepconv2_act",
        stages=("block13_", "block5_", "block4_", "block3_", "block2_"),
        pretrained=_file(f"{_STORE}xception/", f"xception{_NO_TOP}", "b0042744bf5b25fce3cb969f33bebb97"),
        licence="MIT",
        origin="the Keras authors",
        paper="https://doi.org/10.1109/CVPR.2017.195",
    ),
    *_family(
        {"InceptionV3": {}},
        image_size=(299, 299),
        minimum_size=(75, 75),
        scaling="-1-1",
        last_convolution="mixed10",
        stages=("mixed7", "mixed2"),
        pretrained=_file(f"{_STORE}inception_v3/", f"inception_v3{_NO_TOP}", "bcbd6486424b2319ff4ef7d526e38f63"),
        licence=_GOOGLE,
        origin="Google: https://github.com/tensorflow/models",
        paper="https://doi.org/10.1109/CVPR.2016.308",
    ),
    *_family(
        {"InceptionResNetV2": {}},
        image_size=(299, 299),
        minimum_size=(75, 75),
        scaling="-1-1",
        last_convolution="conv_7b_ac",
        stages=("block17_20_ac", "block35_10_ac", "mixed_5b"),
        pretrained=_file(
            f"{_STORE}inception_resnet_v2/", f"inception_resnet_v2{_NO_TOP}", "d19885ff4a710c122648d3b5c3b684e4"
        ),
        licence=_GOOGLE,
        origin="Google: https://github.com/tensorflow/models",
        paper="https://doi.org/10.1609/aaai.v31i1.11231",
    ),
    *_family(
        {"MobileNet": {}},
        scaling="-1-1",
        options=("alpha", "depth_multiplier"),
        last_convolution="conv_pw_13_relu",
        stages=("conv_dw_12", "conv_dw_6", "conv_dw_4", "conv_dw_2"),
        pretrained=_mobilenet,
        licence=_GOOGLE,
        origin="Google: https://github.com/tensorflow/models",
        paper="https://doi.org/10.48550/arXiv.1704.04861",
    ),
    *_family(
        {"MobileNetV2": {}},
        scaling="-1-1",
        options=("alpha",),
        last_convolution="out_relu",
        stages=("block_13_", "block_6_", "block_3_", "block_1_"),
        pretrained=_mobilenet_v2,
        licence=_GOOGLE,
        origin="Google: https://github.com/tensorflow/models",
        paper="https://doi.org/10.1109/CVPR.2018.00474",
    ),
    *_family(
        {
            "MobileNetV3Small": {
                "stages": ("expanded_conv_8_", "expanded_conv_3_", "expanded_conv_1_"),
                "pretrained": partial(_mobilenet_v3, "small"),
            },
            "MobileNetV3Large": {
                "stages": ("expanded_conv_12_", "expanded_conv_6_", "expanded_conv_3_", "expanded_conv_1_"),
                "pretrained": partial(_mobilenet_v3, "large"),
            },
        },
        options=("alpha", "minimalistic"),
        licence=_GOOGLE,
        origin="Google: https://github.com/tensorflow/models",
        paper="https://doi.org/10.1109/ICCV.2019.00140",
    ),
    *_family(
        {
            "NASNetMobile": {
                "stages": ("normal_concat_8", "normal_concat_3"),
                "pretrained": _file(
                    f"{_STORE}nasnet/",
                    "nasnet_mobile_no_top.h5",
                    "1ed92395b5b598bdda52abe5c0dbfd63",
                    published_as="NASNet-mobile-no-top.h5",
                ),
            },
            "NASNetLarge": {
                "image_size": (331, 331),
                "stages": ("normal_concat_12", "normal_concat_5"),
                "pretrained": _file(
                    f"{_STORE}nasnet/",
                    "nasnet_large_no_top.h5",
                    "d81d89dc07e6e56530c4e77faddd61b5",
                    published_as="NASNet-large-no-top.h5",
                ),
            },
        },
        scaling="-1-1",
        licence=_GOOGLE,
        origin="Google: https://github.com/tensorflow/models",
        paper="https://doi.org/10.1109/CVPR.2018.00907",
    ),
    *_family(
        {
            name: {
                "image_size": (size, size),
                "pretrained": _file(
                    "https://storage.googleapis.com/keras-applications/", f"{name.lower()}_notop.h5", digest
                ),
            }
            for name, (size, digest) in _EFFICIENTNET.items()
        },
        last_convolution="top_activation",
        stages=_EFFICIENTNET_STAGES,
        after_loading=restore_imagenet_scaling,
        licence="Apache-2.0",
        origin="Google: https://github.com/tensorflow/tpu",
        paper="https://doi.org/10.48550/arXiv.1905.11946",
    ),
    *_family(
        {
            name: {
                "image_size": (size, size),
                "stages": _EFFICIENTNET_STAGES[7 - blocks :],
                "pretrained": _file(
                    f"{_STORE}efficientnet_v2/",
                    f"efficientnetv2-{name.removeprefix('EfficientNetV2').lower()}_notop.h5",
                    digest,
                ),
            }
            for name, (size, digest, blocks) in _EFFICIENTNET_V2.items()
        },
        last_convolution="top_activation",
        licence="Apache-2.0",
        origin="Google: https://github.com/google/automl",
        paper="https://doi.org/10.48550/arXiv.2104.00298",
    ),
    *_family(
        {
            f"ConvNeXt{size}": {
                "stages": tuple(f"convnext_{size.lower()}_downsampling_block_{block}" for block in (2, 1, 0)),
                "pretrained": _file(f"{_STORE}convnext/", f"convnext_{size.lower()}_notop.h5", digest),
            }
            for size, digest in _CONVNEXT.items()
        },
        licence="MIT",
        origin="Meta: https://github.com/facebookresearch/ConvNeXt",
        paper="https://doi.org/10.1109/CVPR52688.2022.01167",
    ),
)
