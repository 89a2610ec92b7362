"""Accumulation, freezing and early stopping in whole, tiny runs."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import rsmamba
from rsmamba.data import AugmentConfig
from rsmamba.data.chips import Batch
from rsmamba.train import LossConfig, ModelConfig, OptimiserConfig, TrainConfig, TrainResult, fit
from rsmamba.train.module import SegmentationModule
from rsmamba.train.stopping import validations_without_gain

MakeConfig = Callable[..., TrainConfig]
NARROW = {
    "block": "vss", "fusion": "add", "dim": 8, "d_state": 1,
    "encoder_depths": [1] * 4, "decoder_depths": [1] * 4,
}  # fmt: skip


def last_weights(result: TrainResult) -> dict[str, torch.Tensor]:
    return rsmamba.load_model(result.last_model, "cpu").network.state_dict()


def run(
    make: MakeConfig, folder: Path, *, batch_size: int, optimiser: OptimiserConfig
) -> TrainConfig:
    """Two epochs of four chips that are labelled all over, without any dropout."""
    config = make(
        folder,
        model=ModelConfig(name="cvmh_unet", options=NARROW | {"drop_path": 0.0}),
        optimiser=optimiser,
        batch_size=batch_size,
        epochs=2,
    )
    data = replace(config.data, augment=AugmentConfig(scale=(1.0, 1.0)))
    return replace(config, data=data, loss=LossConfig(dice=0.0))


def test_accumulated_batches_make_the_step_of_one(make_config: MakeConfig, tmp_path: Path) -> None:
    plain = OptimiserConfig(ema_decay=0.5)
    whole = fit(run(make_config, tmp_path / "a", batch_size=4, optimiser=plain))
    halves = replace(plain, accumulate=2)
    joined = fit(run(make_config, tmp_path / "b", batch_size=2, optimiser=halves))
    assert [r.step for r in joined.records] == [r.step for r in whole.records] == [1, 2]
    assert [r.loss for r in joined.records] == pytest.approx([r.loss for r in whole.records])
    other = last_weights(joined)
    for name, value in last_weights(whole).items():
        assert torch.allclose(value, other[name], atol=2e-5), name


def test_a_run_stopped_between_accumulated_batches_ends_the_same(
    make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    optimiser = OptimiserConfig(accumulate=2)
    whole = fit(run(make_config, tmp_path / "a", batch_size=1, optimiser=optimiser))
    config = run(make_config, tmp_path / "b", batch_size=1, optimiser=optimiser)
    config = replace(config, trainer=replace(config.trainer, checkpoint_steps=1))
    original = SegmentationModule.training_step

    def stop(self: SegmentationModule, batch: Batch, batch_idx: int) -> torch.Tensor:
        if self.global_step == 3 and batch_idx % 2:
            raise EOFError
        return original(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(SegmentationModule, "training_step", stop)
        with pytest.raises(EOFError):
            fit(config)
    parts = fit(replace(config, trainer=replace(config.trainer, resume=True)))
    assert [r.loss for r in parts.records] == [r.loss for r in whole.records]
    other = last_weights(parts)
    assert all(torch.equal(value, other[name]) for name, value in last_weights(whole).items())


def test_frozen_weights_and_statistics_do_not_move(make_config: MakeConfig, tmp_path: Path) -> None:
    model = ModelConfig(name="cvmh_unet", options=NARROW | {"block": "cvss"})
    optimiser = OptimiserConfig(frozen=("encoder", "patch_embed"), ema_decay=0.0)
    config = make_config(tmp_path, model=model, optimiser=optimiser, epochs=2)
    torch.manual_seed(config.trainer.seed)
    before = rsmamba.create_model("cvmh_unet", num_classes=3, **model.options).state_dict()
    after = last_weights(fit(config))
    assert any("running_mean" in name for name in before if name.startswith("encoder"))
    for name, value in before.items():
        frozen = name.startswith(("encoder.", "patch_embed."))
        if frozen or name.startswith("head."):
            assert torch.equal(value, after[name]) == frozen, name


def test_a_run_without_a_gain_ends_early_and_is_not_resumed(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    config = make_config(tmp_path, epochs=9, patience=2, minimum_gain=0.99)
    first = fit(config)
    # Nothing gains 0.99 on the first, so that the two after it are one too many.
    assert [record.epoch for record in first.records] == [1, 2, 3]
    again = fit(replace(config, trainer=replace(config.trainer, resume=True)))
    assert [record.epoch for record in again.records] == [1, 2, 3]
    patient = replace(config.trainer, resume=True, patience=3)
    assert len(fit(replace(config, trainer=patient)).records) == 4


@pytest.mark.parametrize(
    ("scores", "gain", "waited"),
    [((), 0.0, 0), ((0.0,), 0.0, 0), ((0.5, 0.5), 0.0, 1), ((0.5, 0.51, 0.52), 0.015, 0),
     ((0.5, 0.51), 0.015, 1), ((0.6, 0.5, 0.55), 0.0, 2)],
)  # fmt: skip
def test_gains_are_counted_from_the_best(
    scores: tuple[float, ...], gain: float, waited: int
) -> None:
    assert validations_without_gain(scores, minimum_gain=gain) == waited
