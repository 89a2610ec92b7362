"""Tests of the root mean square norm."""

import torch

from rsmamba.models.layers.rms_norm import RMSNorm


def test_matches_its_formula() -> None:
    norm = RMSNorm(5, eps=0.1).double()
    torch.nn.init.normal_(norm.weight)
    features = torch.randn(2, 3, 5, dtype=torch.float64)
    expected = features / (features.square().mean(-1, keepdim=True) + 0.1).sqrt() * norm.weight
    torch.testing.assert_close(norm(features), expected)


def test_large_half_precision_values_do_not_overflow() -> None:
    """Their squares have no float16."""
    normalised = RMSNorm(4).half()(torch.full((1, 4), 3e4, dtype=torch.float16))
    torch.testing.assert_close(normalised, torch.ones(1, 4, dtype=torch.float16))
