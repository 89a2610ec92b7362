"""The published sizes of GroupMamba."""

from collections.abc import Mapping
from typing import Any

from rsmamba.models.encoders.base import Variant


def _variant(summary: str, options: Mapping[str, Any]) -> Variant:
    return Variant(
        summary=summary,
        paper="GroupMamba (arXiv 2407.13772)",
        weights_licence="MIT",
        options=options,
    )


VARIANTS: Mapping[str, Variant] = {
    "groupmamba_tiny": _variant("Grouped scans and channel affinity, 23 M parameters", {}),
    "groupmamba_small": _variant(
        "Grouped scans and channel affinity, 35 M parameters",
        {
            "stem_hidden_dim": 64,
            "embed_dims": (64, 128, 348, 512),
            "depths": (3, 4, 16, 3),
        },
    ),
    "groupmamba_base": _variant(
        "Grouped scans and channel affinity, 57 M parameters",
        {
            "stem_hidden_dim": 64,
            "embed_dims": (96, 192, 424, 512),
            "depths": (3, 6, 21, 3),
        },
    ),
}
"""Sizes with released weights, by name."""
