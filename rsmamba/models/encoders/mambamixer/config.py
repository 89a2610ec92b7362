"""Configuration and published sizes of ViM2.

Parameters in millions of the classifier, published and here: tiny 20 and 19.8, small 43 and 42.8,
base 74 and 74.0. Two of the choices below come from these counts. Tiny has 4 token and 2 channel
mixers in its third stage, although the paper's table says 6 and 3, which would be 23.1. And the
last stage's channel mixers are half as wide as its maps, although the table says as wide, which
would be 20.7, 43.7 and 75.6.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from rsmamba.errors import OptionError
from rsmamba.models.encoders.base import Variant
from rsmamba.models.layers.activation import Activation
from rsmamba.models.layers.ss2d import Gate

PATCH = 4
Order = Literal["tokens_first", "channels_first", "separate"]
Averaging = Literal["identity", "ones", "softmax", "none"]
Features = Literal["scalar", "groups", "tokens"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenConfig:
    """Choices inside a token mixer.

    Attributes:
        d_state: State size N.
        ssm_ratio: Inner channels as a multiple of the map's.
        dt_rank: Rank of the step-size projection; None means ceil(channels / 16).
        gate: Whether the scan's result is multiplied by a second projection of the input, and
            whether that goes through the activation.
        activation: Nonlinearity behind the convolution and in the gate.
        out_norm: LayerNorm behind the scan, as VMamba has it; the paper's equations have none.
    """

    d_state: int = 16
    ssm_ratio: float = 2.0
    dt_rank: int | None = None
    gate: Gate = "activated"
    activation: Activation = "silu"
    out_norm: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelConfig:
    """Choices inside a channel mixer.

    Attributes:
        ratios: Width w of each stage's channel mixers as a multiple of its channels.
        features: What one step of the scan is. "scalar": every pixel is a sequence of w numbers.
            "groups": every pixel is a sequence of w / group_size vectors of neighbouring channels.
            "tokens": the map is one sequence of w vectors of all its pixels, literally the paper's
            transpose, for images of one size only.
        group_size: Channels of a step for "groups".
        d_state: State size N.
        kernel: Taps of the causal convolution along the channels.
        bidirectional: Scan backwards too and add the results.
        gate: Whether the scan's result is multiplied by a second projection of the input, and
            whether that goes through the activation.
        activation: Nonlinearity behind the convolution and in the gate.
    """

    ratios: tuple[float, ...] = (2.0, 2.0, 2.0, 0.5)
    features: Features = "scalar"
    group_size: int = 16
    d_state: int = 16
    kernel: int = 4
    bidirectional: bool = True
    gate: Gate = "activated"
    activation: Activation = "silu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Size and choices of ViM2; the defaults are those of the tiny size.

    Attributes:
        embed_dim: Channels of the first stage; each further stage has twice as many.
        token_depths: Token mixers of each stage.
        channel_depths: Channel mixers of each stage; they divide the token mixers evenly, or are 0.
        order: "tokens_first" follows each group of token mixers by a channel mixer,
            "channels_first" puts it before, "separate" puts all channel mixers last.
        inner_residual: Whether a mixer adds its input to its result.
        averaging: How a mixer's input is made of the stage's input and all earlier results.
            Learned weights start with 1 for the latest and 0 for the others ("identity"), or with
            1 for all ("ones"), or are positive and sum to 1, all alike at first ("softmax");
            "none" takes the latest, without weights.
        drop_path: Drop rate of the last mixer; the rates rise linearly from 0.
        image_size: Height and width of the images, needed by channel features "tokens" only.
        token: Choices inside a token mixer.
        channel: Choices inside a channel mixer.
    """

    embed_dim: int = 96
    token_depths: tuple[int, ...] = (2, 2, 4, 2)
    channel_depths: tuple[int, ...] = (1, 1, 2, 1)
    order: Order = "tokens_first"
    inner_residual: bool = True
    averaging: Averaging = "identity"
    drop_path: float = 0.2
    image_size: tuple[int, ...] | None = None
    token: TokenConfig = field(default_factory=TokenConfig)
    channel: ChannelConfig = field(default_factory=ChannelConfig)

    def __post_init__(self) -> None:
        """Check the fields against each other.

        Raises:
            OptionError: If a value, or a combination of values, is not allowed.
        """
        # Widths can only be made once there is one ratio for each stage.
        problem = (
            self._depth_problem()
            or self._width_problem()
            or self._residual_problem()
            or self._image_problem()
        )
        if problem:
            raise OptionError(problem)

    @property
    def dims(self) -> tuple[int, ...]:
        """Channels of each stage."""
        return tuple(self.embed_dim * 2**stage for stage in range(len(self.token_depths)))

    @property
    def widths(self) -> tuple[int, ...]:
        """Width of the channel mixers of each stage."""
        pairs = zip(self.channel.ratios, self.dims, strict=True)
        return tuple(int(ratio * dim) for ratio, dim in pairs)

    def sides(self, *, height: int, width: int) -> list[tuple[int, int]]:
        """Return the height and width of each stage's map for an image."""
        strides = [PATCH * 2**stage for stage in range(len(self.dims))]
        return [(-(-height // stride), -(-width // stride)) for stride in strides]

    def _depth_problem(self) -> str | None:
        pairs = list(zip(self.token_depths, self.channel_depths, strict=False))
        stages = {len(self.token_depths), len(self.channel_depths), len(self.channel.ratios)}
        given = f"token_depths {self.token_depths}, channel_depths {self.channel_depths}"
        if len(stages) != 1 or not pairs:
            return f"{given}, channel ratios {self.channel.ratios}: give one number for each stage"
        if any(tokens < 1 or channels < 0 for tokens, channels in pairs):
            return f"{given}: give at least one token mixer and no negative number for each stage"
        if any(channels and tokens % channels for tokens, channels in pairs):
            return f"{given}: a stage's channel mixers must divide its token mixers evenly"
        return None

    def _width_problem(self) -> str | None:
        channel = self.channel
        sizes = (self.embed_dim, *self.widths, channel.group_size, channel.d_state, channel.kernel)
        if min(sizes) < 1:
            return (
                f"embed_dim {self.embed_dim}, channel widths {self.widths}, group_size "
                f"{channel.group_size}, d_state {channel.d_state}, kernel {channel.kernel}: give "
                "1 or more"
            )
        if channel.features == "groups" and any(w % channel.group_size for w in self.widths):
            return f"channel widths {self.widths} must be multiples of group_size {sizes[-3]}"
        return None

    def _residual_problem(self) -> str | None:
        if self.averaging == "none" and not self.inner_residual:
            return 'averaging "none" needs inner_residual true, else nothing bypasses a mixer'
        return None

    def _image_problem(self) -> str | None:
        size = self.image_size
        if (self.channel.features == "tokens") != (size is not None):
            return (
                f'channel features "{self.channel.features}" and image_size {size} do not go '
                'together: give a height and a width for "tokens", None for the others'
            )
        if size is not None and (len(size) != 2 or min(size) < 1):
            return f"image_size is {size}; give a height and a width of at least 1"
        return None


def _variant(summary: str, options: Mapping[str, Any]) -> Variant:
    return Variant(
        summary=summary,
        paper="MambaMixer (arXiv 2403.19888), reconstructed: no code was released",
        weights_licence="none released",
        options=options,
    )


VARIANTS: Mapping[str, Variant] = {
    "vim2_tiny": _variant("Selective token and channel mixers, 20 M parameters", {}),
    "vim2_small": _variant(
        "Selective token and channel mixers, 43 M parameters",
        {"token_depths": (2, 2, 18, 2), "channel_depths": (1, 1, 9, 1), "drop_path": 0.3},
    ),
    "vim2_base": _variant(
        "Selective token and channel mixers, 74 M parameters",
        {
            "embed_dim": 128,
            "token_depths": (2, 2, 18, 2),
            "channel_depths": (1, 1, 9, 1),
            "drop_path": 0.5,
        },
    ),
}
"""Published sizes by name."""
