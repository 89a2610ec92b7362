"""The released sizes of VMamba.

Source: README and configuration files of MzeroMiko/VMamba at 2ed52ea; parameters at 1000 classes,
multiply-adds at 224 x 224, top-1 accuracy on ImageNet-1k as the README states it.
"""

from collections.abc import Mapping
from typing import Any

from rsmamba.models.encoders.base import Variant

_BASE_DIMS = (128, 256, 512, 1024)
# The first release: gate, 16 states, no feed-forward part, Swin's steps in resolution.
_V0: Mapping[str, Any] = {
    "d_state": 16,
    "ssm_ratio": 2.0,
    "ssm_conv_bias": True,
    "forward_type": "v0",
    "mlp_ratio": 0.0,
    "norm_layer": "ln",
    "downsample_version": "v1",
    "patchembed_version": "v1",
}
_S2: Mapping[str, Any] = {"ssm_ratio": 2.0}


def _variant(summary: str, **options: Any) -> Variant:  # noqa: ANN401 - options of the family
    return Variant(
        summary=summary, paper="arXiv 2401.10166", weights_licence="MIT", options=options
    )


VARIANTS: Mapping[str, Variant] = {
    "vmamba_tiny_v0": _variant(
        "VMamba-T, first release of January 2024: 22.9 M, 5.6 G, 82.2 %",
        **_V0,
        depths=(2, 2, 9, 2),
    ),
    "vmamba_small_v0": _variant(
        "VMamba-S, first release of January 2024: 44.4 M, 11.2 G, 83.5 %",
        **_V0,
        depths=(2, 2, 27, 2),
        drop_path=0.3,
    ),
    "vmamba_base_v0": _variant(
        "VMamba-B, first release of January 2024: 76.3 M, 18.0 G, 83.7 %",
        **_V0,
        dims=_BASE_DIMS,
        depths=(2, 2, 27, 2),
        drop_path=0.6,
    ),
    "vmamba_tiny_s2l5": _variant(
        "VMamba-T with twice the inner channels: 30.7 M, 4.9 G, 82.5 %",
        **_S2,
        depths=(2, 2, 5, 2),
    ),
    "vmamba_small_s2l15": _variant(
        "VMamba-S with twice the inner channels: 50.1 M, 8.7 G, 83.6 %",
        **_S2,
        depths=(2, 2, 15, 2),
        drop_path=0.3,
    ),
    "vmamba_base_s2l15": _variant(
        "VMamba-B with twice the inner channels: 88.6 M, 15.4 G, 83.9 %",
        **_S2,
        dims=_BASE_DIMS,
        depths=(2, 2, 15, 2),
        drop_path=0.6,
    ),
    "vmamba_tiny_s1l8": _variant("VMamba-T: 30.2 M, 4.9 G, 82.6 %"),
    "vmamba_small_s1l20": _variant(
        "VMamba-S: 49.0 M, 8.6 G, 83.3 %", depths=(2, 2, 20, 2), drop_path=0.3
    ),
    "vmamba_base_s1l20": _variant(
        "VMamba-B: 86.6 M, 15.2 G, 83.8 %",
        dims=_BASE_DIMS,
        depths=(2, 2, 20, 2),
        drop_path=0.5,
    ),
}
