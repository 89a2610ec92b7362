"""Scenes and networks that the benchmarks of the prediction engine share."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import rasterio
import torch
from affine import Affine
from torch import nn

from rsmamba import SceneModel

_MOSAIC_PART = 2000
CLASSES = ("roof", "road", "grass", "tree", "soil", "water")


def make_scene(path: Path, *, height: int, width: int) -> Path:
    """Write a scene of three 8-bit bands: fields of one colour with noise.

    Args:
        path: GeoTIFF to write.
        height: Rows, pixels.
        width: Columns, pixels.

    Returns:
        The path.
    """
    random = np.random.default_rng(7)
    options = {
        "driver": "GTiff",
        "height": height,
        "width": width,
        "count": 3,
        "dtype": "uint8",
        "crs": "EPSG:32633",
        "transform": Affine(1, 0, 5e5, 0, -1, 5e6),
        "tiled": True,
        "blockxsize": 512,
        "blockysize": 512,
        "bigtiff": "IF_SAFER",
    }
    with rasterio.open(path, "w", **options) as file:
        for row in range(0, height, 512):
            rows = min(512, height - row)
            fields = random.integers(20, 236, (3, -(-rows // 64), -(-width // 64)))
            colours = fields.repeat(64, axis=1).repeat(64, axis=2)[:, :rows, :width]
            noise = random.integers(-20, 20, (3, rows, width))
            window = rasterio.windows.Window(0, row, width, rows)
            file.write((colours + noise).astype(np.uint8), window=window)
    return path


def make_mosaic(folder: Path, *, side: int) -> Path:
    """Write a VRT that shows one small scene again and again, like a mosaic of many files.

    Args:
        folder: Where the VRT and the scene go.
        side: Rows and columns of the VRT, pixels.

    Returns:
        The VRT.
    """
    scene = make_scene(folder / "scene.tif", height=_MOSAIC_PART, width=_MOSAIC_PART)
    starts = range(0, side, _MOSAIC_PART)
    bands = "".join(
        f'<VRTRasterBand dataType="Byte" band="{band}"><ColorInterp>{colour}</ColorInterp>'
        + "".join(
            f'<SimpleSource><SourceFilename relativeToVRT="1">{scene.name}</SourceFilename>'
            f"<SourceBand>{band}</SourceBand>"
            f'<SrcRect xOff="0" yOff="0" xSize="{_MOSAIC_PART}" ySize="{_MOSAIC_PART}"/>'
            f'<DstRect xOff="{col}" yOff="{row}" xSize="{_MOSAIC_PART}" ySize="{_MOSAIC_PART}"/>'
            "</SimpleSource>"
            for row in starts
            for col in starts
        )
        + "</VRTRasterBand>"
        for band, colour in enumerate(("Red", "Green", "Blue"), 1)
    )
    path = folder / "mosaic.vrt"
    path.write_text(
        f'<VRTDataset rasterXSize="{side}" rasterYSize="{side}"><SRS>EPSG:32633</SRS>'
        f"<GeoTransform>500000,0.3,0,5000000,0,-0.3</GeoTransform>{bands}</VRTDataset>",
        encoding="ascii",
    )
    return path


def convolution(*, channels: tuple[int, ...]) -> SceneModel:
    """Make a model of 3 x 3 convolutions.

    Args:
        channels: Channels of the layers between the three bands and the six classes.

    Returns:
        The model.
    """
    torch.manual_seed(0)
    sizes = (3, *channels, len(CLASSES))
    layers: list[nn.Module] = []
    for index, (inside, outside) in enumerate(pairwise(sizes)):
        layers += [nn.ReLU()] * (index > 0) + [nn.Conv2d(inside, outside, 3, padding=1)]
    return SceneModel(
        nn.Sequential(*layers),
        classes=CLASSES,
        in_channels=3,
        mean=[128.0] * 3,
        std=[64.0] * 3,
    ).eval()
