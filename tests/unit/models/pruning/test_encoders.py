"""PlainMamba and ViM that drop tokens: counts, maps, gradients, and the dense network in them."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rsmamba.errors import OptionError
from rsmamba.models import create_classifier, create_encoder, create_model
from rsmamba.models.encoders.plainmamba import Config
from rsmamba.models.encoders.plainmamba.kept import keep_of_grid
from rsmamba.models.encoders.plainmamba.mixer import PlainMamba2D
from rsmamba.models.encoders.plainmamba.snake import snake_grid
from rsmamba.models.encoders.vim import Config as VimConfig
from rsmamba.models.encoders.vim.gaps import gaps_of
from rsmamba.models.encoders.vim.mixer import BidirectionalMamba
from rsmamba.models.pruning.config import PruningConfig
from rsmamba.models.pruning.tokens import KeptTokens, kept_tokens
from rsmamba.ops.gapped_scan import sequence_scans

PLAIN: dict[str, Any] = {"embed_dims": 16, "num_layers": 4, "out_indices": (0, 1, 2, 3)}
VIM: dict[str, Any] = {"embed_dim": 16, "depth": 4, "out_indices": (0, 1, 2, 3)}
SMALL = {"plainmamba_l1": PLAIN, "vim_tiny": VIM}
PRUNED = {"layers": (1, 3), "ratio": 0.6}
RESIDUAL: dict[str, Any] = {"use_residual_as_feature": True}
NAMES = list(SMALL)


def randomised(module: nn.Module) -> nn.Module:
    """Return a module in float64 with random values everywhere."""
    for parameter in module.double().parameters():
        nn.init.normal_(parameter, std=0.5)
    return module.eval()


def some_tokens(count: int, length: int) -> KeptTokens:
    """Return random kept tokens of two images; the first token is not always among them."""
    rows = [torch.randperm(length - 1)[:count].sort().values + image for image in range(2)]
    return kept_tokens(torch.stack(rows), length=length)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("make", [create_encoder, create_classifier])
def test_ratio_one_gives_the_dense_bits(name: str, make: Any) -> None:  # noqa: ANN401 - two factories
    dense = make(name, **SMALL[name]).eval()
    pruned = make(name, **SMALL[name], pruning={"layers": (1, 2), "ratio": 1}).eval()
    pruned.load_state_dict(dense.state_dict())
    image = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        wanted, given = dense(image), pruned(image)
    assert all(torch.equal(*pair) for pair in zip(wanted, given, strict=True))


@pytest.mark.parametrize("kept_share", [0.2, 0.6, 1.0])
@pytest.mark.parametrize(("height", "width"), [(4, 5), (5, 3), (1, 6)])
def test_a_mixer_of_kept_tokens_equals_one_with_zeros(
    height: int, width: int, kept_share: float
) -> None:
    """With its own step sizes for every token; what was dropped is zero after the projection."""
    torch.manual_seed(0)
    config = Config(embed_dims=8, d_state=3, permute_selective=True)
    mixer, cells = randomised(PlainMamba2D(config)), height * width
    assert isinstance(mixer, PlainMamba2D)
    kept = some_tokens(max(1, int(kept_share * (cells - 1))), cells)
    grid = snake_grid(height, width, device=torch.device("cpu"))
    place = keep_of_grid(grid, kept, kernel=7, alignment="zero_input")
    tokens = torch.randn(2, cells, 8, dtype=torch.float64)
    mask = kept.among_zeros(torch.ones(*kept.index.shape, 1, dtype=torch.float64))
    u, z = mixer.in_proj(tokens).chunk(2, dim=-1)
    u = nn.functional.silu(mixer._convolved(u * mask, grid)) * mask
    y = dense_scan(mixer, u, grid.order, grid.moves, mask=mask)
    wanted = mixer.out_proj(y * nn.functional.silu(z))
    given = mixer(kept.of(tokens), place)
    torch.testing.assert_close(given, kept.of(wanted), rtol=1e-12, atol=1e-12)


def dense_scan(
    mixer: PlainMamba2D, u: Tensor, orders: Tensor, moves: Tensor, *, mask: Tensor
) -> Tensor:
    """Scan all tokens (B, L, E), where dropped ones are zero and let the bias's time pass."""
    low, b, c = mixer.x_proj(u).split([mixer.dt_rank, mixer.d_state, mixer.d_state], dim=-1)
    raw = low @ mixer.dt_proj.weight.t() * mask + 2 * mixer.dt_proj.bias
    steps = nn.functional.softplus(raw, threshold=50)
    total = torch.zeros_like(u)
    for order, move in zip(orders.tolist(), moves, strict=True):
        state = torch.zeros(len(u), *mixer.A_log.shape, dtype=u.dtype)
        for token in order:
            step = steps[:, token, :, None]
            gain = (b[:, token] + mixer.direction_Bs[move[token]])[:, None]
            state = torch.exp(step * mixer._decay()) * state + step * u[:, token, :, None] * gain
            total[:, token] += (state @ c[:, token, :, None]).squeeze(-1) + mixer.D * u[:, token]
    return total


def test_without_permutation_steps_pair_kept_tokens_with_each_other() -> None:
    """Step k of a scan reads the step size, B and C of kept token k in raster order."""
    kept = some_tokens(7, 12)
    grid = snake_grid(3, 4, device=torch.device("cpu"))
    place = keep_of_grid(grid, kept, kernel=7, alignment="none")
    numbers = torch.arange(7.0).expand(2, -1).unsqueeze(-1)
    steps = place.by_step(numbers).squeeze(-1)  # (B, n, 4)
    for image in range(2):
        for scan, order in enumerate(place.order[image].tolist()):
            assert steps[image, order, scan].tolist() == list(range(7))
            visited = grid.inverse[scan, kept.index[image, order]]
            assert (visited.diff() > 0).all()


@pytest.mark.parametrize("kind", ["none", "v1", "v2"])
def test_vim_without_alignment_is_the_short_sequence(kind: Any) -> None:  # noqa: ANN401 - a literal
    mixer = randomised(BidirectionalMamba(VimConfig(embed_dim=8, d_state=3, bimamba_type=kind)))
    kept = some_tokens(5, 11)
    tokens = torch.randn(2, 5, 8, dtype=torch.float64)
    none, zero = (mixer(tokens, gaps_of(kept, alignment=name)) for name in ("none", "zero_input"))
    torch.testing.assert_close(none, mixer(tokens))
    assert (zero - none).abs().max() > 1e-6


@pytest.mark.parametrize("kind", ["none", "v1", "v2"])
@pytest.mark.parametrize("seed", range(3))
def test_vim_scans_kept_tokens_as_if_the_others_were_zero(kind: Any, seed: int) -> None:  # noqa: ANN401 - a literal
    torch.manual_seed(seed)
    mixer = randomised(BidirectionalMamba(VimConfig(embed_dim=8, d_state=3, bimamba_type=kind)))
    assert isinstance(mixer, BidirectionalMamba)
    kept = some_tokens(5, 11)
    x = torch.randn(2, 5, 16, dtype=torch.float64)
    terms = torch.randn(2, 5, sum(mixer._owners()[0].sizes), dtype=torch.float64)
    gaps = gaps_of(kept, alignment="zero_input")
    for number in range(len(mixer.directions)):
        full = mixer.sequence_scan(number, kept.among_zeros(x), kept.among_zeros(terms))
        (dense,) = sequence_scans([full])
        short = mixer.sequence_scan(number, x, terms)
        (given,) = sequence_scans([short], gaps=gaps.before[:, number, None])
        torch.testing.assert_close(given, kept.of(dense), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_dropped_tokens_keep_their_value_in_later_maps(name: str) -> None:
    options = {**SMALL[name], "pyramid" if "plain" in name else "if_fpn": False}
    if name == "vim_tiny":
        options |= {"use_residual_as_feature": True, "last_layer_process": "add"}
    encoder = create_encoder(name, **options, pruning=PruningConfig(layers=(2,), ratio=0.3)).eval()
    if name == "plainmamba_l1":
        # So that the maps show the tokens themselves.
        encoder.get_submodule("backbone").ln1 = nn.Identity()
        encoder.out_norms = nn.ModuleDict({str(index): nn.Identity() for index in range(3)})
    with torch.no_grad():
        maps = encoder(torch.randn(2, 3, 80, 64))
    cells = maps[0].flatten(2).shape[2]
    kept = -(-3 * cells // 10)
    for later in maps[2:]:
        same = (later == maps[1]).all(dim=1).flatten(1)
        assert same.sum(dim=1).tolist() == [cells - kept] * 2


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("alignment", ["zero_input", "prev_delta"])
def test_gradients_reach_every_parameter(name: str, alignment: str) -> None:
    encoder = create_encoder(name, **SMALL[name], pruning={**PRUNED, "alignment": alignment})
    maps = encoder.eval()(torch.randn(2, 3, 64, 96))
    sum(feature.square().mean() for feature in maps).backward()
    without = [key for key, parameter in encoder.named_parameters() if parameter.grad is None]
    assert without == []


@pytest.mark.parametrize("name", NAMES)
def test_training_and_prediction_see_the_same_network(name: str) -> None:
    """One runs the parts, the other the kernels."""
    torch.manual_seed(1)
    classifier = create_classifier(name, **SMALL[name], pruning=PRUNED, num_classes=5).eval()
    image = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        fast = classifier(image)
    torch.testing.assert_close(fast, classifier(image).detach(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("ratio", [1e-6, 0.6, 0.99])
@pytest.mark.parametrize(
    "options",
    [
        {"use_double_cls_token": True},
        {"if_cls_token": False, "final_pool_type": "max"},
        {"use_middle_cls_token": False, "flip_img_sequences_ratio": 1.0},
        {"if_rope": True, "if_rope_residual": True},
        {"pruning_source": "bwd"},
    ],
    ids=str,
)
def test_vim_classifies_whatever_its_class_tokens(options: dict[str, Any], ratio: float) -> None:
    options = dict(options)
    pruning = {"layers": (1, 2), "ratio": ratio, "gated": True}
    pruning["score_source"] = options.pop("pruning_source", "sum")
    classifier = create_classifier("vim_tiny", **VIM, **options, pruning=pruning, num_classes=3)
    with torch.no_grad():
        scores = classifier.eval()(torch.randn(2, 3, 32, 80))
    assert scores.shape == (2, 3)
    assert torch.isfinite(scores).all()


def test_the_class_token_is_read_where_it_has_moved() -> None:
    """A classifier that reads another token than the dense one would not be near it."""
    torch.manual_seed(0)
    dense = create_classifier("vim_tiny", **VIM, num_classes=5).eval()
    pruned = create_classifier(
        "vim_tiny", **VIM, num_classes=5, pruning={"layers": (3,), "ratio": 0.97}
    ).eval()
    pruned.load_state_dict(dense.state_dict())
    image = torch.randn(2, 3, 96, 96)
    with torch.no_grad():
        torch.testing.assert_close(pruned(image), dense(image), rtol=0.05, atol=0.05)


@pytest.mark.parametrize("name", NAMES)
def test_decoders_see_complete_maps(name: str) -> None:
    model = create_model(
        f"{name}+light", num_classes=4, encoder={**SMALL[name], "pruning": PRUNED}
    ).eval()
    with torch.no_grad():
        assert model(torch.randn(1, 3, 50, 70)).shape == (1, 4, 50, 70)


def test_a_convolution_of_a_later_block_sees_zeros_for_dropped_tokens() -> None:
    options = {**PLAIN, "layers_with_dwconv": (2,)}
    encoder = create_encoder("plainmamba_l1", **options, pruning=PRUNED).eval()
    assert all(torch.isfinite(feature).all() for feature in encoder(torch.randn(1, 3, 64, 64)))


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("plainmamba_l1", {"pruning": {"layers": (4,)}}, "after layer 4, but the network has 4"),
        (
            "plainmamba_l1",
            {"pruning": {"layers": (1,), "score_source": "fwd"}},
            'only "sum" can be scored',
        ),
        ("plainmamba_l1", {"pruning": {"layers": (1,), "score": "l3"}}, "choose one of 'clip'"),
        ("vim_tiny", {"pruning": {"layers": (9,)}}, "after layer 9, but the network has 4"),
        (
            "vim_tiny",
            {"pruning": {"layers": (1,)}, "if_bidirectional": True},
            "if_bidirectional cannot drop tokens",
        ),
        (
            "vim_tiny",
            {"pruning": {"layers": (1,), "score_source": "bwd"}, "bimamba_type": "none"},
            "scans only forwards",
        ),
    ],
)
def test_what_cannot_be_pruned_is_refused(name: str, options: dict[str, Any], text: str) -> None:
    with pytest.raises(OptionError, match=text):
        create_encoder(name, **SMALL[name], **options)
