"""GroupMamba against its published counts and independent formulations."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from rsmamba.errors import OptionError
from rsmamba.models.encoders.groupmamba import (
    VARIANTS,
    Config,
    make_classifier,
    make_encoder,
    paper_flops,
)
from rsmamba.models.encoders.groupmamba.mixer import (
    GroupedScan,
    ModulatedGroupMixer,
    from_sequences,
    to_sequences,
)
from rsmamba.models.options import config_from_options

SMALL = Config(
    stem_hidden_dim=8, embed_dims=(64, 48, 68, 80), depths=(1, 2, 1, 1), mlp_ratios=(2, 2, 2, 2)
)


def variant(name: str, **options: Any) -> Config:  # noqa: ANN401 - any field of the configuration
    """Return the configuration of a published size."""
    return config_from_options(Config, {**VARIANTS[name].options, **options})


def position(group: int, pixel: tuple[int, int], size: tuple[int, int]) -> int:
    """Return where a group's sequence holds a pixel, as the specification's table states it."""
    (row, col), (height, width) = pixel, size
    by_row, by_column, last = row * width + col, col * height + row, height * width - 1
    return (by_row, by_column, last - by_row, last - by_column)[group]


def looped_scan(scan: GroupedScan, features: Tensor) -> Tensor:
    """Run the groups of one image (H, W, C) one by one, with index tables."""
    height, width, _ = features.shape
    projected = [
        functional.linear(group, weight).chunk(2, dim=-1)
        for group, weight in zip(features.chunk(4, dim=-1), scan.in_proj.weight, strict=True)
    ]
    x = functional.silu(scan.conv2d(torch.cat([x for x, _ in projected], dim=-1)[None]))[0]
    pixels = [(row, col) for row in range(height) for col in range(width)]
    results = []
    for g, x_group in enumerate(x.chunk(4, dim=-1)):
        table = [position(g, pixel, (height, width)) for pixel in pixels]
        mixed = looped_group(scan, g, x_group.flatten(0, 1), table)
        weight, bias = (p.chunk(4)[g] for p in (scan.out_norm.weight, scan.out_norm.bias))
        normed = functional.layer_norm(mixed, mixed.shape[-1:], weight, bias)
        gated = normed.view(height, width, -1) * functional.silu(projected[g][1])
        results.append(functional.linear(gated, scan.out_proj.weight[g]))
    return torch.cat(results, dim=-1)


def looped_group(scan: GroupedScan, g: int, x: Tensor, table: list[int]) -> Tensor:
    """Run the recurrence of one group over pixels (L, D) in the order of a table."""
    state = torch.zeros_like(x[0])
    mixed = [state] * len(table)
    for pixel in sorted(range(len(table)), key=table.__getitem__):
        projected = scan.x_proj_weight[g] @ x[pixel]
        low_rank, b, c = projected[: scan.rank], projected[-2], projected[-1]
        step = functional.softplus(scan.dt_projs_weight[g] @ low_rank + scan.dt_projs_bias[g])
        decay = torch.exp(-step * scan.A_logs[g, :, 0].exp())
        state = decay * state + step * b * x[pixel]
        mixed[pixel] = c * state + scan.Ds[g] * x[pixel]
    return torch.stack(mixed)


def randomised(module: torch.nn.Module) -> torch.nn.Module:
    """Give every parameter a value that matters."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
            parameter.copy_(parameter + 0.3 * noise)
    return module


@pytest.mark.parametrize(
    ("name", "parameters", "dense"),
    [
        ("groupmamba_tiny", 23_361_917, 20_462_224),
        ("groupmamba_small", 34_781_555, 31_143_298),
        ("groupmamba_base", 57_150_838, 53_512_581),
    ],
)
def test_parameters_equal_the_published_counts(name: str, parameters: int, dense: int) -> None:
    """The classifier with both heads, and the encoder alone."""
    with torch.device("meta"):
        classifier = make_classifier(variant(name), in_channels=3, num_classes=1000)
        encoder = make_encoder(variant(name), in_channels=3)
    assert sum(value.numel() for value in classifier.parameters()) == parameters
    assert sum(value.numel() for value in encoder.parameters()) == dense


def test_distillation_is_one_head() -> None:
    """Without it the classifier is smaller by the second head and answers with one tensor."""
    with torch.device("meta"):
        config = variant("groupmamba_tiny", distillation=False)
        classifier = make_classifier(config, in_channels=3, num_classes=1000)
        assert classifier(torch.empty(2, 3, 64, 64)).shape == (2, 1000)
    assert sum(value.numel() for value in classifier.parameters()) == 22_912_917


@pytest.mark.parametrize(
    ("name", "counted", "published", "tolerance"),
    [
        ("groupmamba_tiny", 4.635, 4.6, 0.01),
        # The rule behind the published 7.0 is not known; no count of ours comes closer.
        ("groupmamba_small", 7.186, 7.0, 0.03),
        ("groupmamba_base", 14.025, 14.0, 0.01),
    ],
)
def test_flops_come_close_to_the_published_ones(
    name: str, counted: float, published: float, tolerance: float
) -> None:
    """Multiply-adds of convolutions and linear layers, in G."""
    flops = paper_flops(variant(name), height=224, width=224, num_classes=1000) / 1e9
    assert flops == pytest.approx(counted, abs=6e-4)
    assert flops == pytest.approx(published, rel=tolerance)


def test_sequences_follow_the_four_directions() -> None:
    """Each group by the table of positions, on a map that is not square."""
    size = (3, 5)
    features = torch.randn(2, *size, 8)
    sequences = to_sequences(features)
    for group in range(4):
        for row in range(size[0]):
            for col in range(size[1]):
                token = sequences[:, group, position(group, (row, col), size)]
                assert token.equal(features[:, row, col, 2 * group : 2 * group + 2])
    restored = from_sequences(sequences, *size)
    assert restored.movedim(0, -2).flatten(-2).equal(features)


@pytest.mark.parametrize("size", [(3, 5), (5, 2), (1, 1)])
def test_scan_and_gradients_equal_a_loop(size: tuple[int, int]) -> None:
    """Output and all gradients in float64, also where height and width differ."""
    torch.manual_seed(0)
    scan = randomised(GroupedScan(68).double())
    assert isinstance(scan, GroupedScan)
    features = torch.randn(*size, 68, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(*size, 68, dtype=torch.float64)
    inputs = [features, *scan.parameters()]
    fused, looped = scan(features[None])[0], looped_scan(scan, features)
    torch.testing.assert_close(fused, looped)
    gradients = [torch.autograd.grad((y * weights).sum(), inputs) for y in (fused, looped)]
    for ours, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, expected)


def test_gradient_of_the_mixer_is_the_numerical_one() -> None:
    """Finite differences, on a map that is not square."""
    torch.manual_seed(0)
    mixer = randomised(ModulatedGroupMixer(16).double())
    features = torch.randn(1, 2, 3, 16, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(mixer, (features,))


def test_every_parameter_gets_a_gradient() -> None:
    """Odd sides, five bands; the classifier's last norm is reached through the class token."""
    torch.manual_seed(0)
    image = torch.randn(1, 5, 97, 131)
    encoder = make_encoder(SMALL, in_channels=5)
    classifier = make_classifier(SMALL, in_channels=5, num_classes=3)
    for module in (encoder, classifier):
        for name, parameter in module.named_parameters():
            # With few channels, chance may switch off all ReLUs of a channel affinity.
            if name.endswith("affinity.fc1.bias"):
                torch.nn.init.ones_(parameter)
    loss = torch.stack([features.square().mean() for features in encoder(image)]).sum()
    head, distilled = classifier(torch.cat([image, -image]))
    (loss + head.square().sum() + distilled.square().sum()).backward()
    for module in (encoder, classifier):
        for name, parameter in module.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
            # The class token is a sequence of one, which has no earlier state to decay.
            reached = name != "class_block.mixer.scan.A_logs"
            assert bool(parameter.grad.abs().sum() > 0) == reached, name


@pytest.mark.parametrize("size", [(97, 131), (1, 1), (64, 33)])
def test_maps_have_the_promised_sizes(size: tuple[int, int]) -> None:
    """Sides are divided by the stride and rounded up."""
    encoder = make_encoder(SMALL, in_channels=5).eval()
    with torch.inference_mode():
        maps = encoder(torch.randn(1, 5, *size))
    sides = [tuple(-(-side // stride) for side in size) for stride in encoder.strides]
    shapes = [(1, dim, *side) for dim, side in zip(encoder.out_channels, sides, strict=True)]
    assert [features.shape for features in maps] == shapes
    assert encoder.strides == (4, 8, 16, 32)


def test_half_precision_scans_in_float32() -> None:
    """A bfloat16 network comes as close to float32 as its own rounding allows."""
    torch.manual_seed(0)
    encoder = make_encoder(SMALL, in_channels=3).eval()
    image = torch.randn(1, 3, 32, 48)
    with torch.inference_mode():
        exact = encoder(image)
        halved = encoder.to(torch.bfloat16)(image.to(torch.bfloat16))
    for full, half in zip(exact, halved, strict=True):
        assert half.dtype == torch.bfloat16
        assert (half.float() - full).abs().max() < 0.1 * full.abs().max()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"depths": (1, 1)}, "one number for each stage"),
        ({"embed_dims": (64, 128, 350, 448)}, "multiples of 4"),
        ({"embed_dims": (12, 128, 348, 448)}, "at least 16"),
        ({"depths": (3, 0, 9, 3)}, "must be 1 or more"),
        ({"mlp_ratios": (8, 8, 4, 0.001)}, "without channels"),
        ({"drop_rate": 0.1}, "unknown option 'drop_rate'"),
    ],
)
def test_wrong_options_are_explained(options: dict[str, Any], problem: str) -> None:
    """What was given and what is allowed."""
    with pytest.raises(OptionError, match=problem):
        config_from_options(Config, options)
