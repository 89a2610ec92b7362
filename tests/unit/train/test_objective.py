"""Auxiliary heads and teachers in training: what they add, and that nothing of them is stored."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import rsmamba
from rsmamba.errors import OptionError
from rsmamba.models.registry import create_model
from rsmamba.models.scene_model import SceneModel
from rsmamba.train import DistillationConfig, LossConfig, ModelConfig, TrainConfig, fit
from rsmamba.train.heads import AuxiliaryHead, EncoderTap, ImageHead
from rsmamba.train.module import SegmentationModule
from rsmamba.train.objective import Objective

MakeConfig = Callable[..., TrainConfig]
SMALL = {"dims": [8, 16, 24, 32], "depths": [1, 1, 1, 1]}
NETWORKS: dict[str, dict[str, Any]] = {
    "cvmh_unet": {"dim": 8, "d_state": 1, "block": "vss", "fusion": "add",
                  "encoder_depths": [1] * 4, "decoder_depths": [1] * 4},
    "vmamba_tiny_s1l8+upernet": {"encoder": SMALL, "decoder": {"channels": 16}},
    "vmamba_tiny_s1l8+light": {"encoder": SMALL, "decoder": {"channels": 16}},
}  # fmt: skip


def wrap(name: str) -> SceneModel:
    network = create_model(name, num_classes=3, **NETWORKS[name])
    return SceneModel(
        network, classes=["a", "b", "c"], in_channels=3, mean=[9.0] * 3, std=[2.0] * 3,
        input_multiple=32, input_dtype="uint8",
    )  # fmt: skip


@pytest.mark.parametrize("name", sorted(NETWORKS))
@pytest.mark.parametrize("size", [(64, 64), (70, 33)])
def test_heads_score_what_the_encoder_has_seen(name: str, size: tuple[int, int]) -> None:
    model = wrap(name)
    tap = EncoderTap(model.network, option="here")
    head, image_head = AuxiliaryHead(tap, num_classes=3), ImageHead(tap, num_classes=7)
    model(torch.rand(2, 3, *size))
    assert [m.shape[1] for m in tap.maps] == list(tap.channels)
    padded = [side + -side % 32 for side in size]
    for stride, features in zip(tap.strides, tap.maps, strict=True):
        assert list(features.shape[-2:]) == [side // stride for side in padded]
    assert head(*size).shape == (2, 3, *size)
    assert image_head().shape == (2, 7)
    answers = head(*size).sum() + image_head().sum()
    first = next(model.network.parameters())
    assert bool(torch.autograd.grad(answers, first)[0].any())


def test_maps_are_not_held_in_validation() -> None:
    model = wrap("cvmh_unet")
    tap = EncoderTap(model.network, option="here")
    with torch.inference_mode():
        model(torch.rand(1, 3, 32, 32))
    assert tap.maps == []


def test_other_networks_have_no_encoder_to_tap() -> None:
    with pytest.raises(OptionError, match=r"loss.auxiliary needs the maps of an encoder, and this"):
        EncoderTap(nn.Conv2d(3, 2, 1), option="loss.auxiliary")


def a_batch() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 3, (2, 64, 64), generator=generator)
    labels[:, :20] = 255
    valid = torch.ones(2, 64, 64, dtype=torch.bool)
    valid[:, :5] = False
    return {
        "pixels": torch.rand(2, 3, 64, 64, generator=generator) * 20,
        "valid": valid,
        "labels": labels,
    }


def cost(objective: Objective, model: SceneModel, batch: dict[str, Tensor]) -> Tensor:
    logits = model(batch["pixels"], batch["valid"])
    loss: Tensor = objective(logits, batch["pixels"], batch["valid"], batch["labels"])
    return loss


def test_the_auxiliary_loss_is_added_with_its_weight(make_config: MakeConfig) -> None:
    model, batch = wrap("vmamba_tiny_s1l8+upernet").eval(), a_batch()
    config = replace(make_config(Path("run")), loss=LossConfig(auxiliary=0.4))
    objective = Objective(model, config).eval()
    total = cost(objective, model, batch)
    assert objective.auxiliary_head is not None
    main = objective.label_loss(model(batch["pixels"], batch["valid"]), batch["labels"])
    early = objective.label_loss(objective.auxiliary_head(64, 64), batch["labels"])
    assert torch.allclose(total, main + 0.4 * early)
    assert early > 0


@pytest.mark.parametrize("unlabelled", [False, True])
def test_the_teacher_has_its_share(make_config: MakeConfig, unlabelled: bool) -> None:
    model, batch = wrap("cvmh_unet").eval(), a_batch()
    config = make_config(Path("run"))
    objective = Objective(model, config)
    labels_only = cost(objective, model, batch)
    section = DistillationConfig(weight=0.3, unlabelled=unlabelled, model="never read")
    objective.config = replace(config, distillation=section)
    answers = torch.randn(2, 3, 64, 64)
    objective.teacher = lambda *_: answers  # type: ignore[assignment] # no need of a network
    counted = batch["valid"] if unlabelled else batch["labels"] != 255
    student = model(batch["pixels"], batch["valid"]).movedim(1, -1)[counted]
    taught = nn.functional.cross_entropy(student, answers.movedim(1, -1)[counted].argmax(dim=1))
    expected = 0.7 * labels_only + 0.3 * taught
    assert torch.allclose(cost(objective, model, batch), expected)


def test_without_labels_nothing_is_learnt(make_config: MakeConfig) -> None:
    model, batch = wrap("vmamba_tiny_s1l8+light"), a_batch()
    config = replace(make_config(Path("run")), loss=LossConfig(auxiliary=0.4, lovasz=1.0))
    objective = Objective(model, config)
    loss = cost(objective, model, batch | {"labels": torch.full((2, 64, 64), 255)})
    parameters = [*model.parameters(), *objective.parameters()]
    gradients: tuple[Tensor | None, ...] = torch.autograd.grad(loss, parameters, allow_unused=True)
    assert float(loss.detach()) == 0
    assert not any(bool(gradient.any()) for gradient in gradients if gradient is not None)


@pytest.fixture(scope="module")
def teacher_file(make_config: MakeConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fit(make_config(tmp_path_factory.mktemp("teacher"), epochs=1)).last_model


@pytest.mark.parametrize("kind", ["auxiliary", "pixels", "images"])
def test_runs_train_heads_and_store_none_of_them(
    make_config: MakeConfig, tmp_path: Path, teacher_file: Path, kind: str
) -> None:
    timm = pytest.importorskip("timm")
    weights = tmp_path / "classifier.pth"
    torch.save(timm.create_model("test_resnet").state_dict(), weights)
    changes: dict[str, dict[str, Any]] = {
        "auxiliary": {"loss": LossConfig(auxiliary=0.4)},
        "pixels": {"distillation": DistillationConfig(model=str(teacher_file), kind="soft")},
        "images": {
            "distillation": DistillationConfig(
                classifier="test_resnet", classifier_weights=str(weights)
            )
        },
    }
    config = replace(make_config(tmp_path / "run", epochs=2), **changes[kind])
    result = fit(config)
    checkpoint = torch.load(result.run_dir / "last.ckpt", weights_only=True)["state_dict"]
    heads = {name for name in checkpoint if name.startswith("objective.")}
    assert bool(heads) == (kind != "pixels")
    assert not any("teacher" in name or "network.conv1" in name for name in checkpoint)
    plain = rsmamba.create_model("cvmh_unet", num_classes=3, **config.model.options)
    stored = rsmamba.load_model(result.last_model, "cpu").network.state_dict()
    assert set(stored) == set(plain.state_dict())
    again = fit(replace(config, trainer=replace(config.trainer, resume=True, epochs=3)))
    assert len(again.records) == 3


def test_a_resumed_run_with_an_auxiliary_head_ends_the_same(
    make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = ModelConfig(name="vmamba_tiny_s1l8+light", options=NETWORKS["vmamba_tiny_s1l8+light"])
    loss = LossConfig(auxiliary=0.4)
    whole = fit(replace(make_config(tmp_path / "a", epochs=2, model=model), loss=loss))
    config = replace(make_config(tmp_path / "b", epochs=2, model=model), loss=loss)
    original = SegmentationModule.training_step

    def stop(self: SegmentationModule, batch: Any, batch_idx: int) -> Tensor:  # noqa: ANN401
        if self.global_step == 3:
            raise EOFError
        return original(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(SegmentationModule, "training_step", stop)
        with pytest.raises(EOFError):
            fit(config)
    parts = fit(replace(config, trainer=replace(config.trainer, resume=True)))
    assert [r.loss for r in parts.records] == [r.loss for r in whole.records]
