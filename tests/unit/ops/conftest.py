"""Inputs of scans, and memory full of NaN to catch what reads before it writes."""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from rsmamba.ops.cpu_kernels import threads

Tensors = dict[str, Tensor]


@pytest.fixture
def poisoned() -> Iterator[None]:
    """Fill new tensors and the kernels' scratch memory with NaN, and run on one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)  # fills what torch.empty returns
    threads.scratch_address(2**22)
    threads._own.memory.fill(0xFF)
    yield
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(before)


@pytest.fixture
def scan_tensors() -> Callable[..., Tensors]:
    """Draw the inputs of a selective scan, in float64 but exact in float32."""

    def draw(*, batch: int = 2, K: int = 1, L: int, D: int, N: int) -> Tensors:
        generator = torch.Generator().manual_seed(L + 7 * D + 31 * N)
        sequence, rows = (batch, K, L, D), (batch, K, L, N)
        tensors = {
            "x": torch.randn(sequence, generator=generator),
            "dt": torch.randn(sequence, generator=generator) - 2,
            "A": -torch.rand(K, D, N, generator=generator) * N - 0.01,
            "B": torch.randn(rows, generator=generator),
            "C": torch.randn(rows, generator=generator),
            "D": torch.randn(K, D, generator=generator),
            "dt_bias": torch.randn(K, D, generator=generator),
        }
        return {name: tensor.double() for name, tensor in tensors.items()}

    return draw


@pytest.fixture
def map_tensors() -> Callable[..., Tensors]:
    """Draw the inputs of an SS2D scan, in float64 but exact in float32."""

    def draw(*, batch: int = 2, height: int, width: int, D: int, N: int, R: int) -> Tensors:
        generator = torch.Generator().manual_seed(height + 5 * width + 7 * D + 31 * N)
        tensors = {
            "x": torch.randn(batch, height, width, D, generator=generator),
            "projections": torch.randn(batch, height, width, 4, R + 2 * N, generator=generator),
            "dt_weight": torch.randn(4, D, R, generator=generator) * R**-0.5,
            "dt_bias": torch.randn(4, D, generator=generator) - 2,
            "A": -torch.rand(4, D, N, generator=generator) * N - 0.01,
            "D": torch.randn(4, D, generator=generator),
        }
        return {name: tensor.double() for name, tensor in tensors.items()}

    return draw


@pytest.fixture
def with_gradients() -> Callable[..., Tensors]:
    """Run an operator and return its output and the gradient of every input."""

    def run(scan: Callable[..., Tensor], tensors: Tensors, dtype: torch.dtype) -> Tensors:
        leaves = {name: t.detach().to(dtype).requires_grad_() for name, t in tensors.items()}
        y = scan(**leaves)
        dy = torch.linspace(-3, 3, y.numel()).cos().reshape(y.shape)
        grads = torch.autograd.grad(y, list(leaves.values()), dy.to(dtype))
        return {"y": y.detach(), **dict(zip(leaves, grads, strict=True))}

    return run


@pytest.fixture
def assert_close() -> Callable[[Tensors, Tensors], None]:
    """Compare outputs to 1e-6 and gradients to 1e-5, relative to the largest value of each."""

    def check(actual: Tensors, expected: Tensors) -> None:
        for name, value in expected.items():
            scale = max(value.abs().max().item(), 1e-6)
            error = (actual[name].double() - value).abs().max().item() / scale
            assert error < (1e-6 if name == "y" else 1e-5), f"{name}: {error:.1e}"

    return check
