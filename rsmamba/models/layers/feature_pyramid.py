"""Maps of several resolutions from an encoder whose blocks all work at one.

Source: the dense backbone of ViM (arXiv 2401.09417, released segmentation code), which follows
BEiT. PlainMamba's released decoders use maps of one stride; the same pyramid serves them here.
Different from the released code: pooling keeps a last odd row or column, so that every map has
ceil(side / stride) rows and columns. Batch normalisation is the ordinary one, which training tools
can turn into the synchronised one.
"""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from rsmamba.errors import OptionError

# Factor of the resolution of each level, by the side of a patch.
_FACTORS = {16: (4.0, 2.0, 1.0, 0.5), 8: (2.0, 1.0, 0.5, 0.25)}


def pyramid_factors(*, patch: int, num_maps: int) -> tuple[float, ...]:
    """Return the factor by which each level changes the resolution of its map.

    Args:
        patch: Side of a patch in pixels.
        num_maps: Maps that come in, 1 to 4; a single one gives four levels.

    Returns:
        One factor a level, falling.

    Raises:
        OptionError: If there is no pyramid for such patches or for so many maps.

    Example:
        >>> pyramid_factors(patch=16, num_maps=4)
        (4.0, 2.0, 1.0, 0.5)
    """
    if patch not in _FACTORS or not 1 <= num_maps <= 4:
        message = f"a pyramid takes 1 to 4 maps of patches 8 or 16, got {num_maps} of {patch}"
        raise OptionError(message)
    return _FACTORS[patch][: 4 if num_maps == 1 else num_maps]


class FeaturePyramid(nn.Module):
    """Resize map i by factor i: transposed convolutions up, max pooling down.

    Args:
        dim: Channels of the maps.
        factors: Factor of each level, one of 4, 2, 1, 1/2, 1/4.
    """

    def __init__(self, dim: int, *, factors: Sequence[float]) -> None:
        super().__init__()
        self.levels = nn.ModuleList(_resize(dim, factor=factor) for factor in factors)

    @override
    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Resize one map (B, C, h, w) for each level; a single map gives all levels."""
        sources = list(maps) * len(self.levels) if len(maps) == 1 else maps
        return [level(source) for level, source in zip(self.levels, sources, strict=True)]


def _resize(dim: int, *, factor: float) -> nn.Module:
    """Make the layer that multiplies the sides of a map by a factor."""
    if factor < 1:
        return nn.MaxPool2d(kernel_size=round(1 / factor), ceil_mode=True)
    if factor == 1:
        return nn.Identity()
    double = nn.ConvTranspose2d(dim, dim, kernel_size=2, stride=2)
    if factor == 2:
        return nn.Sequential(double)
    again = nn.ConvTranspose2d(dim, dim, kernel_size=2, stride=2)
    return nn.Sequential(double, nn.BatchNorm2d(dim), nn.GELU(), again)


def fit_to_image(features: Tensor, *, image: Tensor, stride: int) -> Tensor:
    """Crop a map to ceil(side / stride), or repeat its last row and column up to it.

    A map gets too large where the image was padded up to a patch, and too small where patches
    overlap.

    Args:
        features: Map (B, C, h, w).
        image: Image (B, C', H, W) that it was computed from.
        stride: Image pixels per map pixel.

    Returns:
        Map (B, C, ceil(H / stride), ceil(W / stride)).
    """
    rows, cols = (-(-side // stride) for side in image.shape[-2:])
    features = features[..., :rows, :cols]
    missing = (0, cols - features.shape[-1], 0, rows - features.shape[-2])
    return functional.pad(features, missing, "replicate") if any(missing) else features
