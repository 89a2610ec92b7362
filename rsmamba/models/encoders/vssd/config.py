"""Configuration and published sizes of VSSD."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from rsmamba.errors import OptionError
from rsmamba.models.encoders.base import Variant
from rsmamba.models.pruning.config import FeedForwardPruning

AttentionType = Literal["mamba2", "standard"]
Edition = Literal["arxiv", "iccv"]

ARXIV = "Shi et al. 2024, VSSD: Vision Mamba with Non-Causal State Space Duality, arXiv 2407.18559"
ICCV = "Shi et al. 2025, VSSD: Vision Mamba with Non-Causal State Space Duality, ICCV 2025"
NO_LICENCE = "none stated in the official repository"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Choices of a VSSD network; the defaults are those of VSSD-Tiny.

    Attributes:
        edition: Which published network: "arxiv" (2024) or "iccv" (2025), which has another stem,
            other downsampling and a normalised mixer with rotary positions.
        embed_dim: Channels of the first stage; each further stage has twice as many.
        depths: Blocks of each stage.
        num_heads: Heads of each stage.
        mlp_ratio: Hidden channels of the two-layer network as a multiple of its channels.
        drop_path: Drop rate of the last block; the rates grow linearly from 0.
        d_state: State size N, one for all stages or one for each.
        ssd_expansion: Inner channels of the mixer as a multiple of its channels.
        ssd_ngroups: Groups of heads that share B and C; -1 gives each head its own.
        attn_types: Mixer of each stage: "mamba2" (state-space) or "standard" (self-attention).
        ssd_positive_dA: Whether tokens are weighted by -dt A (True) or by dt A.
        linear_attn_duality: Whether the mixer is non-causal (True) or the causal SSD of Mamba-2.
        bidirection: Whether half of the groups of the causal SSD run backwards.
        simple_patch_embed: Whether the stem is one convolution of 4x4 patches.
        simple_downsample: Whether downsampling is one convolution.
        area_reference: Side of the image whose number of tokens the non-causal sums are scaled to,
            so that weights trained at that side see tiles of any size alike; None is the official
            plain sum. Released weights were trained at 224.
        pruning: Which tokens the feed-forward parts see; None for all.

    Raises:
        OptionError: If a value, or a combination of values, is not allowed.
    """

    edition: Edition = "arxiv"
    embed_dim: int = 64
    depths: tuple[int, ...] = (2, 4, 8, 4)
    num_heads: tuple[int, ...] = (2, 4, 8, 16)
    mlp_ratio: float = 4.0
    drop_path: float = 0.2
    d_state: int | tuple[int, ...] = 64
    ssd_expansion: int = 2
    ssd_ngroups: int = 1
    attn_types: tuple[AttentionType, ...] = ("mamba2", "mamba2", "mamba2", "standard")
    ssd_positive_dA: bool = True  # noqa: N815 - A as the paper writes it
    linear_attn_duality: bool = True
    bidirection: bool = False
    simple_patch_embed: bool = False
    simple_downsample: bool = False
    area_reference: int | None = None
    pruning: FeedForwardPruning | None = None

    def __post_init__(self) -> None:
        """Check what the fields say together."""
        if not isinstance(self.d_state, int):
            object.__setattr__(self, "d_state", tuple(self.d_state))
        problem = (
            self._length_problem()
            or self._range_problem()
            or self._combination_problem()
            or next(filter(None, map(self._stage_problem, range(len(self.depths)))), None)
        )
        if problem:
            raise OptionError(problem)

    @property
    def dims(self) -> tuple[int, ...]:
        """Channels of each stage."""
        return tuple(self.embed_dim * 2**stage for stage in range(len(self.depths)))

    @property
    def states(self) -> tuple[int, ...]:
        """State size of each stage."""
        if isinstance(self.d_state, int):
            return (self.d_state,) * len(self.depths)
        return self.d_state

    def head_width(self, stage: int) -> int:
        """Return the channels P of a head of the state-space mixer."""
        return self.dims[stage] * self.ssd_expansion // self.num_heads[stage]

    def ssd_heads(self, stage: int) -> int:
        """Return the heads of the state-space mixer: as many as fit, as in the official code."""
        return self.dims[stage] * self.ssd_expansion // self.head_width(stage)

    def groups(self, stage: int) -> int:
        """Return the groups G of heads that share B and C."""
        return self.ssd_heads(stage) if self.ssd_ngroups == -1 else self.ssd_ngroups

    def _length_problem(self) -> str | None:
        stages = len(self.depths)
        lengths = {
            "num_heads": self.num_heads,
            "attn_types": self.attn_types,
            "d_state": self.states,
        }
        for name, values in lengths.items():
            if len(values) != stages:
                return f"{name} is {values!r}; depths has {stages} stages, so give {stages} values"
        unknown = set(self.attn_types) - {"mamba2", "standard"}
        if unknown:
            return f'attn_types holds {", ".join(sorted(unknown))}; use "mamba2" or "standard"'
        return None

    def _range_problem(self) -> str | None:
        counts = (self.embed_dim, self.ssd_expansion, *self.depths, *self.num_heads, *self.states)
        halved, reference = not self.simple_patch_embed, self.area_reference
        problems = {
            f"embed_dim {self.embed_dim}, ssd_expansion {self.ssd_expansion}, depths "
            f"{self.depths}, num_heads {self.num_heads}, d_state {self.d_state}: give 1 or more": (
                not self.depths or min(counts) < 1
            ),
            f"embed_dim is {self.embed_dim}; give an even number, of which the stem has half": (
                halved and self.embed_dim % 2 == 1
            ),
            f"drop_path is {self.drop_path}; give a rate from 0 up to, not including, 1": (
                not 0.0 <= self.drop_path < 1.0
            ),
            f"mlp_ratio is {self.mlp_ratio}; give one that leaves 1 hidden channel or more": (
                self.mlp_ratio * self.embed_dim < 1
            ),
            f"ssd_ngroups is {self.ssd_ngroups}; give 1 or more, or -1 for one each head": (
                self.ssd_ngroups < 1 and self.ssd_ngroups != -1
            ),
            f"area_reference is {reference}; give a side in pixels, or None": (
                reference is not None and reference < 1
            ),
        }
        return next((message for message, found in problems.items() if found), None)

    def _combination_problem(self) -> str | None:
        if self.bidirection and self.linear_attn_duality:
            return "bidirection needs the causal SSD; set linear_attn_duality to False as well"
        normalised = self.edition == "iccv"
        if self.area_reference is not None and (normalised or not self.linear_attn_duality):
            return "area_reference scales plain non-causal sums; this mixer has none, give None"
        if normalised and not (self.linear_attn_duality and self.ssd_positive_dA):
            return (
                'the edition "iccv" has linear_attn_duality True and ssd_positive_dA True only; '
                'use the edition "arxiv" for other mixers'
            )
        if normalised and self.ssd_ngroups != 1:
            return f'ssd_ngroups is {self.ssd_ngroups}; the edition "iccv" has 1 group only'
        return None

    def _stage_problem(self, stage: int) -> str | None:
        dim, heads = self.dims[stage], self.num_heads[stage]
        if self.attn_types[stage] == "standard":
            return None if heads <= dim else f"stage {stage} has {heads} heads for {dim} channels"
        inner = dim * self.ssd_expansion
        if heads > inner or inner % self.head_width(stage):
            return f"stage {stage} has {inner} inner channels, which {heads} heads cannot divide"
        if self.ssd_heads(stage) % self.groups(stage):
            return (
                f"stage {stage} has {self.ssd_heads(stage)} heads; ssd_ngroups "
                f"{self.ssd_ngroups} does not divide them"
            )
        if self.bidirection and self.groups(stage) % 2:
            return f"bidirection needs an even number of groups, not {self.groups(stage)}"
        if self.edition == "iccv" and self.states[stage] % 4:
            return f"d_state is {self.states[stage]}; rotary positions need a multiple of 4"
        return None


def _arxiv(summary: str, **options: object) -> Variant:
    return Variant(summary=summary, paper=ARXIV, weights_licence=NO_LICENCE, options=options)


def _iccv(size: str, **options: object) -> Variant:
    common: dict[str, Any] = {
        "edition": "iccv",
        "embed_dim": 96,
        "num_heads": (4, 4, 8, 16),
        "d_state": (12, 24, 48, 64),
        "ssd_expansion": 1,
        "mlp_ratio": 3.0,
    }
    return Variant(
        summary=f"VSSD-{size} of the ICCV 2025 edition, reconstructed: the published sizes fit, "
        "agreement with the official code could not be tested",
        paper=ICCV,
        weights_licence=NO_LICENCE,
        options=common | options,
    )


_LARGE = {"depths": (3, 4, 21, 5)}

VARIANTS: Mapping[str, Variant] = {
    "vssd_micro": _arxiv(
        "VSSD-Micro: non-causal SSD in three stages, attention in the fourth",
        embed_dim=48,
        depths=(2, 2, 8, 4),
        d_state=48,
    ),
    "vssd_tiny": _arxiv("VSSD-Tiny: non-causal SSD in three stages, attention in the fourth"),
    # The paper's table says 18 blocks in the third stage; 21 gives the published sizes.
    "vssd_small": _arxiv(
        "VSSD-Small: as VSSD-Tiny, with 21 blocks in the third stage", **_LARGE, drop_path=0.4
    ),
    "vssd_base": _arxiv(
        "VSSD-Base: as VSSD-Small, with half as many channels again",
        **_LARGE,
        embed_dim=96,
        num_heads=(3, 6, 12, 24),
        drop_path=0.6,
    ),
    "vssd_iccv_tiny": _iccv("Tiny", depths=(2, 2, 8, 2)),
    "vssd_iccv_small": _iccv("Small", depths=(2, 4, 15, 4), drop_path=0.4),
}
