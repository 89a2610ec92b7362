"""The sequence of ViM: where class tokens stand, and how positions turn channels.

Source: released code of ViM (commit dd0358a). Different here: class tokens are told apart from
patches wherever they stand, so that a position embedding is resized correctly around a class token
in the middle; the released helper takes the first entry for it.

Symbols: M patches, T class tokens, L = M + T, C channels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from rsmamba.models.encoders.vim.config import Config

_ROTATION_BASE = 10000.0


def class_positions(config: Config, patches: int) -> tuple[int, ...]:
    """Say where class tokens stand.

    Args:
        config: Size and choices of the network.
        patches: Number M of patches.

    Returns:
        Rising indices into the sequence of patches and class tokens.

    Example:
        >>> class_positions(Config(), 196)
        (98,)
    """
    if not config.if_cls_token:
        return ()
    if config.use_double_cls_token:
        return (0, patches + 1)
    return (patches // 2,) if config.use_middle_cls_token else (0,)


def insert_entries(patches: Tensor, entries: Tensor, positions: Sequence[int]) -> Tensor:
    """Put entries into a sequence so that they stand at the given positions.

    Args:
        patches: Sequence (B, M, C).
        entries: What is put in, (B, T, C).
        positions: Rising indices into the result.

    Returns:
        Sequence (B, M + T, C).
    """
    pieces, taken = [], 0
    for index, position in enumerate(positions):
        pieces += [patches[:, taken : position - index], entries[:, index : index + 1]]
        taken = position - index
    return torch.cat([*pieces, patches[:, taken:]], dim=1)


def split_entries(sequence: Tensor, positions: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Take the entries at the given positions out of a sequence.

    Args:
        sequence: Sequence (B, M + T, C).
        positions: Rising indices into it.

    Returns:
        The rest (B, M, C) and the entries (B, T, C).
    """
    if not positions:
        return sequence, sequence[:, :0]
    bounds = [-1, *positions, sequence.shape[1]]
    rest = [sequence[:, start + 1 : end] for start, end in pairwise(bounds)]
    entries = [sequence[:, position : position + 1] for position in positions]
    return torch.cat(rest, dim=1), torch.cat(entries, dim=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """Rotary position embedding of one grid: pairs of channels are turned by an angle.

    Attributes:
        cos: Cosine of the angle of each channel of each token, (L, C) or (B, L, C).
        sin: Its sine, in the same shape.
    """

    cos: Tensor
    sin: Tensor

    def flipped(self) -> "Rotation":
        """Return the rotation of the reversed sequence."""
        return Rotation(cos=self.cos.flip(0), sin=self.sin.flip(0))

    def at(self, index: Tensor) -> "Rotation":
        """Return the rotation of some tokens of each image, by their places (B, n)."""
        return Rotation(cos=self.cos[index], sin=self.sin[index])

    def __call__(self, tokens: Tensor) -> Tensor:
        """Turn tokens (B, L, C)."""
        turned = torch.stack([-tokens[..., 1::2], tokens[..., ::2]], dim=-1).flatten(-2)
        return (tokens * self.cos + turned * self.sin).to(tokens.dtype)


def rotation(
    config: Config, *, rows: int, cols: int, positions: Sequence[int], like: Tensor
) -> Rotation:
    """Make the rotation of a grid of patches with class tokens between them.

    Half of the channels turn with the row, half with the column; class tokens do not turn. As in
    the released code, the one that does not turn is the first entry of the sequence even if the
    class token stands in the middle.

    Args:
        config: Size and choices of the network.
        rows: Rows of the grid.
        cols: Columns of the grid.
        positions: Where class tokens stand.
        like: Tensor whose device and type the angles have, float32 at least.

    Returns:
        The rotation, (rows * cols + T, C).
    """
    dtype = torch.promote_types(like.dtype, torch.float32)
    half = config.embed_dim // 2
    powers = torch.arange(0, half, 2, dtype=dtype, device=like.device) / half
    frequencies = (_ROTATION_BASE**-powers).repeat_interleave(2)  # (C / 2,)
    angles = []
    for count in (rows, cols):
        steps = torch.arange(count, dtype=dtype, device=like.device) / count
        angles.append(torch.outer(steps * config.pt_hw_seq_len, frequencies))
    by_row = angles[0].unsqueeze(1).expand(-1, cols, -1)
    by_col = angles[1].unsqueeze(0).expand(rows, -1, -1)
    patches = torch.cat([by_row, by_col], dim=-1).flatten(0, 1).unsqueeze(0)  # (1, M, C)
    still = patches.new_zeros(1, len(positions), config.embed_dim)
    places = (0,) if len(positions) == 1 else positions
    table = insert_entries(patches, still, places).squeeze(0)
    return Rotation(cos=table.cos(), sin=table.sin())
