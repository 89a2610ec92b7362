"""Tests of the non-causal state-space duality."""

import pytest
import torch
from torch import Tensor

from rsmamba.errors import ShapeError
from rsmamba.ops.non_causal_ssd import non_causal_ssd, non_causal_ssd_reference

# Tokens of a 1024x1024 tile behind a stem of stride 4.
TOKENS_OF_A_LARGE_TILE = 256 * 256


def inputs(
    *, length: int = 7, heads: int = 4, groups: int = 1, dtype: torch.dtype = torch.float64
) -> dict[str, Tensor]:
    """Make random tensors of the operator's shapes, with weights of both signs."""
    generator = torch.Generator().manual_seed(length * heads + groups)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

    terms = {name: normal(2, length, groups, 5) for name in "BC"}
    return {
        "x": normal(2, length, heads, 3),
        "weight": normal(2, length, heads),
        **terms,
        "D": normal(heads),
    }


@pytest.mark.parametrize("length", [1, 2, 7, 33])
@pytest.mark.parametrize(("heads", "groups"), [(1, 1), (4, 1), (4, 2), (6, 3), (4, 4)])
def test_products_match_the_reference(length: int, heads: int, groups: int) -> None:
    tensors = inputs(length=length, heads=heads, groups=groups)
    torch.testing.assert_close(non_causal_ssd(**tensors), non_causal_ssd_reference(**tensors))


@pytest.mark.parametrize("groups", [1, 2])
def test_gradients_are_those_of_the_output(groups: int) -> None:
    tensors = {k: v.requires_grad_() for k, v in inputs(length=5, groups=groups).items()}
    names = list(tensors)
    assert torch.autograd.gradcheck(
        lambda *values: non_causal_ssd(**dict(zip(names, values, strict=True))),
        tuple(tensors.values()),
    )


def test_skip_is_optional() -> None:
    tensors = inputs()
    skip = tensors.pop("D")
    without = non_causal_ssd(**tensors)
    torch.testing.assert_close(
        non_causal_ssd(**tensors, D=skip), without + skip[:, None] * tensors["x"]
    )


def test_slices_of_one_map_are_taken_as_they_lie() -> None:
    joined = torch.randn(2, 7, 12 + 10, dtype=torch.float64)
    tensors = inputs() | {
        "x": joined[..., :12].view(2, 7, 4, 3),
        "B": joined[..., None, 12:17],
        "C": joined[..., None, 17:],
    }
    torch.testing.assert_close(non_causal_ssd(**tensors), non_causal_ssd_reference(**tensors))


def test_order_of_the_tokens_does_not_matter() -> None:
    tensors = inputs(length=9)
    skip = tensors.pop("D")
    flipped = non_causal_ssd(**{name: value.flip(1) for name, value in tensors.items()}, D=skip)
    torch.testing.assert_close(flipped.flip(1), non_causal_ssd(**tensors, D=skip))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_large_tile_does_not_overflow_in_half_precision(dtype: torch.dtype) -> None:
    shape = (1, TOKENS_OF_A_LARGE_TILE)
    x = torch.full((*shape, 2, 3), 4.0, dtype=dtype)
    terms = torch.ones(*shape, 1, 2, dtype=dtype)
    y = non_causal_ssd(x, torch.ones(*shape, 2, dtype=dtype), B=terms, C=terms)
    expected = 2 * 4.0 * TOKENS_OF_A_LARGE_TILE
    assert expected > torch.finfo(torch.float16).max
    torch.testing.assert_close(y, torch.full_like(y, expected), rtol=1e-5, atol=0)


def test_products_stay_in_float32_under_autocast() -> None:
    tensors = inputs(dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = non_causal_ssd(**tensors)
    assert y.dtype == torch.float32
    torch.testing.assert_close(y, non_causal_ssd(**tensors), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("x", (2, 7, 12), "takes x of shape"),
        ("B", (2, 7, 3, 5), "where G divides the heads"),
        ("weight", (2, 7, 3), r"weight must have shape \(2, 7, 4\)"),
        ("B", (2, 6, 1, 5), r"B must have shape \(2, 7, 1, 5\)"),
        ("C", (2, 7, 1, 4), r"C must have shape \(2, 7, 1, 5\)"),
        ("D", (3,), r"D must have shape \(4,\)"),
    ],
)
def test_shapes_that_do_not_agree_are_named(
    name: str, shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ShapeError, match=message):
        non_causal_ssd(**(inputs() | {name: torch.zeros(shape, dtype=torch.float64)}))
