"""The scan over sequences of one feature against its loop."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from rsmamba.errors import ShapeError
from rsmamba.ops import channel_scan as channel_scan_package
from rsmamba.ops.channel_scan import channel_scan as typed_channel_scan
from rsmamba.ops.channel_scan.reference import channel_scan_reference

Tensors = dict[str, Tensor]
channel_scan: Callable[..., Tensor] = typed_channel_scan  # takes a dictionary of tensors


def draw(*, K: int = 2, L: int, M: int, N: int) -> Tensors:
    """Draw inputs in float64 that are exact in float32."""
    generator = torch.Generator().manual_seed(L + 7 * M + 31 * N)
    tensors = {
        "x": torch.randn(K, L, M, generator=generator),
        "dt_weight": torch.randn(K, generator=generator),
        "dt_bias": torch.randn(K, generator=generator) - 2,
        "A": -torch.rand(K, N, generator=generator) * N - 0.01,
        "B": torch.randn(K, N, generator=generator),
        "C": torch.randn(K, N, generator=generator),
        "D": torch.randn(K, generator=generator),
    }
    return {name: tensor.double() for name, tensor in tensors.items()}


@pytest.mark.parametrize("sizes", [(1, 1, 1), (5, 3, 1), (130, 33, 16)])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_output_and_gradients_are_those_of_the_loop(
    sizes: tuple[int, int, int],
    dtype: torch.dtype,
    with_gradients: Callable[..., Tensors],
    assert_close: Callable[[Tensors, Tensors], None],
) -> None:
    length, sequences, states = sizes
    tensors = draw(L=length, M=sequences, N=states)
    expected = with_gradients(channel_scan_reference, tensors, torch.float64)
    assert_close(with_gradients(channel_scan, tensors, dtype), expected)


def test_gradients_are_those_of_finite_differences() -> None:
    tensors = {name: tensor.requires_grad_() for name, tensor in draw(L=5, M=3, N=2).items()}

    def scan(*values: Tensor) -> Tensor:
        return channel_scan(**dict(zip(tensors, values, strict=True)))

    assert torch.autograd.gradcheck(scan, tuple(tensors.values()))


def test_blocks_of_sequences_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The torch backend cuts many sequences into blocks, the last of which is short."""
    tensors = draw(L=9, M=11, N=3)
    whole = channel_scan(**tensors)
    monkeypatch.setattr(channel_scan_package, "_BLOCK", 4)
    torch.testing.assert_close(channel_scan(**tensors), whole, rtol=1e-12, atol=1e-12)


def test_transposed_input_is_read_as_it_is() -> None:
    tensors = draw(L=20, M=6, N=4)
    expected = channel_scan(**tensors)
    tensors["x"] = tensors["x"].transpose(1, 2).contiguous().transpose(1, 2)
    torch.testing.assert_close(channel_scan(**tensors), expected, rtol=1e-12, atol=1e-12)


def test_half_precision_is_computed_in_float32() -> None:
    tensors = {name: tensor.float() for name, tensor in draw(L=40, M=6, N=4).items()}
    tensors["x"] = tensors["x"].bfloat16()
    expected = channel_scan(**{**tensors, "x": tensors["x"].float()})
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = channel_scan(**tensors)
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y, expected.bfloat16(), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("x", (2, 3), "takes x of shape"),
        ("x", (2, 0, 3), "no empty axis"),
        ("B", (2, 5), r"B must have shape \(2, 4\)"),
        ("D", (3,), r"D must have shape \(2,\)"),
    ],
)
def test_wrong_shapes_are_named(name: str, shape: tuple[int, ...], message: str) -> None:
    tensors = draw(L=3, M=2, N=4)
    tensors[name] = torch.zeros(shape, dtype=torch.float64)
    with pytest.raises(ShapeError, match=message):
        channel_scan(**tensors)
