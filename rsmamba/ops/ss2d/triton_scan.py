"""SS2D by the Triton kernels: pixels are visited in scan order, no sequence is built.

Each path writes its own outputs at their pixels and torch adds the paths up, in order. The gradient
of the step sizes is one product away from that of their factors and of their projection.
"""

import functools

import torch
from torch import Tensor

from rsmamba.ops.scan_paths import ScanPaths, scan_orders
from rsmamba.ops.ss2d.inputs import Ss2dInputs
from rsmamba.ops.triton_kernels.plan import BACKWARD, FORWARD, Tiling
from rsmamba.ops.triton_kernels.triton_launch import Scan, pack, run_backward, run_forward


def triton_forward(
    inputs: Ss2dInputs, *, paths: ScanPaths, keep_states: bool, tiling: Tiling = FORWARD
) -> tuple[Tensor, Tensor]:
    """Run the scan.

    Args:
        inputs: The tensors of the scan.
        paths: Name of the set of scan paths.
        keep_states: Whether to return the states that the backward needs.
        tiling: The share of one program.

    Returns:
        Outputs in the type of x, (B, H, W, D), and the kept states, (B, K, chunks, N, D).
    """
    scan = _scan(inputs, paths=paths)
    y, kept = run_forward(scan, keep_states=keep_states, dtype=torch.float32, tiling=tiling)
    return y.sum(1).to(inputs.x.dtype).view(inputs.x.shape), kept


def triton_backward(
    dy: Tensor, inputs: Ss2dInputs, *, states: Tensor, paths: ScanPaths, tiling: Tiling = BACKWARD
) -> Ss2dInputs:
    """Compute all gradients.

    Args:
        dy: Gradient of the outputs, (B, H, W, D).
        inputs: The tensors of the scan.
        states: What `triton_forward` kept.
        paths: As given to `triton_forward`.
        tiling: The share of one program.

    Returns:
        The gradients of all inputs, in their types.
    """
    scan = _scan(inputs, paths=paths)
    dtypes = (torch.float32, torch.float32)
    grads = run_backward(scan, dy.contiguous().flatten(1, 2), states, dtypes=dtypes, tiling=tiling)
    rank = inputs.dt_weight.shape[2]
    factors = scan.steps[..., :rank].float()  # (B, K, L, R)
    d_factors = torch.matmul(grads.steps, inputs.dt_weight.float())  # (B, K, L, R)
    d_weight = torch.matmul(grads.steps.transpose(2, 3), factors).sum(0)  # (K, D, R)
    rows = torch.cat([d_factors, grads.B, grads.C], dim=-1)  # (B, K, L, R + 2N)
    projections = _to_pixels(rows.to(inputs.projections.dtype), paths, inputs.x.shape)
    return Ss2dInputs(
        x=grads.x.sum(1).to(inputs.x.dtype).view(inputs.x.shape),
        projections=projections,
        dt_weight=d_weight.to(inputs.dt_weight.dtype),
        dt_bias=grads.dt_bias.to(inputs.dt_bias.dtype),
        A=grads.A.to(inputs.A.dtype),
        D=grads.skip.to(inputs.D.dtype),
    )


def _scan(inputs: Ss2dInputs, *, paths: ScanPaths) -> Scan:
    """Describe the scan to the kernels.

    The few numbers of each token are put in scan order beforehand: their addresses then need no
    table, which saves the kernels more registers and instructions than the copy costs.
    """
    _, height, width, _ = inputs.x.shape
    rank, states = inputs.dt_weight.shape[2], inputs.A.shape[2]
    A2, skip, bias = pack(inputs.A, D=inputs.D, dt_bias=inputs.dt_bias)
    device = inputs.x.device
    rows = inputs.projections.flatten(1, 3)  # (B, L * K, R + 2N)
    rows = rows.index_select(1, _rows_of_tokens(paths, height, width, device))
    rows = rows.view(rows.shape[0], len(inputs.A), height * width, -1)  # (B, K, L, R + 2N)
    return Scan(
        x=inputs.x.contiguous().flatten(1, 2),
        steps=rows,
        B=rows[..., rank:],
        C=rows[..., rank + states :],
        row=rows.shape[-1],
        order=_order_table(paths, height, width, device),
        A2=A2,
        dt_weight=inputs.dt_weight.float().transpose(1, 2).contiguous(),
        dt_bias=bias,
        skip=skip,
        softplus=True,
    )


def _to_pixels(rows: Tensor, paths: ScanPaths, shape: torch.Size) -> Tensor:
    """Put rows of tokens (B, K, L, S) back to their pixels, (B, H, W, K, S)."""
    batch, height, width, _ = shape
    pixels = torch.empty_like(rows).view(batch, -1, rows.shape[-1])
    tokens = _rows_of_tokens(paths, height, width, rows.device)
    pixels.index_copy_(1, tokens, rows.flatten(1, 2))
    return pixels.view(batch, height, width, rows.shape[1], rows.shape[-1])


@functools.lru_cache(maxsize=32)
def _order_table(paths: ScanPaths, height: int, width: int, device: torch.device) -> Tensor:
    """Return the order table that kernels read, int32, (K, L), on the device."""
    order = scan_orders(paths, height, width).order
    return order.to(device=device, dtype=torch.int32).contiguous()


@functools.lru_cache(maxsize=32)
def _rows_of_tokens(paths: ScanPaths, height: int, width: int, device: torch.device) -> Tensor:
    """Return where the row of each token lies among those of pixels and paths, (K * L)."""
    order = scan_orders(paths, height, width).order
    rows = order * len(order) + torch.arange(len(order))[:, None]
    return rows.flatten().to(device)
