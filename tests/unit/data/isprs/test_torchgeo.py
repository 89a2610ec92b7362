"""torchgeo's own data modules feed our training, once their classes are renumbered."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rsmamba.classes import ISPRS_CLASSES
from rsmamba.data import LabelledScene, LabelOptions, ScenePair
from rsmamba.data.isprs.lookalike import Lookalike
from rsmamba.data.isprs.tiles import IsprsDataset
from rsmamba.data.labels import colour_values
from rsmamba.data.torchgeo import TORCHGEO_ISPRS_ORDER, from_torchgeo, to_torchgeo
from rsmamba.errors import DataError
from rsmamba.models import SceneModel
from rsmamba.models.registry import create_model
from rsmamba.train import LossConfig
from rsmamba.train.losses import SegmentationLoss

NARROW: dict[str, Any] = {
    "block": "vss",
    "fusion": "add",
    "dim": 8,
    "d_state": 1,
    "encoder_depths": [1, 1, 1, 1],
    "decoder_depths": [1, 1, 1, 1],
}
NAMES: dict[IsprsDataset, str] = {"vaihingen": "Vaihingen2D", "potsdam": "Potsdam2D"}


def torchgeo_module(part: str) -> Any:  # noqa: ANN401 - only there where torchgeo is installed
    """A part of torchgeo, whose own imports warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(f"torchgeo.{part}")


@pytest.mark.parametrize("dataset", ["vaihingen", "potsdam"])
def test_masks_agree_with_ours(lookalike: Callable[..., Lookalike], dataset: IsprsDataset) -> None:
    made = lookalike(dataset, "torchgeo")
    theirs = getattr(torchgeo_module("datasets"), NAMES[dataset])(str(made.root), split="train")
    assert len(theirs) == 3
    options = LabelOptions(form="colour", colours=colour_values(ISPRS_CLASSES))
    for number, files in enumerate(theirs.files):
        pair = ScenePair(image=Path(files["image"]), mask=Path(files["mask"]))
        scene = LabelledScene(pair, classes=ISPRS_CLASSES, labels=options)
        ours = scene.read(row=0, col=0, height=scene.height, width=scene.width)
        sample = theirs[number]
        assert np.array_equal(from_torchgeo(sample["mask"]).numpy(), ours.labels)
        assert np.array_equal(sample["image"].numpy(), ours.pixels)


@pytest.mark.parametrize("dataset", ["vaihingen", "potsdam"])
def test_one_step_through_their_data_module(
    lookalike: Callable[..., Lookalike], dataset: IsprsDataset
) -> None:
    made = lookalike(dataset, "torchgeo")
    make = getattr(torchgeo_module("datamodules"), f"{NAMES[dataset]}DataModule")
    # Chips smaller than the tiles: their crop would pad labels with a class.
    module = make(batch_size=1, patch_size=32, val_split_pct=0.34, root=str(made.root))
    module.setup("fit")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        batch = module.train_aug(next(iter(module.train_dataloader())))
    images, masks = batch["image"], batch["mask"]
    assert images.shape[2:] == masks.shape[1:] == (32, 32)
    bands = images.shape[1]
    model = SceneModel(
        create_model("cvmh_unet", num_classes=6, in_channels=bands, **NARROW),
        classes=ISPRS_CLASSES,
        in_channels=bands,
        input_multiple=32,
    )
    before = [parameter.detach().clone() for parameter in model.parameters()]
    optimiser = torch.optim.AdamW(model.parameters())
    loss = SegmentationLoss(LossConfig())(model(images), from_torchgeo(masks))
    loss.backward()
    optimiser.step()
    assert 0 < float(loss.detach()) < 10
    after = model.parameters()
    assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_orders_are_those_of_both_sides() -> None:
    theirs = torchgeo_module("datasets").Vaihingen2D.classes
    assert len(theirs) == len(TORCHGEO_ISPRS_ORDER)
    for ours, name in zip(TORCHGEO_ISPRS_ORDER, theirs, strict=True):
        assert name.lower().startswith(ours)
    every = torch.arange(6)
    assert torch.equal(to_torchgeo(from_torchgeo(every)), every)


def test_padding_is_ignored_and_strange_values_are_refused() -> None:
    ignored = torch.tensor([True, False])
    assert from_torchgeo(torch.tensor([0, 0]), ignored=ignored).tolist() == [255, 5]
    assert to_torchgeo(torch.tensor([255, 5])).tolist() == [255, 0]
    with pytest.raises(DataError, match="hold the values 0 to 6; the ISPRS data sets have"):
        from_torchgeo(torch.tensor([0, 6]))
