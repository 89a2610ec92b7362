"""A stage of CVMH-UNet: the blocks of one resolution, in its encoder or in a decoder."""

from typing import Literal, Protocol

import torch
from torch import nn
from typing_extensions import override

from rsmamba.models.layers.cvss_block import CVSSBlock, LocalBranchConfig
from rsmamba.models.layers.ss2d import SS2D
from rsmamba.models.layers.vss_block import VSSBlock
from rsmamba.ops.scan_paths import ScanPaths


class StageConfig(Protocol):
    """What a stage reads of the configuration of its network."""

    @property
    def block(self) -> Literal["cvss", "vss"]:
        """Kind of block."""

    @property
    def stage_residual(self) -> bool:
        """Whether a stage of two or more blocks has a skip around it."""

    @property
    def paths(self) -> ScanPaths:
        """Scan paths of the mixer."""

    @property
    def d_state(self) -> int:
        """State size of the scan."""

    @property
    def ssm_ratio(self) -> float:
        """Inner channels of the mixer as a multiple of its channels."""

    @property
    def local(self) -> LocalBranchConfig:
        """Choices inside the block."""


class Stage(nn.Module):
    """Blocks of one resolution, with the paper's skip around two or more of them.

    Source: CVMH-UNet (arXiv 2410.05624 v1, figure 1).

    Args:
        config: Configuration of the network.
        dim: Channels of the stage.
        drop_rates: Drop rate of each block; their number is the number of blocks.
    """

    def __init__(self, config: StageConfig, *, dim: int, drop_rates: list[float]) -> None:
        super().__init__()
        self.residual = config.stage_residual and len(drop_rates) > 1
        self.blocks = nn.Sequential(*(_block(config, dim=dim, drop=rate) for rate in drop_rates))

    @override
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map (B, H, W, C) to the same shape."""
        out: torch.Tensor = self.blocks(features)
        return features + out if self.residual else out


def _block(config: StageConfig, *, dim: int, drop: float) -> nn.Module:
    mixer = SS2D(dim, d_state=config.d_state, ssm_ratio=config.ssm_ratio, paths=config.paths)
    block = VSSBlock(dim, mixer=mixer, drop_path=drop)
    return block if config.block == "vss" else CVSSBlock(block, dim=dim, config=config.local)
