"""Scores of tokens, and the tokens that are kept of each image.

Symbols: B batch, L tokens of the full sequence, n tokens in use, m of them kept, C channels.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import torch
from torch import Tensor

from rsmamba.models.pruning.config import PruningConfig, Score
from rsmamba.models.pruning.schedule import num_kept

_WATCHER: ContextVar[list["KeptTokens"] | None] = ContextVar("_WATCHER", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptTokens:
    """The tokens of each image that are in use; make it with `kept_tokens`.

    Attributes:
        index: Their places in the full sequence, rising, int64 (B, n).
        rows: The same places among the tokens of all images, int64 (B * n,).
        length: Length L of the full sequence.
    """

    index: Tensor
    rows: Tensor
    length: int

    def of(self, full: Tensor) -> Tensor:
        """Take the tokens in use out of full sequences (B, L, C), to (B, n, C)."""
        batch, count = self.index.shape
        return full.flatten(0, 1).index_select(0, self.rows).view(batch, count, -1)

    def put_into(self, full: Tensor, tokens: Tensor) -> Tensor:
        """Return full sequences (B, L, C) with the tokens in use (B, n, C) at their places."""
        return full.flatten(0, 1).index_copy(0, self.rows, tokens.flatten(0, 1)).view_as(full)

    def among_zeros(self, tokens: Tensor) -> Tensor:
        """Return full sequences (B, L, C) of zeros and the tokens in use (B, n, C)."""
        batch, _, channels = tokens.shape
        full = tokens.new_zeros(batch * self.length, channels)
        return full.index_copy_(0, self.rows, tokens.flatten(0, 1)).view(batch, -1, channels)

    def find(self, place: int) -> Tensor:
        """Return which of the tokens in use, from 0, has a place that is among theirs, (B,)."""
        return (self.index < place).sum(dim=1)

    def flipped(self) -> "KeptTokens":
        """Return the same tokens of the reversed sequence."""
        return kept_tokens(self.length - 1 - self.index.flip(1), length=self.length)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The outcome of one pruning step.

    Attributes:
        kept: The tokens in use from here on, m of each image.
        among: The same among the tokens that were in use before.
    """

    kept: KeptTokens
    among: KeptTokens


def kept_tokens(index: Tensor, *, length: int) -> KeptTokens:
    """Describe kept tokens.

    Args:
        index: Their places in the full sequence, rising, int64 (B, n).
        length: Length L of the full sequence.

    Returns:
        The description.
    """
    first = torch.arange(index.shape[0], device=index.device).unsqueeze(1) * length
    return KeptTokens(index=index, rows=(index + first).flatten(), length=length)


def importance(outputs: Tensor, score: Score) -> Tensor:
    """Score tokens by what the scans of a block put out at them (arXiv 2410.14725, for "clip").

    Args:
        outputs: Outputs of the scans in token order, (B, n, E).
        score: How the channels are joined, see `PruningConfig`.

    Returns:
        One number a token, (B, n), through which no gradient flows; larger is more important.
    """
    values = outputs.detach()
    if score == "clip":
        return values.clamp_min(0).mean(dim=-1)
    if score == "sum":
        return values.sum(dim=-1)
    return torch.linalg.vector_norm(values, ord=1 if score == "l1" else 2, dim=-1)


def select(
    scores: Tensor, before: KeptTokens | None, *, keep: int, always: Sequence[int] = ()
) -> Selection:
    """Keep the best tokens of each image, in their order.

    Args:
        scores: Importance of the tokens in use, (B, n).
        before: The tokens in use; None means the full sequence.
        keep: Number m of tokens to keep, those at `always` included.
        always: Places in the full sequence of tokens that are kept whatever their score.

    Returns:
        The selection.

    Example:
        >>> select(torch.tensor([[0.3, 0.1, 0.2, 0.9]]), None, keep=2, always=[1]).kept.index
        tensor([[1, 3]])
    """
    for place in always:
        found = torch.full_like(scores[:, :1], place, dtype=torch.int64)
        if before is not None:
            found = before.find(place).unsqueeze(1)
        scores = scores.scatter(1, found, float("inf"))
    best = torch.topk(scores, keep, dim=1, sorted=False).indices
    among = torch.sort(best, dim=1).values
    in_use = scores.shape[1]
    index = among if before is None else before.index.gather(1, among)
    length = in_use if before is None else before.length
    return Selection(
        kept=kept_tokens(index, length=length), among=kept_tokens(among, length=in_use)
    )


def prune(
    outputs: Tensor,
    before: KeptTokens | None,
    *,
    config: PruningConfig,
    always: Sequence[int] = (),
) -> Selection | None:
    """Choose the tokens that stay in use after a block.

    Args:
        outputs: What the scans of the block put out, in token order, (B, n, E).
        before: The tokens in use; None means the full sequence.
        config: Keep ratio and score.
        always: Places in the full sequence of class tokens.

    Returns:
        The selection, or None where all tokens stay.
    """
    in_use = outputs.shape[1]
    classes = len(always)
    keep = classes + num_kept(in_use - classes, config.ratio, class_tokens=classes)
    if keep >= in_use:
        return None
    selection = select(importance(outputs, config.score), before, keep=keep, always=always)
    watcher = _WATCHER.get()
    if watcher is not None:
        watcher.append(selection.kept)
    return selection


@contextmanager
def watched_pruning() -> Iterator[list[KeptTokens]]:
    """Watch which tokens networks keep, to draw or to count them.

    Yields:
        A list that gets the kept tokens of every pruning step that is done in this thread.
    """
    seen: list[KeptTokens] = []
    before = _WATCHER.set(seen)
    try:
        yield seen
    finally:
        _WATCHER.reset(before)


def gaps_between(places: Tensor) -> Tensor:
    """Count what is missing before each token.

    Args:
        places: Rising places of kept tokens along a scan, (..., n).

    Returns:
        Missing tokens between the one before and this one, float32 (..., n); 0 for the first.

    Example:
        >>> gaps_between(torch.tensor([3, 4, 7]))
        tensor([0., 0., 2.])
    """
    missing = places.diff(dim=-1) - 1
    return torch.cat([torch.zeros_like(places[..., :1]), missing], dim=-1).float()
