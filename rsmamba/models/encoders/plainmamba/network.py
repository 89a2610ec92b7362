"""The two forms of PlainMamba: feature maps, and classes of a whole image.

Source: PlainMamba (arXiv 2403.17695) and released code (commit 0975a1d), whose segmentation
backbone is the dense form with ``pyramid=False``.
"""

from torch import Tensor, nn
from typing_extensions import override

from rsmamba.models.encoders.base import Encoder
from rsmamba.models.encoders.plainmamba.backbone import FINAL_NORM_EPS, Backbone
from rsmamba.models.encoders.plainmamba.config import Config
from rsmamba.models.layers.feature_pyramid import FeaturePyramid, fit_to_image, pyramid_factors


class PlainMambaEncoder(Encoder):
    """Maps after chosen blocks, each with a norm of its own, and a pyramid over them.

    Args:
        config: Size and choices of the network.
        in_channels: Bands of the image.
    """

    def __init__(self, config: Config, *, in_channels: int) -> None:
        super().__init__()
        config.check_dense()
        self.out_indices = tuple(config.out_indices)
        self.backbone = Backbone(config, in_channels=in_channels)
        last = config.num_layers - 1
        # The last block's map has the final norm, which is part of the stream.
        self.out_norms = nn.ModuleDict(
            {
                str(index): nn.LayerNorm(config.embed_dims, eps=FINAL_NORM_EPS)
                for index in self.out_indices
                if index != last
            }
        )
        factors = (1.0,) * len(self.out_indices)
        self.pyramid: FeaturePyramid | None = None
        if config.pyramid:
            factors = pyramid_factors(patch=config.patch_size, num_maps=len(factors))
            self.pyramid = FeaturePyramid(config.embed_dims, factors=factors)
        self.strides = tuple(round(config.patch_size / factor) for factor in factors)
        self.out_channels = (config.embed_dims,) * len(factors)

    @override
    def forward(self, image: Tensor) -> list[Tensor]:
        """Compute the feature maps.

        Args:
            image: Normalised image (B, C, H, W), any H and W.

        Returns:
            One map (B, out_channels[i], ceil(H / strides[i]), ceil(W / strides[i])) for each i.
        """
        tokens, grid = self.backbone.embed(image)
        _, wanted = self.backbone.run(tokens, grid, keep=self.out_indices)
        last = len(self.backbone.layers) - 1
        maps = []
        for index in self.out_indices:
            norm = self.backbone.ln1 if index == last else self.out_norms[str(index)]
            maps.append(grid.to_map(norm(wanted[index])).permute(0, 3, 1, 2))  # (B, C, h, w)
        levels = maps if self.pyramid is None else self.pyramid(maps)
        return [
            fit_to_image(level, image=image, stride=stride)
            for level, stride in zip(levels, self.strides, strict=True)
        ]


class PlainMambaClassifier(nn.Module):
    """Classes of an image from the mean of its tokens, those that are left at the end.

    Args:
        config: Size and choices of the network.
        in_channels: Bands of the image.
        num_classes: Channels of the logits.
    """

    def __init__(self, config: Config, *, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.backbone = Backbone(config, in_channels=in_channels)
        self.head = nn.Linear(config.embed_dims, num_classes)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)

    @override
    def forward(self, image: Tensor) -> Tensor:
        """Score an image (B, C, H, W), any H and W; logits (B, num_classes)."""
        tokens, grid = self.backbone.embed(image)
        tokens, _ = self.backbone.run(tokens, grid)
        return self.head(self.backbone.ln1(tokens).mean(dim=1))


def make_encoder(config: Config, *, in_channels: int) -> PlainMambaEncoder:
    """Make the dense form.

    Args:
        config: Size and choices of the network.
        in_channels: Bands of the image.

    Returns:
        The encoder.
    """
    return PlainMambaEncoder(config, in_channels=in_channels)


def make_classifier(config: Config, *, in_channels: int, num_classes: int) -> PlainMambaClassifier:
    """Make the form that the released ImageNet weights are for.

    Args:
        config: Size and choices of the network.
        in_channels: Bands of the image.
        num_classes: Channels of the logits.

    Returns:
        The classifier.
    """
    return PlainMambaClassifier(config, in_channels=in_channels, num_classes=num_classes)
