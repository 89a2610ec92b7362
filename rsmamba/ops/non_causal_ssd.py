"""Non-causal state-space duality: one state for the whole image, as two matrix products.

Source: VSSD (arXiv 2407.18559, its part on non-causal state-space duality). For each head k of
group g, with weights m that already hold step size and decay rate:
S_k = sum over l of B_(l,g) (m_(l,k) x_(l,k))^T, and y_(l,k) = S_k^T C_(l,g) + D_k x_(l,k).
Official code: `non_casual_linear_attn` of YuHengsss/VSSD. Different here: the heads of a group
share one matrix product, so that B and C are never repeated, and both products run in float32
whatever the inputs are, because S is a plain sum over all tokens, which outgrows float16.

Symbols: L tokens, G groups, N states, P channels of a head. Head k uses group k mod G.
"""

import torch
from torch import Tensor

from rsmamba.errors import ShapeError

__all__ = ["non_causal_ssd", "non_causal_ssd_reference"]


def non_causal_ssd(
    x: Tensor, weight: Tensor, *, B: Tensor, C: Tensor, D: Tensor | None = None
) -> Tensor:
    """Let every token see every other one, through one state for each head.

    Takes time and memory in proportion to L. Differentiable any number of times.

    Args:
        x: Values, (batch, L, heads, P).
        weight: Weight m of each token for each head, (batch, L, heads), any sign.
        B: Input terms, (batch, L, G, N); G divides the number of heads.
        C: Output terms, (batch, L, G, N).
        D: Skip terms, (heads,), or None for no skip.

    Returns:
        Outputs (batch, L, heads, P) in float32, or in float64 if `x` is float64: with many tokens
        they may not fit into float16, so the caller normalises them first.

    Raises:
        ShapeError: If the shapes do not agree.

    Example:
        >>> ones = torch.ones(1, 3, 1, 1)
        >>> non_causal_ssd(ones, torch.ones(1, 3, 1), B=ones, C=2 * ones).flatten().tolist()
        [6.0, 6.0, 6.0]
    """
    _check_shapes(x, weight, B=B, C=C, D=D)
    dtype = torch.float64 if x.dtype == torch.float64 else torch.float32
    batch, length, heads, width = x.shape
    groups = B.shape[2]
    with torch.autocast(x.device.type, enabled=False):
        x = x.to(dtype)
        weighted = x * weight.to(dtype).unsqueeze(-1)
        values = weighted.view(batch, length, heads // groups, groups, width)
        values = values.permute(0, 3, 1, 2, 4).flatten(3)  # (batch, G, L, heads / G * P)
        state = B.to(dtype).permute(0, 2, 3, 1) @ values  # (batch, G, N, heads / G * P)
        y = C.to(dtype).transpose(1, 2) @ state
        y = y.view(batch, groups, length, heads // groups, width)
        y = y.permute(0, 2, 3, 1, 4).reshape(batch, length, heads, width)
        return y if D is None else torch.addcmul(y, x, D.to(dtype).unsqueeze(-1))


def non_causal_ssd_reference(
    x: Tensor, weight: Tensor, *, B: Tensor, C: Tensor, D: Tensor | None = None
) -> Tensor:
    """Compute `non_causal_ssd` pair of tokens by pair of tokens, as a specification.

    Takes time and memory in proportion to the square of L.

    Args:
        x: Values, (batch, L, heads, P).
        weight: Weight of each token for each head, (batch, L, heads).
        B: Input terms, (batch, L, G, N).
        C: Output terms, (batch, L, G, N).
        D: Skip terms, (heads,), or None for no skip.

    Returns:
        Outputs (batch, L, heads, P).
    """
    heads, groups = x.shape[2], B.shape[2]
    group = torch.arange(heads, device=x.device) % groups
    similarity = torch.einsum("blhn,bmhn->bhlm", C[:, :, group], B[:, :, group])
    y = torch.einsum("bhlm,bmh,bmhp->blhp", similarity, weight, x)
    return y if D is None else y + D[:, None] * x


def _check_shapes(x: Tensor, weight: Tensor, *, B: Tensor, C: Tensor, D: Tensor | None) -> None:
    """Refuse shapes that do not go with those of x and B."""
    if x.ndim != 4 or B.ndim != 4 or x.shape[2] % max(1, B.shape[2]) != 0:
        message = (
            "non_causal_ssd takes x of shape (batch, L, heads, P) and B of shape (batch, L, G, N) "
            f"where G divides the heads, got {tuple(x.shape)} and {tuple(B.shape)}"
        )
        raise ShapeError(message)
    expected = {
        "weight": (weight, x.shape[:3]),
        "B": (B, (*x.shape[:2], *B.shape[2:])),
        "C": (C, B.shape),
        "D": (D, x.shape[2:3]),
    }
    for name, (tensor, shape) in expected.items():
        if tensor is not None and tensor.shape != torch.Size(shape):
            message = (
                f"non_causal_ssd: {name} must have shape {tuple(shape)} to go with x "
                f"{tuple(x.shape)} and B {tuple(B.shape)}, got {tuple(tensor.shape)}"
            )
            raise ShapeError(message)
