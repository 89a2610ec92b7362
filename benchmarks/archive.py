"""An archive for the benchmarks of operation: small random scenes, and a tiny model for them."""

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import torch
from affine import Affine

from rsmamba import SceneModel, create_model, save_model
from rsmamba.models import describe_architecture

_TINY: dict[str, Any] = {
    "dim": 8,
    "d_state": 2,
    "block": "vss",
    "fusion": "add",
    "encoder_depths": (1, 1, 1, 1),
    "decoder_depths": (1, 1, 1, 1),
}
GSD_M = 2.0


def write_scene(
    path: Path, *, height: int, width: int, num_bands: int = 1, gsd_m: float = GSD_M
) -> Path:
    """Write random pixels, the same for the same name.

    Args:
        path: The scene; its folder is made.
        height: Its rows.
        width: Its columns.
        num_bands: Its bands.
        gsd_m: Metres per pixel.

    Returns:
        The path.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(sum(path.name.encode()))
    profile = {"driver": "GTiff", "count": num_bands, "dtype": "uint8", "crs": "EPSG:32633"}
    transform = Affine(gsd_m, 0, 5e5, 0, -gsd_m, 5e6)
    profile |= {"height": height, "width": width, "transform": transform}
    with rasterio.open(path, "w", **profile) as file:
        for band in range(1, num_bands + 1):
            file.write(generator.integers(0, 256, (height, width), dtype=np.uint8), band)
    return path


def write_model(path: Path, *, in_channels: int = 1) -> Path:
    """Write a model with random weights that computes a tile of 64 px in ten milliseconds.

    Args:
        path: The model file.
        in_channels: Bands that it takes.

    Returns:
        The path.
    """
    torch.manual_seed(0)
    network = create_model("cvmh_unet", num_classes=3, in_channels=in_channels, **_TINY)
    model = SceneModel(
        network,
        classes=["a", "b", "c"],
        in_channels=in_channels,
        input_dtype="uint8",
        gsd_m=GSD_M,
        architecture=describe_architecture("cvmh_unet", **_TINY),
    )
    save_model(model, path)
    return path
