"""The encoders in timm: importing this module registers each as "rsmamba_<name>".

    import timm
    import rsmamba.models.timm

    timm.create_model("rsmamba_vssd_tiny", features_only=True)

Libraries that take timm's encoders then take these: segmentation-models-pytorch as
"tu-rsmamba_vssd_tiny", and torchgeo's tasks through it.
"""

from collections.abc import Callable, Sequence
from typing import Any

from timm.models import FeatureInfo, register_model
from torch import Tensor, nn
from typing_extensions import override

from rsmamba.errors import OptionError
from rsmamba.models.encoders.base import Encoder
from rsmamba.models.zoo import create_classifier, create_encoder, list_encoders

PREFIX = "rsmamba_"
# What timm hands to every model and has no meaning here.
_TIMM_ONLY = ("pretrained_cfg", "pretrained_cfg_overlay", "cache_dir", "output_stride")


class TimmEncoder(nn.Module):
    """An encoder as timm's ``features_only`` models are.

    Args:
        encoder: The encoder.
        out_indices: Which of its maps are returned; negative numbers count from the last.

    Raises:
        OptionError: If there is no such map.
    """

    def __init__(self, encoder: Encoder, out_indices: Sequence[int] | None = None) -> None:
        super().__init__()
        count = len(encoder.out_channels)
        indices = tuple(range(count)) if out_indices is None else tuple(out_indices)
        if any(not -count <= index < count for index in indices):
            message = f"out_indices {indices} name a map that is not there; the encoder has {count}"
            raise OptionError(message)
        self.out_indices = tuple(index % count for index in indices)
        self.encoder = encoder
        maps = zip(encoder.out_channels, encoder.strides, strict=True)
        self.feature_info = FeatureInfo(
            [
                {"num_chs": channels, "reduction": stride, "module": f"encoder.{index}"}
                for index, (channels, stride) in enumerate(maps)
            ],
            self.out_indices,
        )

    @override
    def forward(self, image: Tensor) -> list[Tensor]:
        """Map an image (B, C, H, W) to the chosen maps (B, C_i, H_i, W_i)."""
        maps = self.encoder(image)
        return [maps[index] for index in self.out_indices]


def _entry_point(name: str) -> Callable[..., nn.Module]:
    def create(
        *,
        pretrained: bool = False,
        features_only: bool = False,
        out_indices: Sequence[int] | None = None,
        in_chans: int = 3,
        num_classes: int = 1000,
        **options: Any,  # noqa: ANN401 - options of any network
    ) -> nn.Module:
        """Build an encoder or a classifier, as timm asks for it."""
        if pretrained:
            message = (
                f"{PREFIX}{name} downloads no weights; give pretrained=False and "
                "weights=PATH of an official checkpoint"
            )
            raise OptionError(message)
        options = {key: value for key, value in options.items() if key not in _TIMM_ONLY}
        if features_only:
            return TimmEncoder(create_encoder(name, in_channels=in_chans, **options), out_indices)
        return create_classifier(name, num_classes=num_classes, in_channels=in_chans, **options)

    create.__name__ = create.__qualname__ = f"{PREFIX}{name}"
    create.__module__ = __name__
    return create


def _register() -> None:
    for name in list_encoders():
        register_model(_entry_point(name))


_register()
