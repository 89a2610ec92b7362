"""Encoders of several resolutions that feed some tokens forward only."""

from typing import Any

import pytest
import torch
from torch import Tensor

from rsmamba import SceneModel, create_model
from rsmamba.errors import OptionError
from rsmamba.models import create_encoder, describe_architecture
from rsmamba.models.encoders.groupmamba.block import ConvMlp
from rsmamba.models.pruning.config import FeedForwardPruning
from rsmamba.models.pruning.feeding import fed_forward
from rsmamba.models.pruning.setting import choose_pruning, pruned, pruning_of
from rsmamba.models.pruning.tokens import kept_tokens

SMALL: dict[str, dict[str, Any]] = {
    "vmamba_tiny_s1l8": {"dims": (16, 32), "depths": (1, 2)},
    "vssd_tiny": {"embed_dim": 16, "depths": (1, 1, 1, 1), "num_heads": (1, 1, 2, 2)},
    "groupmamba_tiny": {
        "embed_dims": (16, 32),
        "depths": (1, 2),
        "mlp_ratios": (2, 2),
        "distillation": False,
    },
}
NAMES = list(SMALL)


def test_the_most_changed_tokens_are_fed_forward() -> None:
    features, mixed = torch.zeros(2, 2, 3, 1), torch.zeros(2, 2, 3, 1)
    mixed[0, 1, 2], mixed[0, 0, 0] = -5.0, 1.0
    mixed[1, 0, 1], mixed[1, 1, 0] = 2.0, 3.0
    fed = fed_forward(
        features, mixed, pruning=FeedForwardPruning(ratio=0.33), everywhere=lambda t: t + 1
    )
    assert fed[..., 0].tolist() == [[[1, 0, 0], [0, 0, 1]], [[0, 1, 0], [1, 0, 0]]]


@pytest.mark.parametrize("name", NAMES)
def test_ratio_one_gives_the_dense_bits(name: str) -> None:
    dense = create_encoder(name, **SMALL[name]).eval()
    whole = create_encoder(name, **SMALL[name], pruning={"ratio": 1}).eval()
    whole.load_state_dict(dense.state_dict())
    image = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        assert all(torch.equal(*pair) for pair in zip(dense(image), whole(image), strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_gradients_reach_every_parameter(name: str) -> None:
    encoder = create_encoder(name, **SMALL[name], pruning=FeedForwardPruning(ratio=0.4))
    maps = encoder(torch.randn(2, 3, 64, 64))
    sum(feature.square().mean() for feature in maps).backward()
    assert [key for key, value in encoder.named_parameters() if value.grad is None] == []


@pytest.mark.parametrize("name", NAMES)
def test_training_and_prediction_see_the_same_network(name: str) -> None:
    torch.manual_seed(3)
    encoder = create_encoder(name, **SMALL[name], pruning={"ratio": 0.6}).eval()
    image = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        fast = encoder(image)
    for first, second in zip(fast, encoder(image), strict=True):
        torch.testing.assert_close(first, second.detach(), rtol=1e-3, atol=1e-4)


def test_a_convolution_sees_zero_for_what_is_not_fed_forward() -> None:
    torch.manual_seed(0)
    part = ConvMlp(16, 32).double()
    kept = kept_tokens(torch.tensor([[0, 3, 4, 11]]), length=12)
    tokens = torch.randn(1, 4, 16, dtype=torch.float64)
    full = kept.among_zeros(part.fc1(tokens)).view(1, 3, 4, 32)
    wanted: Tensor = part.fc2(part.act(part.dwconv(full)))
    given = part.at(tokens, kept, height=3, width=4)
    torch.testing.assert_close(given, kept.of(wanted.flatten(1, 2)), rtol=1e-12, atol=1e-12)


def scene_model(name: str) -> SceneModel:
    """Return a small segmentation model with an encoder."""
    options: dict[str, Any] = {"encoder": SMALL[name]}
    network = create_model(f"{name}+light", num_classes=2, **options)
    architecture = describe_architecture(f"{name}+light", **options)
    return SceneModel(network, classes="ab", in_channels=3, architecture=architecture).eval()


def test_a_share_of_work_gives_a_ratio() -> None:
    model = scene_model("vmamba_tiny_s1l8")
    assert 0 < choose_pruning(model, flops=0.01, tile=64).ratio < 1
    assert pruning_of(model) is None


def test_a_lent_model_comes_back_as_it_was() -> None:
    model = scene_model("vmamba_tiny_s1l8")
    before, image = model.fingerprint(), torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        dense = model(image)
        with pruned(model, choose_pruning(model, ratio=0.4)):
            assert pruning_of(model) == FeedForwardPruning(ratio=0.4)
            assert not torch.equal(model(image), dense)
        assert torch.equal(model(image), dense)
    assert model.fingerprint() == before


def test_without_a_feed_forward_part_nothing_can_be_left_out() -> None:
    with pytest.raises(OptionError, match=r"mlp_ratio 0\.0: a block leaves tokens out of its feed"):
        create_encoder("vmamba_tiny_v0", pruning={"ratio": 0.5})
    with pytest.raises(OptionError, match="keep ratio is 0"):
        FeedForwardPruning(ratio=0)
