"""Small versions of every encoder, so that the contracts of the zoo run in seconds."""

from typing import Any

import pytest

SMALL_ENCODERS: dict[str, tuple[str, dict[str, Any]]] = {
    "vmamba v0": ("vmamba_tiny_v0", {"dims": (8, 16, 32, 64), "depths": (1, 1, 1, 1)}),
    "vmamba v2": ("vmamba_tiny_s1l8", {"dims": (8, 16, 32, 64), "depths": (1, 1, 1, 1)}),
    "vssd": (
        "vssd_tiny",
        {"embed_dim": 16, "depths": (1, 1, 1, 1), "num_heads": (1, 2, 2, 4), "d_state": 8},
    ),
    "vssd iccv": (
        "vssd_iccv_tiny",
        {"embed_dim": 16, "depths": (1, 1, 1, 1), "num_heads": (1, 2, 2, 4), "d_state": 8},
    ),
    "groupmamba": (
        "groupmamba_tiny",
        {"stem_hidden_dim": 8, "embed_dims": (16, 32, 48, 64), "depths": (1, 1, 1, 1)},
    ),
    "plainmamba": (
        "plainmamba_l1",
        {"embed_dims": 32, "num_layers": 4, "out_indices": (0, 1, 2, 3), "d_state": 4},
    ),
    "vim": (
        "vim_tiny",
        {"embed_dim": 32, "depth": 4, "out_indices": (0, 1, 2, 3), "d_state": 4},
    ),
    "vim2": (
        "vim2_tiny",
        {"embed_dim": 16, "token_depths": (1, 1, 1, 1), "channel_depths": (1, 1, 1, 1)},
    ),
}


@pytest.fixture(params=list(SMALL_ENCODERS))
def small_encoder(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Give the name and the options of a small encoder."""
    return SMALL_ENCODERS[request.param]


@pytest.fixture
def small_encoders() -> dict[str, tuple[str, dict[str, Any]]]:
    """Give all small encoders."""
    return SMALL_ENCODERS
