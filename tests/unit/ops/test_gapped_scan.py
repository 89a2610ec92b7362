"""Scans over what is left of a sequence against the scan over all of it."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from rsmamba.errors import ShapeError
from rsmamba.ops.gapped_scan import Alignment, SequenceScan, gapped_scan, sequence_scans, token_scan
from rsmamba.ops.selective_scan import selective_scan

ALIGNMENTS: list[Alignment] = ["none", "zero_input", "prev_delta", "next_delta"]
LENGTH, CHANNELS, STATES = 19, 5, 3


def parameters(scans: int, channels: int = CHANNELS, states: int = STATES) -> dict[str, Any]:
    """Return random parameters of scans, in float64."""
    return {
        "A": -torch.rand(scans, channels, states, dtype=torch.float64),
        "D": torch.randn(scans, channels, dtype=torch.float64),
        "dt_bias": torch.randn(scans, channels, dtype=torch.float64),
    }


def full_sequence(batch: int, scans: int) -> dict[str, Any]:
    """Return random terms of all tokens."""
    shapes = {"x": CHANNELS, "dt": CHANNELS, "B": STATES, "C": STATES}
    return {
        name: torch.randn(batch, scans, LENGTH, size, dtype=torch.float64)
        for name, size in shapes.items()
    }


def gaps_of(mask: Tensor) -> Tensor:
    """Return the dropped tokens before each kept one of a mask (L,)."""
    places = mask.nonzero().flatten()
    return torch.cat([torch.zeros(1, dtype=torch.int64), places.diff() - 1])


def random_mask(*, first_is_dropped: bool) -> Tensor:
    """Return which tokens are kept, about half."""
    mask = torch.rand(LENGTH) < 0.5
    mask[0], mask[-3] = not first_is_dropped, True
    return mask


@pytest.mark.parametrize("first_is_dropped", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_zero_input_equals_a_scan_with_zeros_in_place_of_dropped_tokens(
    seed: int, first_is_dropped: bool
) -> None:
    torch.manual_seed(seed)
    mask = random_mask(first_is_dropped=first_is_dropped)
    terms, fixed = full_sequence(2, 3), parameters(3)
    absent = {name: value * mask[:, None] for name, value in terms.items()}
    dense = selective_scan(**absent, **fixed)
    kept = {name: value[:, :, mask] for name, value in terms.items()}
    gaps = gaps_of(mask).expand(2, 3, -1)
    compact = gapped_scan(**kept, **fixed, gaps=gaps)
    torch.testing.assert_close(compact, dense[:, :, mask], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("alignment", ALIGNMENTS)
def test_each_alignment_is_a_plain_recurrence(alignment: Alignment) -> None:
    torch.manual_seed(0)
    mask = random_mask(first_is_dropped=True)
    terms, fixed, gaps = full_sequence(1, 1), parameters(1), gaps_of(mask)
    kept = {name: value[0, 0, mask] for name, value in terms.items()}
    steps = functional.softplus(kept["dt"] + fixed["dt_bias"][0], threshold=50.0)
    idle = functional.softplus(fixed["dt_bias"][0], threshold=50.0)
    state, expected = torch.zeros(CHANNELS, STATES, dtype=torch.float64), []
    for k, gap in enumerate(gaps.tolist()):
        passed = {"none": 0 * idle, "zero_input": idle, "next_delta": steps[k]}
        passed["prev_delta"] = steps[k - 1]
        for _ in range(gap):
            state = torch.exp(passed[alignment][:, None] * fixed["A"][0]) * state
        state = torch.exp(steps[k, :, None] * fixed["A"][0]) * state
        state = state + (steps[k] * kept["x"][k])[:, None] * kept["B"][k]
        expected.append(state @ kept["C"][k] + fixed["D"][0] * kept["x"][k])
    short = {name: value[None, None] for name, value in kept.items()}
    y = gapped_scan(**short, **fixed, gaps=gaps[None, None], alignment=alignment)
    torch.testing.assert_close(y[0, 0], torch.stack(expected), rtol=1e-12, atol=1e-12)


def token_inputs(batch: int, tokens: int, channels: int, **sizes: int) -> dict[str, Any]:
    """Return random inputs of a token scan with four orders, in float64."""
    states, rank = sizes.get("states", STATES), sizes.get("rank", 2)
    fixed = parameters(4, channels, states)
    order = torch.rand(batch, 4, tokens).argsort(dim=-1)
    gaps = torch.randint(0, 4, (batch, 4, tokens))
    gaps[..., 0] = 0
    return {
        "x": torch.randn(batch, tokens, channels, dtype=torch.float64),
        "projections": torch.randn(batch, tokens, 4, rank + 2 * states, dtype=torch.float64),
        "dt_weight": torch.randn(4, channels, rank, dtype=torch.float64),
        **fixed,
        "order": order,
        "gaps": gaps,
    }


def test_a_token_scan_is_a_gapped_scan_along_each_order() -> None:
    inputs = token_inputs(2, 7, CHANNELS)
    expected = torch.zeros_like(inputs["x"])
    for image in range(2):
        for k in range(4):
            order = inputs["order"][image, k]
            low, B, C = inputs["projections"][image, order, k].split([2, STATES, STATES], dim=-1)
            y = gapped_scan(
                inputs["x"][image, order][None, None],
                (low @ inputs["dt_weight"][k].t())[None, None],
                inputs["A"][k : k + 1],
                B=B[None, None],
                C=C[None, None],
                D=inputs["D"][k : k + 1],
                dt_bias=inputs["dt_bias"][k : k + 1],
                gaps=inputs["gaps"][image, k][None, None],
            )
            expected[image, order] += y[0, 0]
    torch.testing.assert_close(token_scan(**inputs), expected)


@pytest.mark.parametrize("alignment", ALIGNMENTS)
@pytest.mark.parametrize(("tokens", "channels"), [(1, 16), (6, 3), (13, 33), (70, 48)])
def test_the_kernel_of_tokens_equals_the_parts(
    tokens: int, channels: int, alignment: Alignment
) -> None:
    torch.manual_seed(tokens)
    inputs = token_inputs(2, tokens, channels)
    single = {name: t.float() if t.dtype == torch.float64 else t for name, t in inputs.items()}
    with torch.no_grad():
        fast = token_scan(**single, alignment=alignment, backend="numba")
    exact = token_scan(**inputs, alignment=alignment, backend="torch")
    torch.testing.assert_close(fast.double(), exact, rtol=1e-4, atol=1e-4)


def test_parameters_that_all_orders_share_are_read_once() -> None:
    inputs = token_inputs(1, 9, 17)
    single = {name: t.float() if t.dtype == torch.float64 else t for name, t in inputs.items()}
    names = ("A", "D", "dt_bias", "dt_weight")
    shared = {name: single[name][:1].expand_as(single[name]) for name in names}
    copied = {name: value.contiguous() for name, value in shared.items()}
    torch.testing.assert_close(
        token_scan(**{**single, **shared}), token_scan(**{**single, **copied})
    )


@pytest.mark.parametrize("channels", [16, 21])
def test_the_kernel_of_sequences_equals_the_parts(channels: int) -> None:
    inputs: dict[str, Any] = {
        name: torch.randn(2, 2, 11, size)
        for name, size in {"x": channels, "dt": channels, "B": 4, "C": 4}.items()
    }
    fixed: dict[str, Any] = {
        name: value.float() for name, value in parameters(2, channels, 4).items()
    }
    gaps = torch.randint(0, 5, (2, 2, 11))
    with torch.no_grad():
        fast = gapped_scan(**inputs, **fixed, gaps=gaps, backend="numba")
    exact = gapped_scan(
        **{name: value.double() for name, value in (inputs | fixed).items()}, gaps=gaps
    )
    torch.testing.assert_close(fast.double(), exact, rtol=1e-4, atol=1e-5)


def sequence_scan(inputs: dict[str, Any], number: int, *, reverse: bool) -> SequenceScan:
    """Return one scan of `token_inputs`."""
    parts = {name: inputs[name][number] for name in ("dt_weight", "dt_bias", "A", "D")}
    return SequenceScan(
        inputs["x"] + number, inputs["projections"][:, :, number], **parts, reverse=reverse
    )


@pytest.mark.parametrize("ways", [(False,), (True,), (False, True), (False, True, True)])
@pytest.mark.parametrize("with_gaps", [False, True])
@pytest.mark.parametrize("channels", [16, 19])
def test_sequence_scans_are_gapped_scans_of_the_turned_sequences(
    ways: tuple[bool, ...], *, with_gaps: bool, channels: int
) -> None:
    inputs = token_inputs(2, 9, channels)
    gaps = inputs["gaps"][:, : len(ways)] if with_gaps else None
    scans = [sequence_scan(inputs, number, reverse=way) for number, way in enumerate(ways)]
    exact = sequence_scans(scans, gaps=gaps, backend="torch")
    single = [
        scan._replace(**{name: getattr(scan, name).float() for name in SequenceScan._fields[:6]})
        for scan in scans
    ]
    fast = sequence_scans(single, gaps=gaps, backend="numba")
    for number, (scan, y) in enumerate(zip(scans, exact, strict=True)):
        walked = torch.arange(9).flip(0) if scan.reverse else torch.arange(9)
        expected = token_scan(
            scan.x,
            scan.projections.unsqueeze(2),
            dt_weight=scan.dt_weight[None],
            dt_bias=scan.dt_bias[None],
            A=scan.A[None],
            D=scan.D[None],
            order=walked.expand(2, 1, 9),
            gaps=torch.zeros(2, 1, 9) if gaps is None else gaps[:, number, None],
        )
        torch.testing.assert_close(y, expected, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(fast[number].double(), expected, rtol=1e-4, atol=1e-4)


def test_sequence_scans_of_different_shapes_are_refused() -> None:
    inputs = token_inputs(2, 9, 16)
    scan = sequence_scan(inputs, 0, reverse=False)
    with pytest.raises(ShapeError, match=r"scan 2 has tensors of shapes .* must be the same"):
        sequence_scans([scan, scan._replace(x=scan.x[:, :5])])
    with pytest.raises(ShapeError, match=r"gaps must have shape \(2, 1, 9\) to go with 1 scans"):
        sequence_scans([scan], gaps=inputs["gaps"][:, :2])


def test_gaps_of_zero_change_nothing() -> None:
    terms, fixed = full_sequence(1, 2), parameters(2)
    gaps = torch.zeros(1, 2, LENGTH)
    torch.testing.assert_close(
        gapped_scan(**terms, **fixed, gaps=gaps), selective_scan(**terms, **fixed)
    )


def test_gradients_are_those_of_finite_differences() -> None:
    inputs = token_inputs(1, 4, 2, states=2, rank=1)
    names = ("x", "projections", "dt_weight", "dt_bias", "A", "D")
    tensors = tuple(inputs.pop(name).requires_grad_() for name in names)

    def scan(*values: Tensor) -> Tensor:
        given: dict[str, Any] = dict(zip(names, values, strict=True))
        return token_scan(**given, **inputs)

    assert torch.autograd.gradcheck(scan, tensors)


def test_a_step_size_that_rounds_to_zero_gives_finite_outputs() -> None:
    terms = {name: value.float() for name, value in full_sequence(1, 1).items()}
    terms["dt"] = terms["dt"] - 300
    fixed = {name: value.float() for name, value in parameters(1).items()}
    gaps = torch.zeros(1, 1, LENGTH)
    y = gapped_scan(**terms, **fixed, gaps=gaps, alignment="prev_delta")
    assert torch.isfinite(y).all()


def test_shapes_that_do_not_fit_are_refused() -> None:
    terms, fixed = full_sequence(1, 2), parameters(2)
    with pytest.raises(ShapeError, match=r"gaps must have shape \(1, 2, 19\)"):
        gapped_scan(**terms, **fixed, gaps=torch.zeros(1, 1, LENGTH))
    inputs = token_inputs(1, 4, 2)
    with pytest.raises(ShapeError, match=r"order must have shape \(1, 4, 4\)"):
        token_scan(**{**inputs, "order": inputs["order"][:, :2]})
