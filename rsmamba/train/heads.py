"""Heads on the encoder that are trained along with the network and are in no model file.

B, C_i, H_i, W_i are batch and shape of map i of the encoder, from fine to coarse.
"""

from functools import partial

import torch
from torch import Tensor, nn
from typing_extensions import override

from rsmamba.errors import OptionError
from rsmamba.models.cvmh_unet import CVMHUNet
from rsmamba.models.decoders.convolution import ConvNormReLU
from rsmamba.models.decoders.enlarging import enlarge
from rsmamba.models.segmenter import Segmenter

# As in the auxiliary head that mmsegmentation's configurations of UPerNet have.
_CHANNELS = 256
_DROPOUT = 0.1


class EncoderTap:
    """Remember the maps of an encoder while it learns.

    Args:
        network: A network of encoder and decoder, or a CVMH-UNet.
        option: Option that needs the maps, for the error.

    Attributes:
        channels: Channels of each map.
        strides: Image pixels per pixel of each map.

    Raises:
        OptionError: If the network is of another kind.
    """

    def __init__(self, network: nn.Module, *, option: str) -> None:
        self.maps: list[Tensor] = []
        if isinstance(network, Segmenter):
            self.channels, self.strides = network.encoder.out_channels, network.encoder.strides
            network.encoder.register_forward_hook(self._take_all)
        elif isinstance(network, CVMHUNet):
            levels = range(len(network.encoder))
            dim = network.patch_embed.proj.out_channels
            self.channels = tuple(dim * 2**level for level in levels)
            self.strides = tuple(4 * 2**level for level in levels)
            for level, stage in enumerate(network.encoder):
                stage.register_forward_hook(partial(self._take_one, level))
        else:
            msg = (
                f"{option} needs the maps of an encoder, and this network is neither one of "
                "encoder and decoder nor a CVMH-UNet; leave the option out"
            )
            raise OptionError(msg)

    def _take_all(self, _module: nn.Module, _inputs: object, maps: list[Tensor]) -> None:
        # Validation computes no gradients, and its maps are not held.
        if torch.is_grad_enabled():
            self.maps = list(maps)

    def _take_one(self, level: int, _module: nn.Module, _inputs: object, output: Tensor) -> None:
        if torch.is_grad_enabled():
            self.maps[level:] = [output.permute(0, 3, 1, 2)]  # (B, C_i, H_i, W_i)


class AuxiliaryHead(nn.Module):
    """Score every pixel by the last map but one of the encoder, for deep supervision.

    Source: the fully convolutional auxiliary head of PSPNet (Zhao et al. 2017, section 3.3), as
    UPerNet is usually trained with it: 3x3 convolution to 256 channels, batch norm, ReLU, dropout
    0.1, projection.

    Args:
        tap: Encoder whose maps are scored.
        num_classes: Channels K of the logits.
    """

    def __init__(self, tap: EncoderTap, *, num_classes: int) -> None:
        super().__init__()
        self._tap = tap
        self._level = max(0, len(tap.channels) - 2)
        self.layers = nn.Sequential(
            ConvNormReLU(tap.channels[self._level], _CHANNELS, kernel=3),
            nn.Dropout2d(_DROPOUT),
            nn.Conv2d(_CHANNELS, num_classes, kernel_size=1),
        )

    @override
    def forward(self, height: int, width: int) -> Tensor:
        """Score the pixels of the batch that the encoder has just seen.

        Args:
            height: Rows H of the images.
            width: Columns W of the images.

        Returns:
            Logits (B, K, H, W).
        """
        logits = self.layers(self._tap.maps[self._level])
        stride = self._tap.strides[self._level]
        # The encoder has seen padded images; their padding is at the bottom and right.
        rows, cols = (side * stride for side in logits.shape[-2:])
        return enlarge(logits, factor=stride, size=(rows, cols))[..., :height, :width]


class ImageHead(nn.Module):
    """Classify whole images by the mean of the encoder's last map.

    Args:
        tap: Encoder whose map is used.
        num_classes: Channels K of the logits.
    """

    def __init__(self, tap: EncoderTap, *, num_classes: int) -> None:
        super().__init__()
        self._tap = tap
        channels = tap.channels[-1]
        self.layers = nn.Sequential(nn.LayerNorm(channels), nn.Linear(channels, num_classes))

    @override
    def forward(self) -> Tensor:
        """Classify the batch that the encoder has just seen: logits (B, K)."""
        logits: Tensor = self.layers(self._tap.maps[-1].mean(dim=(2, 3)))
        return logits
