"""A network together with everything that its pixels and classes mean.

``SceneModel`` is what predicts scenes: it takes raw pixel values and a valid mask, and returns
logits of the same size. It wraps any module that maps (B, C, H, W) to (B, K, H, W).
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from typing_extensions import override

from rsmamba.classes import ClassScheme
from rsmamba.errors import OptionError, ShapeError
from rsmamba.models.layers.padding import pad_to_multiple
from rsmamba.models.registry import Architecture


class SceneModel(nn.Module):
    """Wrap a network so that it takes pixels as they are in the file.

    Args:
        network: Module that maps (B, C, H, W) float32 to logits (B, K, H, W).
        classes: Class scheme, or one name a class.
        in_channels: Bands C that the network takes.
        mean: Mean of each band in pixel values; with ``std`` it normalises the input. None leaves
            pixel values unchanged.
        std: Standard deviation of each band in pixel values, positive.
        gsd_m: Ground sample distance in metres that the network was trained at; None is unknown,
            and no scene is then refused for its own.
        input_multiple: Number that both sides must be divisible by; the input is padded to it at
            the bottom and right, and the logits are cropped back.
        input_dtype: Data type of the training images, such as "uint8". Scenes of another type can
            then be stretched to its range. None takes any type as it is.
        band_names: Names of the bands in the order that the network takes them.
        name: Name shown in summaries and written to outputs.
        architecture: How to build the network again; needed to save the model.
        metadata: Anything else worth keeping in the model file: protocol, licence, accuracy.

    Raises:
        OptionError: If the arguments contradict each other.

    Example:
        >>> model = SceneModel(nn.Conv2d(3, 2, 1), classes=["land", "water"], in_channels=3)
        >>> model(torch.zeros(1, 3, 5, 7)).shape
        torch.Size([1, 2, 5, 7])
    """

    mean: torch.Tensor | None
    std: torch.Tensor | None

    def __init__(
        self,
        network: nn.Module,
        *,
        classes: ClassScheme | Sequence[str],
        in_channels: int,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        gsd_m: float | None = None,
        input_multiple: int = 1,
        input_dtype: str | None = None,
        band_names: Sequence[str] | None = None,
        name: str = "custom",
        architecture: Architecture | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        _check_bands(in_channels, mean=mean, std=std, band_names=band_names)
        if input_multiple < 1 or (gsd_m is not None and gsd_m <= 0):
            message = f"input_multiple {input_multiple} and gsd_m {gsd_m} must be positive"
            raise OptionError(message)
        self.network = network
        self.classes = ClassScheme.coerce(classes)
        self.in_channels = in_channels
        self.gsd_m = gsd_m
        self.input_multiple = input_multiple
        self.input_dtype = input_dtype
        self.band_names = tuple(band_names or ())
        self.name = name
        self.architecture = architecture
        self.metadata = dict(metadata or {})
        self.register_buffer("mean", _per_band(mean), persistent=False)
        self.register_buffer("std", _per_band(std), persistent=False)

    @property
    def num_classes(self) -> int:
        """Number of classes K."""
        return self.classes.num_classes

    @override
    def forward(self, pixels: torch.Tensor, valid: torch.Tensor | None = None) -> torch.Tensor:
        """Score every pixel.

        Args:
            pixels: Pixel values as in the file, (B, C, H, W), float32.
            valid: True where a pixel may be used, (B, H, W); None means everywhere. Other pixels
                reach the network as 0, which is the mean where the input is normalised.

        Returns:
            Logits (B, K, H, W) in float32.

        Raises:
            ShapeError: If the bands do not fit, or the network returns another shape.
        """
        if pixels.ndim != 4 or pixels.shape[1] != self.in_channels:
            message = (
                f"pixels have shape {tuple(pixels.shape)}; model {self.name!r} takes "
                f"(batch, {self.in_channels}, height, width)"
            )
            raise ShapeError(message)
        height, width = pixels.shape[-2:]
        if self.mean is not None and self.std is not None:
            pixels = (pixels - self.mean) / self.std
        if valid is not None:
            pixels = pixels.masked_fill(~valid[:, None], 0.0)
        logits = self.network(pad_to_multiple(pixels, self.input_multiple))
        expected = (pixels.shape[0], self.num_classes)
        if logits.ndim != 4 or logits.shape[:2] != expected or logits.shape[-2] < height:
            message = (
                f"the network of model {self.name!r} returned {tuple(logits.shape)} for an input "
                f"of {tuple(pixels.shape)}; it must return "
                f"(batch, {self.num_classes}, height, width)"
            )
            raise ShapeError(message)
        return logits[..., :height, :width].float()

    def header(self) -> dict[str, Any]:
        """Return everything but the weights as plain values, as the model file stores it.

        Returns:
            A dictionary that JSON can hold.
        """
        architecture = self.architecture
        return {
            "name": self.name,
            "architecture": None
            if architecture is None
            else {"name": architecture.name, "options": dict(architecture.options)},
            "classes": self.classes.to_dict(),
            "in_channels": self.in_channels,
            "band_names": list(self.band_names),
            "mean": None if self.mean is None else self.mean.flatten().tolist(),
            "std": None if self.std is None else self.std.flatten().tolist(),
            "gsd_m": self.gsd_m,
            "input_multiple": self.input_multiple,
            "input_dtype": self.input_dtype,
            "metadata": self.metadata,
        }

    def fingerprint(self) -> str:
        """Return the SHA-256 of the header and the weights, as hexadecimal digits.

        Returns:
            The digest; equal models on any machine have equal digests.
        """
        digest = hashlib.sha256(json.dumps(self.header(), sort_keys=True).encode())
        for name, tensor in sorted(self.network.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
        return digest.hexdigest()


def _check_bands(
    in_channels: int,
    *,
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
    band_names: Sequence[str] | None,
) -> None:
    if in_channels < 1:
        message = f"in_channels is {in_channels}; give 1 or more"
        raise OptionError(message)
    if (mean is None) != (std is None):
        message = "mean and std normalise the input together; give both or neither"
        raise OptionError(message)
    for label, values in (("mean", mean), ("std", std), ("band_names", band_names)):
        if values and len(values) != in_channels:
            message = f"{label} has {len(values)} values for {in_channels} bands; give one a band"
            raise OptionError(message)
    if std is not None and min(std) <= 0:
        message = f"std is {list(std)}; every value must be positive"
        raise OptionError(message)


def _per_band(values: Sequence[float] | None) -> torch.Tensor | None:
    return None if values is None else torch.tensor(values, dtype=torch.float32).view(1, -1, 1, 1)
