"""The encoders in timm, segmentation-models-pytorch and torchgeo."""

from typing import Any

import pytest
import torch

from rsmamba.errors import OptionError
from rsmamba.models import list_encoders

timm = pytest.importorskip("timm")
entries = pytest.importorskip("rsmamba.models.timm")

SMALL: dict[str, Any] = {
    "embed_dim": 16,
    "depths": (1, 1, 1, 1),
    "num_heads": (1, 2, 2, 4),
    "d_state": 8,
}


def test_every_encoder_is_registered() -> None:
    assert set(timm.list_models("rsmamba_*")) == {f"rsmamba_{name}" for name in list_encoders()}


def test_timm_makes_chosen_maps() -> None:
    encoder = timm.create_model(
        "rsmamba_vssd_tiny", features_only=True, out_indices=(1, -1), in_chans=4, **SMALL
    ).eval()
    maps = encoder(torch.randn(1, 4, 64, 96))
    assert encoder.feature_info.channels() == [32, 128] == [each.shape[1] for each in maps]
    assert encoder.feature_info.reduction() == [8, 32]


def test_timm_makes_a_classifier() -> None:
    classifier = timm.create_model("rsmamba_vssd_tiny", num_classes=7, **SMALL).eval()
    assert classifier(torch.randn(1, 3, 64, 64)).shape == (1, 7)


def test_what_is_not_there_is_told() -> None:
    with pytest.raises(OptionError, match="downloads no weights; give pretrained=False and"):
        timm.create_model("rsmamba_vssd_tiny", pretrained=True)
    with pytest.raises(OptionError, match=r"out_indices \(4,\) name a map that is not there"):
        timm.create_model("rsmamba_vssd_tiny", features_only=True, out_indices=(4,), **SMALL)


def test_segmentation_models_pytorch_trains_with_an_encoder() -> None:
    smp = pytest.importorskip("segmentation_models_pytorch")
    network = smp.Unet("tu-rsmamba_vssd_tiny", encoder_weights=None, classes=4, **SMALL)
    logits = network(torch.randn(2, 3, 64, 96))
    assert logits.shape == (2, 4, 64, 96)
    logits.square().mean().backward()
    assert network.encoder.model.encoder.patch_embed.conv1.conv.weight.grad.abs().sum() > 0


@pytest.mark.filterwarnings("ignore")  # of libraries that torchgeo loads
def test_a_task_of_torchgeo_takes_an_encoder() -> None:
    trainers = pytest.importorskip("torchgeo.trainers")
    task = trainers.SemanticSegmentationTask(
        model="unet",
        backbone="tu-rsmamba_vssd_micro",
        weights=None,
        in_channels=4,
        num_classes=5,
        task="multiclass",
        loss="ce",
    )
    batch = {"image": torch.randn(2, 4, 64, 64), "mask": torch.randint(0, 5, (2, 64, 64))}
    loss = task.criterion(task(batch["image"]), batch["mask"])
    loss.backward()
    assert torch.isfinite(loss)
