"""ViM2 against the paper's equations, written out as plain loops.

No code and no weights of MambaMixer (arXiv 2403.19888) were released, so this file holds its own
forward pass: pixel by pixel, direction by direction, channel by channel, in float64, on nothing but
the names and values of the state dict.
"""

# ruff: noqa: N806 - A, B, C, D as the papers write them

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from rsmamba.models.encoders.mambamixer import Config, make_classifier, make_encoder
from rsmamba.models.options import config_from_options

State = Mapping[str, Tensor]
SMALL = {
    "embed_dim": 8,
    "token_depths": (2, 2),
    "channel_depths": (1, 1),
    "token": {"d_state": 3},
    "channel": {"ratios": (2.0, 0.5), "d_state": 3},
}
BANDS, CLASSES = 2, 3


def part(state: State, name: str) -> State:
    """Return the entries below a name, without it."""
    return {k.removeprefix(f"{name}."): v for k, v in state.items() if k.startswith(f"{name}.")}


def norm(x: Tensor, state: State, name: str) -> Tensor:
    mean = x.mean(-1, keepdim=True)
    variance = ((x - mean) ** 2).mean(-1, keepdim=True)
    return (x - mean) / (variance + 1e-5).sqrt() * state[f"{name}.weight"] + state[f"{name}.bias"]


def silu(x: Tensor) -> Tensor:
    return x / (1 + torch.exp(-x))


def s6(u: Tensor, state: State, k: int) -> Tensor:
    """Scan a sequence (steps, E) with the parameters of direction k."""
    x_proj, dt_proj = state["x_proj_weight"][k], state["dt_projs_weight"][k]  # (E, R)
    A = -torch.exp(state["A_logs"].reshape(-1, *u.shape[1:], state["A_logs"].shape[-1])[k])
    D = state["Ds"].reshape(-1, u.shape[1])[k]
    rank, states = dt_proj.shape[1], A.shape[1]
    h = torch.zeros_like(A)
    y = torch.zeros_like(u)
    for t in range(u.shape[0]):
        r, B, C = (x_proj @ u[t]).tensor_split([rank, rank + states])
        dt = torch.log1p(torch.exp(dt_proj @ r + state["dt_projs_bias"][k]))
        h = torch.exp(dt[:, None] * A) * h + (dt * u[t])[:, None] * B
        y[t] = h @ C + D * u[t]
    return y


def token_mixer(x: Tensor, state: State, *, out_norm: bool) -> Tensor:
    """Mix the pixels of a map (H, W, C)."""
    height, width, _ = x.shape
    v, gate = (x @ state["in_proj.weight"].t()).chunk(2, dim=-1)
    kernel, conv = state["conv2d.weight"][:, 0], torch.zeros_like(v)
    for row in range(height):
        for col in range(width):
            conv[row, col] = state["conv2d.bias"]
            for i in range(3):
                for j in range(3):
                    r, c = row + i - 1, col + j - 1
                    if 0 <= r < height and 0 <= c < width:
                        conv[row, col] += kernel[:, i, j] * v[r, c]
    u = silu(conv).reshape(height * width, -1)
    rows = [row * width + col for row in range(height) for col in range(width)]
    cols = [row * width + col for col in range(width) for row in range(height)]
    y = torch.zeros_like(u)
    for k, order in enumerate([rows, cols, rows[::-1], cols[::-1]]):
        y[order] += s6(u[order], state, k)
    y = y.reshape(height, width, -1)
    y = norm(y, state, "out_norm") if out_norm else y
    return (y * silu(gate)) @ state["out_proj.weight"].t()


def convolved(sequence: Tensor, state: State, k: int) -> Tensor:
    """Convolve a sequence (steps, E) with the causal taps of direction k."""
    weight, bias = state["scan.conv.weight"][:, k, 0], state["scan.conv.bias"][k, 0]
    out = []
    for t in range(sequence.shape[0]):
        total = bias.clone().expand(sequence.shape[1]).clone()
        for tap in range(weight.shape[0]):
            before = t - (weight.shape[0] - 1 - tap)
            if before >= 0:
                total += weight[tap] * sequence[before]
        out.append(total)
    return silu(torch.stack(out))


def scalar_s6(u: Tensor, state: State, k: int) -> Tensor:
    """Scan a sequence (steps, 1) whose projections are those of one number."""
    A = -torch.exp(state["A_logs"][k])
    h, y = torch.zeros_like(A), torch.zeros_like(u)
    for t, value in enumerate(u[:, 0]):
        dt = torch.log1p(torch.exp(state["dt_weight"][k] * value + state["dt_bias"][k]))
        B, C = state["B_weight"][k] * value, state["C_weight"][k] * value
        h = torch.exp(dt * A) * h + dt * B * value
        y[t] = C @ h + state["Ds"][k] * value
    return y


def both_ways(sequence: Tensor, state: State) -> Tensor:
    """Scan a sequence (steps, E) of channels forwards and backwards."""
    scan = scalar_s6 if "scan.dt_weight" in state else s6
    total = torch.zeros_like(sequence)
    for k in range(state["scan.conv.bias"].shape[0]):
        directed = sequence.flip(0) if k else sequence
        y = scan(convolved(directed, state, k), part(state, "scan"), k)
        total += y.flip(0) if k else y
    return total


def channel_mixer(x: Tensor, state: State, *, features: str, group: int) -> Tensor:
    """Mix the channels of a map (H, W, C)."""
    v, gate = (x @ state["in_proj.weight"].t()).chunk(2, dim=-1)
    pixels = v.reshape(-1, v.shape[-1])
    if features == "tokens":
        y = both_ways(pixels.t(), state).t()
    else:
        size = group if features == "groups" else 1
        y = torch.stack([both_ways(p.reshape(-1, size), state).flatten() for p in pixels])
    return (y.reshape(v.shape) * silu(gate)) @ state["out_proj.weight"].t()


def averaged(maps: list[Tensor], state: State, index: int, *, softmax: bool) -> Tensor:
    weights = state[f"averages.{index}.weight"]
    weights = torch.exp(weights) / torch.exp(weights).sum() if softmax else weights
    return torch.stack([w * y for w, y in zip(weights, maps, strict=True)]).sum(0)


def stage(x: Tensor, state: State, config: Config, *, kinds: str) -> Tensor:
    maps, softmax = [x], config.averaging == "softmax"
    for index, kind in enumerate(kinds):
        block = part(state, f"mixers.{index}")
        bare = config.averaging == "none"
        x_in = maps[-1] if bare else averaged(maps, state, index, softmax=softmax)
        inner, mixer = norm(x_in, block, "norm"), part(block, "op")
        if kind == "T":
            y = token_mixer(inner, mixer, out_norm=config.token.out_norm)
        else:
            channel = config.channel
            y = channel_mixer(inner, mixer, features=channel.features, group=channel.group_size)
        maps.append(x_in + y if config.inner_residual else y)
    if config.inner_residual:
        return maps[-1]
    return averaged(maps, state, len(kinds), softmax=softmax)


def plain_maps(image: Tensor, state: State, config: Config, *, kinds: str) -> list[Tensor]:
    """Compute the map (H, W, C) of both stages for one image (C, H, W), sides multiples of 4."""
    patches = image.unfold(1, 4, 4).unfold(2, 4, 4).permute(1, 2, 0, 3, 4).flatten(2)
    weight = state["patch_embed.proj.weight"].flatten(1)
    x = norm(
        patches @ weight.t() + state["patch_embed.proj.bias"], part(state, "patch_embed"), "norm"
    )
    first = stage(x, part(state, "stages.0"), config, kinds=kinds)
    height, width, dim = first.shape
    even = torch.zeros(height + height % 2, width + width % 2, dim, dtype=x.dtype)
    even[:height, :width] = first
    cells = torch.cat([even[::2, ::2], even[1::2, ::2], even[::2, 1::2], even[1::2, 1::2]], dim=-1)
    merging = part(state, "mergings.0")
    merged = norm(cells, merging, "norm") @ merging["reduction.weight"].t()
    return [first, stage(merged, part(state, "stages.1"), config, kinds=kinds)]


def randomised(module: torch.nn.Module) -> torch.nn.Module:
    """Give every parameter a value at random, so that none is 0 or 1 by chance."""
    generator = torch.Generator().manual_seed(5)
    module = module.double().eval()
    for name, value in module.named_parameters():
        noise = torch.randn(value.shape, generator=generator, dtype=torch.float64)
        value.data = noise * 0.3 + (1.0 if name.endswith("norm.weight") else 0.0)
    return module


CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "default": ("TTC", {}),
    "channels first": ("CTT", {"order": "channels_first", "averaging": "none"}),
    "no residual": ("TTC", {"inner_residual": False, "averaging": "ones"}),
    "softmax": ("TTC", {"averaging": "softmax", "token": {"d_state": 3, "out_norm": False}}),
    "groups": (
        "TTC",
        {"channel": {**SMALL["channel"], "features": "groups", "group_size": 4}},  # type: ignore[dict-item]  # a nested mapping
    ),
    "tokens": (
        "TTC",
        {
            "image_size": (12, 20),
            "channel": {**SMALL["channel"], "features": "tokens", "bidirectional": False},  # type: ignore[dict-item]  # a nested mapping
        },
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_maps_and_logits_are_those_of_the_equations(case: str) -> None:
    kinds, options = CASES[case]
    config = config_from_options(Config, {**SMALL, **options})
    classifier = randomised(make_classifier(config, in_channels=BANDS, num_classes=CLASSES))
    encoder = make_encoder(config, in_channels=BANDS).double().eval()
    state = {name: value.detach() for name, value in classifier.state_dict().items()}
    encoder.trunk.load_state_dict(part(state, "trunk"))
    generator = torch.Generator().manual_seed(7)
    images = torch.randn(2, BANDS, 12, 20, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        actual, logits = encoder(images), classifier(images)
    for index, image in enumerate(images):
        expected = plain_maps(image, part(state, "trunk"), config, kinds=kinds)
        for ours, theirs in zip(actual, expected, strict=True):
            plain = functional.layer_norm(theirs, theirs.shape[-1:]).permute(2, 0, 1)
            torch.testing.assert_close(ours[index], plain, rtol=0, atol=1e-10)
        pooled = norm(expected[-1].mean((0, 1)), state, "norm")
        plain_logits = state["head.weight"] @ pooled + state["head.bias"]
        torch.testing.assert_close(logits[index], plain_logits, rtol=0, atol=1e-10)
