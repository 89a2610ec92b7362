"""An archive of small scenes and a model file for it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine

from rsmamba import create_model, save_model
from rsmamba.models import describe_architecture
from rsmamba.models.scene_model import SceneModel

TINY: dict[str, Any] = {
    "dim": 8,
    "d_state": 2,
    "block": "vss",
    "fusion": "add",
    "encoder_depths": (1, 1, 1, 1),
    "decoder_depths": (1, 1, 1, 1),
}


class Archive:
    """Scenes in ``imagery``, a model file, and room for maps."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.imagery = folder / "imagery"
        self.maps = folder / "maps"
        self.model = folder / "model.safetensors"
        self.imagery.mkdir()

    def add(self, name: str, *, height: int = 40, width: int = 48) -> Path:
        """Write a random scene of one band."""
        path = self.imagery / name
        path.parent.mkdir(parents=True, exist_ok=True)
        random = np.random.default_rng(sum(name.encode()))
        pixels = random.integers(0, 256, (1, height, width), dtype=np.uint8)
        profile = {"driver": "GTiff", "count": 1, "dtype": "uint8", "crs": "EPSG:32633"}
        profile |= {"height": height, "width": width, "transform": Affine(2, 0, 5e5, 0, -2, 5e6)}
        with rasterio.open(path, "w", **profile) as file:
            file.write(pixels)
        return path

    def bytes_of(self, name: str) -> bytes:
        """Return a map as it is stored."""
        return (self.maps / name).read_bytes()


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """An empty archive, worked on with one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = create_model("cvmh_unet", num_classes=3, in_channels=1, **TINY)
    architecture = describe_architecture("cvmh_unet", **TINY)
    model = SceneModel(
        network,
        classes=["a", "b", "c"],
        in_channels=1,
        architecture=architecture,
        input_dtype="uint8",
    )
    archive = Archive(tmp_path)
    save_model(model, archive.model)
    yield archive
    torch.set_num_threads(threads)
