"""One layer of PlainMamba, and the convolutions that make its tokens."""

from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from rsmamba.models.encoders.plainmamba.config import Config
from rsmamba.models.encoders.plainmamba.kept import KeptGrid
from rsmamba.models.encoders.plainmamba.mixer import PlainMamba2D, Scanned
from rsmamba.models.encoders.plainmamba.snake import SnakeGrid
from rsmamba.models.layers.drop_path import DropPath
from rsmamba.models.layers.rms_norm import RMSNorm

# Channels before the patches are cut, in every released size.
STEM_DIM = 64


class ConvPatchEmbed(nn.Module):
    """Stem of stride 2, convolutions at that resolution, and a strided projection of patches.

    Args:
        config: Size and choices of the network.
        in_channels: Bands of the image.
    """

    def __init__(self, config: Config, *, in_channels: int) -> None:
        super().__init__()
        self.stride = config.patch_size // 2
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, STEM_DIM, kernel_size=7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(STEM_DIM),
            nn.ReLU(),
        )
        self.convs = nn.Sequential()
        for _ in range(config.num_convs_patch_embed):
            self.convs.append(nn.Conv2d(STEM_DIM, STEM_DIM, kernel_size=3, padding=1, bias=False))
            self.convs.append(nn.BatchNorm2d(STEM_DIM))
            self.convs.append(nn.ReLU())
        self.projection = nn.Conv2d(
            STEM_DIM, config.embed_dims, kernel_size=self.stride, stride=self.stride
        )

    @override
    def forward(self, image: Tensor) -> Tensor:
        """Map an image (B, C, H, W) to patches (B, embed_dims, h, w), h = ceil(H / patch)."""
        features = self.convs(self.stem(image))
        height, width = features.shape[-2:]
        missing = (0, -width % self.stride, 0, -height % self.stride)
        return self.projection(functional.pad(features, missing))


class Block(nn.Module):
    """Pre-normalised mixer with a skip, in some layers followed by a convolution without one.

    Args:
        config: Size and choices of the network.
        with_dwconv: Whether a depth-wise convolution, batch norm and GELU end the block.
        drop_path: Drop rate of the mixer's branch.
    """

    def __init__(self, config: Config, *, with_dwconv: bool, drop_path: float) -> None:
        super().__init__()
        dim = config.embed_dims
        self.norm = RMSNorm(dim) if config.use_rms_norm else nn.LayerNorm(dim)
        self.mamba = PlainMamba2D(config)
        self.drop_path = DropPath(drop_path)
        self.dw: nn.Module | None = None
        if with_dwconv:
            conv = nn.Conv2d(dim, dim, kernel_size=3, padding=1, groups=dim, bias=False)
            self.dw = nn.Sequential(conv, nn.BatchNorm2d(dim), nn.GELU())

    @override
    def forward(self, tokens: Tensor, grid: SnakeGrid | KeptGrid) -> tuple[Tensor, Scanned]:
        """Run one layer.

        Args:
            tokens: Tokens (B, L, C) in raster order.
            grid: Their grid; that of the kept tokens where some were dropped.

        Returns:
            The tokens, and what the scans put out.
        """
        scanned = self.mamba.scan(self.norm(tokens), grid)
        mixed = tokens + self.drop_path(self.mamba.project(scanned))
        if self.dw is not None:
            features = self.dw(grid.to_map(mixed).permute(0, 3, 1, 2))
            mixed = grid.from_map(features.permute(0, 2, 3, 1))
        return mixed, scanned
