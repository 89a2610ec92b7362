"""Size and choices of a VMamba network."""

from dataclasses import dataclass
from typing import Literal

from rsmamba.errors import OptionError
from rsmamba.models.encoders.vmamba.forward_type import Mixer, read_forward_type
from rsmamba.models.layers.activation import Activation
from rsmamba.models.layers.ss2d import SS2DForm
from rsmamba.models.pruning.config import FeedForwardPruning


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Size and choices of the network; the defaults are VMamba-T s1l8.

    The names are those of the official constructor; it says ssm_d_state, ssm_dt_rank and
    drop_path_rate where we say d_state, dt_rank and drop_path.

    Attributes:
        patch_size: Image pixels a side of a patch.
        dims: Channels of each stage.
        depths: Blocks of each stage.
        d_state: State size of the scan.
        dt_rank: Rank of the step-size projection; "auto" is a sixteenth of the channels.
        ssm_ratio: Inner channels of the mixer as a multiple of its channels; 0 leaves it out.
        ssm_act_layer: Nonlinearity of the mixer.
        ssm_conv: Side of the mixer's depth-wise convolution, odd; 0 or 1 leaves it out.
        ssm_conv_bias: Whether that convolution has a bias.
        forward_type: Form of the mixer: a base ("v0" is the first release, which always has a
            gate, SiLU and a 3x3 convolution with bias; "v05" and its kin follow the options) and
            marks ("_noz" has no gate).
        mlp_ratio: Hidden channels of the feed-forward part as a multiple; 0 leaves it out.
        mlp_act_layer: Nonlinearity of the feed-forward part.
        gmlp: Give the feed-forward part a gate.
        drop_path: Drop rate of the last block; rates rise linearly from 0.
        patch_norm: Whether the patch embedding has norms.
        norm_layer: LayerNorm ("ln", and "ln2d", which is the same on channels-first maps) or
            BatchNorm.
        downsample_version: "v1" merges 2x2 pixels as Swin does, "v2" is a 2x2 convolution, "v3" a
            3x3 convolution of stride 2.
        patchembed_version: "v1" is one convolution, "v2" two overlapping ones.
        posembed: Add a learned position embedding to the patches; it is resized to other grids.
            The dense form has none, as in the official code.
        imgsize: Side of the image that the position embedding is for.
        out_indices: Stages whose maps the encoder gives out, in rising order; none given means all.
        pruning: Which tokens the feed-forward parts see; None for all.
    """

    patch_size: int = 4
    dims: tuple[int, ...] = (96, 192, 384, 768)
    depths: tuple[int, ...] = (2, 2, 8, 2)
    d_state: int = 1
    dt_rank: int | Literal["auto"] = "auto"
    ssm_ratio: float = 1.0
    ssm_act_layer: Activation = "silu"
    ssm_conv: int = 3
    ssm_conv_bias: bool = False
    forward_type: str = "v05_noz"
    mlp_ratio: float = 4.0
    mlp_act_layer: Activation = "gelu"
    gmlp: bool = False
    drop_path: float = 0.2
    patch_norm: bool = True
    norm_layer: Literal["ln", "ln2d", "bn"] = "ln2d"
    downsample_version: Literal["v1", "v2", "v3"] = "v3"
    patchembed_version: Literal["v1", "v2"] = "v2"
    posembed: bool = False
    imgsize: int = 224
    out_indices: tuple[int, ...] = ()
    pruning: FeedForwardPruning | None = None

    def __post_init__(self) -> None:
        """Check the fields against each other.

        Raises:
            OptionError: If the stages do not agree, a size is too small or a word is unknown.
        """
        problem = self._problem()
        if problem:
            raise OptionError(problem)
        if self.pruning is not None and not self.ssm_ratio * self.mlp_ratio:
            message = (
                f"pruning with ssm_ratio {self.ssm_ratio} and mlp_ratio {self.mlp_ratio}: a block "
                "leaves tokens out of its feed-forward part, and needs a mixer that chooses them"
            )
            raise OptionError(message)
        read_forward_type(self.forward_type, self._form)

    def _problem(self) -> str | None:
        """Say what does not fit, or return None."""
        if not len(self.dims) == len(self.depths) >= 1 or min(*self.dims, *self.depths) < 1:
            return (
                f"dims {self.dims} and depths {self.depths} must have one number of at least 1 "
                "for each stage"
            )
        stages = range(len(self.dims))
        if list(self.out_indices) != sorted(set(self.out_indices) & set(stages)):
            return (
                f"out_indices is {self.out_indices}; give rising numbers of stages, from 0 to "
                f"{stages[-1]}"
            )
        if min(self.ssm_ratio, self.mlp_ratio) < 0 or not self.ssm_ratio + self.mlp_ratio:
            return (
                f"ssm_ratio {self.ssm_ratio} and mlp_ratio {self.mlp_ratio} must be 0 or more, "
                "and not both 0"
            )
        if self.patch_size < 1 or (self.patchembed_version == "v2" and self.patch_size % 2):
            return (
                f"patch_size is {self.patch_size}; give 1 or more, and an even number for "
                'patchembed_version "v2", which takes it in two steps'
            )
        if self.posembed and self.imgsize < self.patch_size:
            return f"imgsize {self.imgsize} is smaller than a patch of {self.patch_size}"
        return None

    @property
    def mixer(self) -> Mixer:
        """Parts and paths of the token mixer."""
        return read_forward_type(self.forward_type, self._form)

    @property
    def _form(self) -> SS2DForm:
        """What the options say of the mixer."""
        return SS2DForm(
            activation=self.ssm_act_layer, conv=self.ssm_conv, conv_bias=self.ssm_conv_bias
        )

    @property
    def outputs(self) -> tuple[int, ...]:
        """Stages whose maps the encoder gives out."""
        return self.out_indices or tuple(range(len(self.dims)))

    @property
    def strides(self) -> tuple[int, ...]:
        """Image pixels per map pixel of each stage."""
        # The two convolutions of v2 have half a patch's stride each: 2 x 2 for patches of 4.
        overlapping = self.patchembed_version == "v2"
        first = (self.patch_size // 2) ** 2 if overlapping else self.patch_size
        return tuple(first * 2**stage for stage in range(len(self.dims)))
