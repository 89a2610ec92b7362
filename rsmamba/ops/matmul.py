"""Which library multiplies float32 matrices on the CPU.

Torch hands them to MKL unless it is allowed a lower precision; then oneDNN does them, and on a CPU
without bfloat16 arithmetic it still computes in float32. MKL leaves the wide vectors of some CPUs
unused, so that oneDNN is twice as fast there, while elsewhere the two are equal. So both are
measured once in a process, on one product of a usual size, and oneDNN is taken only where it is
clearly faster and its result differs by rounding.
"""

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

# Tokens, inner and outer channels of the measured product, about 5 ms: a stage of a tiny encoder.
_SHAPE = (1024, 192, 768)
_TURNS = 4
# Where one is better it is twice as fast. In between noise would choose, and the two round
# differently: a map must come out the same in every run.
_WORTH_IT = 1.5
# Sums of 192 products differ by about this much when they are added in another order.
_ROUNDING = 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class MatmulChoice:
    """What was measured, and what follows.

    Attributes:
        library: "onednn" or "mkl".
        speed_up: Time of MKL over that of oneDNN.
        difference: Largest difference of the results, relative to the largest value.
        reason: Why, in words.
    """

    library: str
    speed_up: float
    difference: float
    reason: str


@functools.cache
def choose_matmul() -> MatmulChoice:
    """Measure both libraries and choose one; once in a process.

    Returns:
        The choice.
    """
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return MatmulChoice(
            library="mkl", speed_up=1.0, difference=0.0, reason="this torch has no oneDNN"
        )
    generator = torch.Generator().manual_seed(0)
    tokens, inner, outer = _SHAPE
    x = torch.randn(tokens, inner, generator=generator)
    weight = torch.randn(outer, inner, generator=generator)
    seconds: dict[str, float] = {"highest": float("inf"), "medium": float("inf")}
    results: dict[str, Tensor] = {}
    for _ in range(_TURNS):
        for precision, fastest in list(seconds.items()):
            with _matmul_precision(precision), torch.inference_mode():
                spent, results[precision] = _timed(lambda: functional.linear(x, weight))
            seconds[precision] = min(fastest, spent)
    gap = (results["highest"] - results["medium"]).abs().max() / results["highest"].abs().max()
    return _decide(seconds["highest"] / seconds["medium"], difference=float(gap))


@contextmanager
def fastest_matmul(device: torch.device) -> Iterator[None]:
    """Multiply matrices with the faster library while this context lasts.

    Args:
        device: Where the network runs; elsewhere than on the CPU nothing changes.

    Yields:
        Nothing.
    """
    if device.type == "cpu" and choose_matmul().library == "onednn":
        with _matmul_precision("medium"):
            yield
    else:
        yield


def has_bfloat16_arithmetic() -> bool:
    """Say whether the CPU computes in bfloat16 itself, so that autocast to it saves time.

    Returns:
        True with AVX-512 BF16 or AMX.
    """
    # No public name tells.
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def _decide(speed_up: float, *, difference: float) -> MatmulChoice:
    if difference > _ROUNDING:
        library, reason = "mkl", f"oneDNN rounds more: {difference:.1e} of the largest value"
    elif speed_up < _WORTH_IT:
        library, reason = "mkl", f"oneDNN takes {1 / speed_up:.2f} times as long"
    else:
        library, reason = "onednn", f"{speed_up:.1f} times as fast as MKL, equal but for rounding"
    return MatmulChoice(library=library, speed_up=speed_up, difference=difference, reason=reason)


@contextmanager
def _matmul_precision(precision: str) -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _timed(function: Callable[[], Tensor]) -> tuple[float, Tensor]:
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result
