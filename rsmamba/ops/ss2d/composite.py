"""SS2D from its parts: expand, step sizes, selective scan, merge.

This is the specification of the fused kernels and the path for devices and types they do not run.
"""

import torch
from torch import Tensor

from rsmamba.ops.dispatch import Backend
from rsmamba.ops.scan_paths import ScanPaths, expand, merge, scan_orders
from rsmamba.ops.selective_scan import selective_scan


def ss2d_composite(
    x: Tensor,
    projections: Tensor,
    *,
    dt_weight: Tensor,
    dt_bias: Tensor,
    A: Tensor,
    D: Tensor,
    paths: ScanPaths,
    backend: Backend = "auto",
) -> Tensor:
    """Scan a map along several paths with one operator after the other.

    Args:
        x: Feature map, (B, H, W, D).
        projections: Low-rank step size, input and output terms, (B, H, W, K, R + 2N).
        dt_weight: Step-size projection, (K, D, R).
        dt_bias: Bias of the step size, (K, D).
        A: State decay rates, negative, (K, D, N).
        D: Skip terms, (K, D).
        paths: Name of the set of scan paths.
        backend: Backend of the selective scan.

    Returns:
        Sum over the K paths, (B, H, W, D).
    """
    height, width = x.shape[1:3]
    rank, states = dt_weight.shape[2], A.shape[2]
    sequences = _along_paths(projections, paths)
    low_rank, B, C = torch.split(sequences, [rank, states, states], dim=-1)
    dt = torch.einsum("bklr,kdr->bkld", low_rank, dt_weight)
    y = selective_scan(
        expand(x, paths), dt, A, B=B, C=C, D=D, dt_bias=dt_bias, backend=backend
    )  # (B, K, L, D)
    return merge(y, height, width, paths=paths)


def _along_paths(projections: Tensor, paths: ScanPaths) -> Tensor:
    """Order the projections of each path along that path, (B, K, L, R + 2N)."""
    height, width = projections.shape[1:3]
    order = scan_orders(paths, height, width).order.to(projections.device)
    pixels = projections.flatten(1, 2)  # (B, L, K, R + 2N)
    parts = [pixels[:, :, k].index_select(1, order[k]) for k in range(order.shape[0])]
    return torch.stack(parts, dim=1)  # (B, K, L, R + 2N)
