"""The residual block around the state-space mixer, as VMamba's first release has it."""

import torch
from torch import nn
from typing_extensions import override

from rsmamba.models.layers.drop_path import DropPath
from rsmamba.models.layers.ss2d import SS2D
from rsmamba.ops.scan_paths import ScanPaths


class VSSBlock(nn.Module):
    """Pre-normalised residual mixer: x + SS2D(LayerNorm(x)).

    Source: VMamba v0 and VM-UNet (Ruan and Xiang 2024, section 3.2).

    Args:
        dim: Channels of the map.
        d_state: State size of the scan.
        ssm_ratio: Inner channels as a multiple of ``dim``.
        paths: The set of scan paths.
        drop_path: Probability that the branch is dropped while training.
    """

    def __init__(
        self,
        dim: int,
        *,
        d_state: int = 16,
        ssm_ratio: float = 2.0,
        paths: ScanPaths = "cross",
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.op = SS2D(dim, d_state=d_state, ssm_ratio=ssm_ratio, paths=paths)
        self.drop_path = DropPath(drop_path)

    @override
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map (B, H, W, C) to the same shape."""
        return features + self.drop_path(self.op(self.norm(features)))
