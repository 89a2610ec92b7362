"""Pruning that is changed in a finished model, and kept in its file."""

from pathlib import Path
from typing import Any

import pytest
import torch

from rsmamba import SceneModel, create_model, load_model, save_model
from rsmamba.errors import OptionError
from rsmamba.models import describe_architecture
from rsmamba.models.pruning.config import PruningConfig
from rsmamba.models.pruning.setting import choose_pruning, pruned, pruning_of, set_pruning

NAME = "plainmamba_l1+light"
OPTIONS: dict[str, Any] = {"encoder": {"embed_dims": 16, "num_layers": 8, "out_indices": (1, 7)}}


def scene_model(name: str = NAME, **options: Any) -> SceneModel:  # noqa: ANN401 - options of any network
    """Return a model of two classes."""
    torch.manual_seed(0)
    return SceneModel(
        create_model(name, num_classes=2, **options),
        classes=("land", "water"),
        in_channels=3,
        name="tiny",
        architecture=describe_architecture(name, **options),
    ).eval()


def scores(model: SceneModel) -> torch.Tensor:
    """Score one image."""
    image = torch.linspace(-2, 2, 3 * 96 * 128).cos().view(1, 3, 96, 128)
    with torch.no_grad():
        result: torch.Tensor = model(image)
    return result


def test_pruning_is_changed_and_kept_in_the_file(tmp_path: Path) -> None:
    model = scene_model(**OPTIONS)
    dense, before = scores(model), model.fingerprint()
    set_pruning(model, choose_pruning(model, ratio=0.5))
    pruned = scores(model)
    assert not torch.equal(pruned, dense)
    assert model.fingerprint() != before
    again = load_model(save_model(model, tmp_path / "pruned.safetensors"), device="cpu")
    assert torch.equal(scores(again), pruned)
    set_pruning(again, None)
    assert torch.equal(scores(again), dense)
    assert again.fingerprint() == before


def test_stored_layers_and_alignment_are_kept() -> None:
    stored = PruningConfig(layers=(3, 5), ratio=0.9, alignment="next_delta")
    encoder = {**OPTIONS["encoder"], "pruning": stored}
    model = scene_model(encoder=encoder)
    chosen = choose_pruning(model, ratio=0.4)
    assert chosen == PruningConfig(layers=(3, 5), ratio=0.4, alignment="next_delta")


def test_files_from_before_pruning_stay_dense(tmp_path: Path) -> None:
    model = scene_model(**OPTIONS)
    assert model.architecture is not None
    del model.architecture.options["encoder"]["pruning"]
    again = load_model(save_model(model, tmp_path / "old.safetensors"), device="cpu")
    assert torch.equal(scores(again), scores(model))


@pytest.mark.parametrize(
    ("name", "encoder", "shares"),
    [
        ("plainmamba_l1+light", OPTIONS["encoder"], (0.02, 0.01)),  # the stem is most of its work
        ("vim_tiny+light", {"embed_dim": 16, "depth": 8, "out_indices": (1, 7)}, (0.3, 0.1)),
    ],
)
def test_a_share_of_work_gives_a_ratio(
    name: str, encoder: dict[str, Any], shares: tuple[float, float]
) -> None:
    model = scene_model(name, encoder=encoder)
    less, more = (choose_pruning(model, flops=share, tile=256).ratio for share in shares)
    assert 0 < less < more < 1


def test_networks_that_cannot_drop_tokens_say_so() -> None:
    model = scene_model("cvmh_unet_small")
    with pytest.raises(
        OptionError,
        match="encoders of groupmamba, plainmamba, vim, vmamba, vssd",
    ):
        choose_pruning(model, ratio=0.5)
    bare = SceneModel(torch.nn.Conv2d(3, 2, 1), classes=("land", "water"), in_channels=3)
    with pytest.raises(OptionError, match="cannot drop tokens"):
        set_pruning(bare, None)


def test_one_of_both_values_is_needed() -> None:
    model = scene_model(**OPTIONS)
    with pytest.raises(OptionError, match="give one of them, a keep ratio or"):
        choose_pruning(model)
    with pytest.raises(OptionError, match="give one of them, a keep ratio or"):
        choose_pruning(model, ratio=0.5, flops=0.4)


def test_pruning_may_stand_beside_encoder_and_decoder() -> None:
    pruning = {"layers": (2, 5), "ratio": 0.5}
    inside = describe_architecture(NAME, encoder={**OPTIONS["encoder"], "pruning": pruning})
    assert describe_architecture(NAME, **OPTIONS, pruning=pruning) == inside
    assert describe_architecture(NAME, **OPTIONS, pruning=None) != inside
    with pytest.raises(OptionError, match="the pruning of plainmamba_l1 is given twice"):
        create_model(NAME, num_classes=2, encoder={"pruning": pruning}, pruning=pruning)


def test_a_lent_model_comes_back_as_it_was() -> None:
    model = scene_model(**OPTIONS)
    before, other = model.fingerprint(), PruningConfig(layers=(3,), ratio=0.5)
    with pruned(model, other):
        assert pruning_of(model) == other
        assert model.fingerprint() != before
    assert pruning_of(model) is None
    assert model.fingerprint() == before


def test_a_model_that_cannot_drop_tokens_has_no_pruning() -> None:
    assert pruning_of(scene_model("cvmh_unet_small")) is None
