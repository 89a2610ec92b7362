"""Validation counts every labelled pixel of a scene once, in tiles of any size."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from torch import nn

import rsmamba
from rsmamba.classes import ClassScheme
from rsmamba.data import LabelledScene, ScenePair
from rsmamba.metrics import ConfusionMatrix
from rsmamba.models import SceneModel
from rsmamba.train.validation import validate


class ByColour(nn.Module):
    """Network that reads the class from the colours of the stripes, which are far apart in blue."""

    def __init__(self) -> None:
        super().__init__()
        self.anchor = nn.Parameter(torch.tensor([50.0, 130.0, 160.0]))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Score each class by its distance in blue."""
        return -(image[:, 2:3] - self.anchor[None, :, None, None]).abs()


@pytest.mark.parametrize(("tile", "overlap"), [(512, 64), (40, 0), (32, 13), (33, 25)])
def test_every_pixel_is_counted_once(stripes: Path, tile: int, overlap: int) -> None:
    pair = ScenePair(image=stripes / "images/one.tif", mask=stripes / "masks/one.tif")
    scene = LabelledScene(pair, classes=ClassScheme.from_names(["field", "road", "lake"]))
    model = SceneModel(ByColour(), classes=scene.classes, in_channels=3).train()
    matrix = validate(model, [scene, scene], tile=tile, overlap=overlap)
    assert model.training
    assert np.array_equal(matrix.counts, np.diag(2 * scene.label_counts))


def test_validation_is_worth_what_the_map_is_worth(stripes: Path, tmp_path: Path) -> None:
    """The matrix is that of a map that prediction writes, with a network that looks around."""
    torch.manual_seed(0)
    classes = ClassScheme.from_names(["field", "road", "lake"])
    network = nn.Conv2d(3, 3, 9, padding=4)
    model = SceneModel(network, classes=classes, in_channels=3, mean=[90] * 3, std=[50] * 3)
    image = stripes / "images/one.tif"
    rsmamba.predict(image, tmp_path / "map.tif", model=model, tile=32, overlap=12)
    scene = LabelledScene(ScenePair(image=image, mask=stripes / "masks/one.tif"), classes=classes)
    expected = ConfusionMatrix(3)
    with rasterio.open(tmp_path / "map.tif") as file:
        labels = scene.read(row=0, col=0, height=64, width=80).labels
        expected.add(labels, file.read(1), ignore_index=255)
    assert np.array_equal(validate(model, [scene], tile=32, overlap=12).counts, expected.counts)
