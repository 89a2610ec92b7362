"""Scans with gaps by the compiled CPU kernel: tokens are visited in place, gaps enter the decay."""

import functools
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from rsmamba.ops.cpu_kernels.packing import Parameters, Parts, pack_parameters
from rsmamba.ops.cpu_kernels.plan import Rows, Scan, sequence_rows, with_dense_rows
from rsmamba.ops.cpu_kernels.run import run_forward
from rsmamba.ops.gapped_scan.sequences import SequenceScan


def compiled_gapped_scan(
    x: Tensor,
    dt: Tensor,
    A: Tensor,
    *terms: Tensor,
    gaps: Tensor | None,
) -> Tensor:
    """Run the scan over sequences, without gradients.

    Args:
        x: Inputs, (batch, K, L, D), on the CPU.
        dt: Step sizes before bias and softplus, (batch, K, L, D).
        A: State decay rates, negative, (K, D, N).
        *terms: B and C, (batch, K, L, N); skip terms D and bias of the step size, (K, D).
        gaps: Dropped tokens before each one, (batch, K, L); None lets them do nothing.

    Returns:
        Outputs with shape and dtype of `x`.
    """
    rows = [with_dense_rows(tensor.float()) for tensor in (x, dt, *terms[:2])]
    parameters, idle = _pack(A, D=terms[2], dt_bias=terms[3])
    gap_table = None if gaps is None else gaps.float().contiguous()
    y = torch.empty(x.shape)
    scan = Scan(
        length=x.shape[2],
        channels=x.shape[3],
        states=A.shape[2],
        rank=0,
        softplus=1,
        paths=A.shape[0],
        summed=0,
        order=0,
        x=sequence_rows(rows[0]),
        steps=sequence_rows(rows[1]),
        B=sequence_rows(rows[2]),
        C=sequence_rows(rows[3]),
        A2=parameters.A2.data_ptr(),
        dt_weight=0,
        dt_bias=parameters.dt_bias.data_ptr(),
        D=parameters.D.data_ptr(),
        kept=0,
        gaps=0 if gap_table is None else gap_table.data_ptr(),
        idle=idle.data_ptr(),
    )
    run_forward(scan, sequence_rows(y), x.shape[0])
    return y.to(x.dtype)


def compiled_token_scan(
    x: Tensor,
    projections: Tensor,
    dt_weight: Tensor,
    dt_bias: Tensor,
    *decays: Tensor,
    order: Tensor,
    gaps: Tensor | None,
) -> Tensor:
    """Scan tokens along several orders and sum, without gradients.

    Args:
        x: Kept tokens, (B, L, D), on the CPU.
        projections: Low-rank step size, input and output terms, (B, L, K, R + 2N).
        dt_weight: Step-size projection, (K, D, R).
        dt_bias: Bias of the step size, (K, D).
        *decays: State decay rates A, (K, D, N), and skip terms D, (K, D).
        order: Index of the token at each step of each scan, (B, K, L).
        gaps: Dropped tokens before each step, (B, K, L); None lets them do nothing.

    Returns:
        Sum over the K scans, (B, L, D), with the dtype of `x`.
    """
    A, D = decays
    paths = A.shape[0]
    # Parameters that all scans share are packed once.
    shared = all(tensor.stride(0) == 0 for tensor in (A, D, dt_weight, dt_bias))
    if shared:
        A, D, dt_weight, dt_bias = (tensor[:1] for tensor in (A, D, dt_weight, dt_bias))
    tokens, terms = x.float().contiguous(), projections.float().contiguous()
    parameters, idle = _pack(A, D=D, dt_bias=dt_bias, dt_weight=dt_weight)
    orders = order.to(torch.int32).contiguous()
    gap_table = None if gaps is None else gaps.float().contiguous()
    rank, states = dt_weight.shape[2], A.shape[2]
    batch, token, scan_stride, _ = (4 * stride for stride in terms.stride())
    factors, B, C = (
        Rows(terms.data_ptr() + 4 * start, batch, scan_stride, token)
        for start in (0, rank, rank + states)
    )
    y = torch.empty(tokens.shape)
    scan = _low_rank_scan(
        tokens.shape,
        _token_rows(tokens),
        (factors, B, C),
        parameters=parameters,
        idle=idle,
        order=orders,
        gaps=gap_table,
    )
    scan = scan._replace(
        paths=paths, summed=1, order_batch=4 * orders.stride(0), shared=int(shared)
    )
    run_forward(scan, _token_rows(y), x.shape[0])
    return y.to(x.dtype)


def compiled_sequence_scans(
    scans: Sequence[SequenceScan], *, gaps: Tensor | None
) -> tuple[Tensor, ...]:
    """Run one scan over sequences or two at once, without gradients.

    Args:
        scans: One or two scans of one shape, on the CPU.
        gaps: Dropped tokens before each step, (B, K, L); None lets them do nothing.

    Returns:
        Outputs of each scan, (B, L, D), with the dtype of its tokens.
    """
    tokens = [scan.x.float().contiguous() for scan in scans]
    terms = [scan.projections.float().contiguous() for scan in scans]
    dt_weight, dt_bias, A, D = (
        [tensor.unsqueeze(0) for tensor in tensors]
        for tensors in zip(*(scan.tensors[2:] for scan in scans), strict=True)
    )
    parameters, idle = _pack(A, D=D, dt_bias=dt_bias, dt_weight=dt_weight)
    batch, length, channels = tokens[0].shape
    order = _walks(length, tuple(scan.reverse for scan in scans))
    gap_table = None if gaps is None else gaps.float().contiguous()
    rank, states = dt_weight[0].shape[2], A[0].shape[2]
    factors, B, C = (_rows_of(terms, first=start) for start in (0, rank, rank + states))
    y = torch.empty(len(scans), batch, length, channels)
    scan = _low_rank_scan(
        tokens[0].shape,
        _rows_of(tokens),
        (factors, B, C),
        parameters=parameters,
        idle=idle,
        order=order,
        gaps=gap_table,
    )
    run_forward(scan, _rows_of(y.unbind(0)), batch)
    return tuple(part.to(given.x.dtype) for part, given in zip(y.unbind(0), scans, strict=True))


def _low_rank_scan(
    shape: torch.Size,
    x: Rows,
    terms: tuple[Rows, Rows, Rows],
    *,
    parameters: Parameters,
    idle: Tensor,
    order: Tensor,
    gaps: Tensor | None,
) -> Scan:
    """Describe scans of tokens (B, L, D), each on its own; all tensors must outlive the run."""
    factors, B, C = terms
    return Scan(
        length=shape[1],
        channels=shape[2],
        states=parameters.A2.shape[2],
        rank=parameters.dt_weight.shape[2],
        softplus=1,
        paths=parameters.A2.shape[0],
        summed=0,
        order=order.data_ptr(),
        x=x,
        steps=factors,
        B=B,
        C=C,
        A2=parameters.A2.data_ptr(),
        dt_weight=parameters.dt_weight.data_ptr(),
        dt_bias=parameters.dt_bias.data_ptr(),
        D=parameters.D.data_ptr(),
        kept=0,
        gaps=0 if gaps is None else gaps.data_ptr(),
        idle=idle.data_ptr(),
    )


@functools.lru_cache(maxsize=64)
def _walks(length: int, reverse: tuple[bool, ...]) -> Tensor:
    """Return the token at each step of scans, int32 (K, L); shared, so do not write to it."""
    steps = torch.arange(length, dtype=torch.int32)
    return torch.stack([steps.flip(0) if backwards else steps for backwards in reverse])


def _rows_of(tensors: Sequence[Tensor], *, first: int = 0) -> Rows:
    """Describe the rows of one contiguous tensor (B, L, M) a scan, from column `first` on."""
    begin, end = tensors[0].data_ptr(), tensors[-1].data_ptr()
    batch, token, _ = (4 * stride for stride in tensors[0].stride())
    # Two tensors of one shape are like one with two paths, however far apart they lie.
    return Rows(begin + 4 * first, batch, end - begin, token)


def _pack(
    A: Parts, *, D: Parts, dt_bias: Parts, dt_weight: Parts | None = None
) -> tuple[Parameters, Tensor]:
    """Pack the parameters, and the step size of a token that is zero."""
    packed = pack_parameters(
        _floats(A),
        D=_floats(D),
        dt_bias=_floats(dt_bias),
        dt_weight=None if dt_weight is None else _floats(dt_weight),
    )
    return packed, functional.softplus(packed.dt_bias, threshold=50.0)


def _floats(parameter: Parts) -> Parts:
    """Return a parameter in float32."""
    if isinstance(parameter, Tensor):
        return parameter.float()
    return [part.float() for part in parameter]


def _token_rows(tokens: Tensor) -> Rows:
    """Describe the rows of contiguous tokens (B, L, D), the same for all scans."""
    batch, token, _ = (4 * stride for stride in tokens.stride())
    return Rows(tokens.data_ptr(), batch, 0, token)
