"""Counts of tokens, published multiply-adds, and the solver."""

import pytest

from rsmamba.errors import OptionError
from rsmamba.models.pruning.config import PruningConfig
from rsmamba.models.pruning.schedule import (
    evenly_spaced,
    num_kept,
    solve_ratio,
    tokens_entering,
)
from rsmamba.models.zoo import encoder_config, find_encoder

DEPTHS = {"plainmamba_l1": 24, "plainmamba_l2": 24, "plainmamba_l3": 36}


def published_gflops(name: str, layers: tuple[int, ...], ratio: float) -> float:
    """Return the multiply-adds of a pruned classifier at 224 by its paper's rule, in 1e9."""
    classes = int(name.startswith("vim"))
    tokens = tokens_entering(
        PruningConfig(layers=layers, ratio=ratio),
        depth=DEPTHS.get(name, 24),
        patches=196,
        class_tokens=classes,
    )
    config = encoder_config(name, {})
    family, _ = find_encoder(name)
    return family.paper_flops(config, height=224, width=224, num_classes=1000, tokens=tokens) / 1e9


def test_the_released_counts_of_vim_are_odd() -> None:
    config = PruningConfig(layers=(5, 10, 15), ratio=0.8)
    counts = tokens_entering(config, depth=24, patches=196, class_tokens=1)
    assert sorted(set(counts), reverse=True) == [197, 157, 125, 101]
    assert counts[4:6] == [197, 157]


@pytest.mark.parametrize(
    ("patches", "ratio", "kept"),
    [(196, 0.6, 118), (30, 0.1, 3), (5, 1.0, 5), (4, 1e-6, 1), (7, 0.5, 4)],
)
def test_the_kept_share_is_rounded_up(patches: int, ratio: float, kept: int) -> None:
    assert num_kept(patches, ratio) == kept


@pytest.mark.parametrize("patches", [1, 5, 196])
def test_ratio_one_keeps_all_beside_a_class_token(patches: int) -> None:
    assert num_kept(patches, 1.0, class_tokens=1) == patches
    assert num_kept(1, 0.5, class_tokens=1) == 1


@pytest.mark.parametrize(
    ("name", "layers", "ratio", "gflops"),
    [
        ("plainmamba_l3", (8, 18, 28), 1.0, 14.43),
        ("plainmamba_l3", (8, 18, 28), 0.6, 8.42),
        ("plainmamba_l3", (4, 11, 18, 25, 32), 0.75, 8.44),
        ("plainmamba_l1", (5, 10, 15), 0.8, 2.34),
        ("plainmamba_l2", (5, 10, 15), 0.7, 5.31),
        ("vim_small", (5, 10, 15), 0.8, 3.61),
        ("vim_small", (5, 15), 0.8, 4.02),
        ("vim_small", (5, 15), 0.7, 3.55),
        ("vim_tiny", (10, 20), 0.8, 1.27),
    ],
)
def test_multiply_adds_are_the_published_ones(
    name: str, layers: tuple[int, ...], ratio: float, gflops: float
) -> None:
    assert published_gflops(name, layers, ratio) == pytest.approx(gflops, abs=0.0051)


def test_the_solver_finds_the_ratio_of_a_reduction() -> None:
    ratio = solve_ratio(
        lambda r: published_gflops("plainmamba_l3", (8, 18, 28), r), reduction=0.416
    )
    assert ratio == pytest.approx(0.6, abs=0.01)
    saved = 1 - published_gflops("plainmamba_l3", (8, 18, 28), ratio) / 14.433
    assert saved == pytest.approx(0.416, abs=0.006)
    assert solve_ratio(lambda r: r, reduction=0) == 1


@pytest.mark.parametrize("reduction", [0.9, -0.1, 1.0])
def test_a_reduction_out_of_reach_is_refused(reduction: float) -> None:
    with pytest.raises(OptionError, match=r"cannot save .* give a share from 0 to 0\.5000"):
        solve_ratio(lambda ratio: 1 + ratio, reduction=reduction)


@pytest.mark.parametrize(
    ("depth", "layers"), [(24, (6, 12, 18)), (36, (9, 18, 27)), (2, (1,)), (4, (1, 2, 3))]
)
def test_default_layers_are_inside_the_network(depth: int, layers: tuple[int, ...]) -> None:
    assert evenly_spaced(depth) == layers


@pytest.mark.parametrize("ratio", [0.0, -0.5, 1.5])
def test_ratios_out_of_range_are_refused(ratio: float) -> None:
    with pytest.raises(OptionError, match=r"keep ratio is .* above 0 and at most 1"):
        PruningConfig(layers=(1,), ratio=ratio)


@pytest.mark.parametrize("layers", [(), (0, 3), (3, 2), (2, 2)])
def test_layers_must_rise_from_one(layers: tuple[int, ...]) -> None:
    with pytest.raises(OptionError, match="numbers of blocks from 1, rising"):
        PruningConfig(layers=layers)
