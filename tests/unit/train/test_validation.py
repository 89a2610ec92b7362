"""Validation counts every labelled pixel of a scene once, in tiles of any size."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from rsmamba.classes import ClassScheme
from rsmamba.data import LabelledScene, ScenePair
from rsmamba.geo.tiles import TileGrid
from rsmamba.models import SceneModel
from rsmamba.train.validation import owned_parts, validate


class ByColour(nn.Module):
    """Network that reads the class from the colours of the stripes, which are far apart in blue."""

    def __init__(self) -> None:
        super().__init__()
        self.anchor = nn.Parameter(torch.tensor([50.0, 130.0, 160.0]))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Score each class by its distance in blue."""
        return -(image[:, 2:3] - self.anchor[None, :, None, None]).abs()


@given(size=st.integers(1, 300), tile=st.integers(1, 90), share=st.floats(0, 0.95))
@settings(deadline=None)
def test_owned_parts_cover_an_axis_once(size: int, tile: int, share: float) -> None:
    grid = TileGrid(height=size, width=1, tile=tile, overlap=int(share * tile))
    counts = np.zeros(size, np.int64)
    for start, part in owned_parts(grid.row_starts, grid.tile_height):
        assert 0 <= part.start < part.stop <= grid.tile_height
        counts[start + part.start : start + part.stop] += 1
    assert (counts == 1).all()


@pytest.mark.parametrize(("tile", "overlap"), [(512, 64), (40, 0), (32, 13), (33, 25)])
def test_every_pixel_is_counted_once(stripes: Path, tile: int, overlap: int) -> None:
    pair = ScenePair(image=stripes / "images/one.tif", mask=stripes / "masks/one.tif")
    scene = LabelledScene(pair, classes=ClassScheme.from_names(["field", "road", "lake"]))
    model = SceneModel(ByColour(), classes=scene.classes, in_channels=3).train()
    matrix = validate(model, [scene, scene], tile=tile, overlap=overlap)
    assert model.training
    assert np.array_equal(matrix.counts, np.diag(2 * scene.label_counts))
