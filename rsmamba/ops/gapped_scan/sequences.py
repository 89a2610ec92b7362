"""Scans over sequences forwards and backwards, with gaps if tokens were dropped.

Symbols as in `rsmamba.ops.gapped_scan`: B batch, L kept tokens, D channels, N states, R rank of the
step size.
"""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from rsmamba.errors import ShapeError
from rsmamba.ops.dispatch import Backend
from rsmamba.ops.gapped_scan.choosing import load_kernel, runs_compiled
from rsmamba.ops.gapped_scan.composite import Alignment, sequence_scan_composite


class SequenceScan(NamedTuple):
    """What one scan over sequences reads.

    Attributes:
        x: Tokens, (B, L, D).
        projections: What the scan needs of each token, (B, L, R + 2N): R values of the low-rank
            step size, N input terms B, N output terms C.
        dt_weight: Step-size projection, (D, R).
        dt_bias: Bias of the step size before the softplus, (D,).
        A: State decay rates, negative, (D, N).
        D: Skip terms, (D,).
        reverse: Start with the last token.
    """

    x: Tensor
    projections: Tensor
    dt_weight: Tensor
    dt_bias: Tensor
    A: Tensor
    D: Tensor
    reverse: bool = False

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """What gradients may flow to, the tokens first."""
        return self.x, self.projections, self.dt_weight, self.dt_bias, self.A, self.D


def sequence_scans(
    scans: Sequence[SequenceScan],
    *,
    gaps: Tensor | None = None,
    alignment: Alignment = "zero_input",
    backend: Backend = "auto",
) -> list[Tensor]:
    """Run scans over sequences of one shape, each with tokens and parameters of its own.

    Nothing is reversed or copied: the compiled kernel reads the tokens where they lie, and takes
    two scans at once, since a call costs as much as many tokens.

    Args:
        scans: The scans, K of them, at least one.
        gaps: Dropped tokens before each step in the order of each scan, 0 before the first,
            (B, K, L); None where none was dropped.
        alignment: What the gaps do.
        backend: "auto", or the name of the backend that must run.

    Returns:
        Outputs of each scan with shape, dtype and order of its tokens, (B, L, D).

    Raises:
        ShapeError: If the shapes of two scans differ, or the gaps are not those of such scans.
    """
    _check(scans, gaps)
    if gaps is None:
        alignment = "none"
    tensors = [tensor for scan in scans for tensor in scan.tensors]
    if runs_compiled(*tensors, alignment=alignment, backend=backend):
        table = None if alignment == "none" else gaps
        return [
            y
            for start in range(0, len(scans), 2)
            for y in load_kernel("compiled_sequence_scans")(
                scans[start : start + 2],
                gaps=None if table is None else table[:, start : start + 2],
            )
        ]
    return [
        sequence_scan_composite(
            scan.x,
            scan.projections,
            [tensor.unsqueeze(0) for tensor in scan.tensors[2:]],
            gaps=None if gaps is None else gaps[:, number],
            reverse=scan.reverse,
            alignment=alignment,
            backend=backend,
        )
        for number, scan in enumerate(scans)
    ]


def _check(scans: Sequence[SequenceScan], gaps: Tensor | None) -> None:
    """Raise unless all scans have one shape and the gaps are theirs."""
    first = [tuple(tensor.shape) for tensor in scans[0].tensors]
    for number, scan in enumerate(scans[1:], start=2):
        shapes = [tuple(tensor.shape) for tensor in scan.tensors]
        if shapes != first:
            message = (
                f"sequence_scans: scan {number} has tensors of shapes {shapes}, the first of "
                f"{first}; they must be the same"
            )
            raise ShapeError(message)
    batch, length, _ = first[0]
    if gaps is not None and tuple(gaps.shape) != (batch, len(scans), length):
        message = (
            f"sequence_scans: gaps must have shape {(batch, len(scans), length)} to go with "
            f"{len(scans)} scans of tokens {first[0]}, got {tuple(gaps.shape)}"
        )
        raise ShapeError(message)
