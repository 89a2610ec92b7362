"""A laboratory: scenes made on the spot and networks whose answer is known."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import rasterio
import torch
from affine import Affine
from torch import nn
from typing_extensions import override

from rsmamba import PredictResult, SceneModel, predict
from rsmamba.geo.environment import no_georeference_warning
from rsmamba.geo.window import Window

Values = npt.NDArray[Any]


class ConstantNetwork(nn.Module):
    """Gives every pixel the same logits, and notes the batch size of each call."""

    def __init__(self, logits: tuple[float, ...]) -> None:
        super().__init__()
        self.logits = torch.tensor(logits).view(1, -1, 1, 1)
        self.calls: list[int] = []

    @override
    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        self.calls.append(len(pixels))
        batch, _, height, width = pixels.shape
        return self.logits.expand(batch, -1, height, width)


class ValueNetwork(nn.Module):
    """Gives every pixel the class that its first band says."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.register_buffer("levels", torch.arange(num_classes).view(1, -1, 1, 1))

    @override
    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return -20.0 * (pixels[:, :1] - self.get_buffer("levels")).abs()


def three_layers(in_channels: int, num_classes: int) -> nn.Sequential:
    """Three 3 x 3 convolutions: a receptive radius of 3 pixels."""
    torch.manual_seed(4)
    layers: list[nn.Module] = [nn.Conv2d(in_channels, 6, 3, padding=1), nn.ReLU()]
    layers += [nn.Conv2d(6, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, num_classes, 3, padding=1)]
    return nn.Sequential(*layers)


class Laboratory:
    """What the tests of this folder work with; files lie in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def scene(self, values: Values, *, name: str = "scene.tif", **profile: Any) -> Path:  # noqa: ANN401 - rasterio's options
        """Write pixels (C, h, w) to a GeoTIFF."""
        count, height, width = values.shape
        georeference = {"crs": "EPSG:32633", "transform": Affine(2, 0, 5e5, 0, -2, 5e6)}
        options = {"driver": "GTiff", "dtype": values.dtype.name, **georeference, **profile}
        options = {option: value for option, value in options.items() if value is not None}
        path = self.folder / name
        with (
            no_georeference_warning(),
            rasterio.open(path, "w", count=count, height=height, width=width, **options) as file,
        ):
            file.write(values)
        return path

    def window(self, col: int, row: int, width: int, height: int) -> Window:
        """Make a window from numbers in the order of the option."""
        return Window(row=row, col=col, height=height, width=width)

    def random_scene(self, height: int, width: int, *, bands: int = 1) -> Path:
        """Write a scene of random 8-bit pixels."""
        random = np.random.default_rng(height * 10_000 + width)
        values = random.integers(0, 256, (bands, height, width), dtype=np.uint8)
        return self.scene(values, name=f"random_{height}_{width}.tif")

    def read(self, name: str | Path) -> Values:
        """Read all bands of a raster (C, h, w)."""
        with no_georeference_warning(), rasterio.open(self.folder / name) as file:
            values: Values = file.read()
        return values

    def predict(self, scene: Path, out: str = "map.tif", **options: Any) -> PredictResult:  # noqa: ANN401 - as predict
        """Predict on the CPU into the folder; other outputs are given as names, too."""
        for output in ("probabilities", "confidence"):
            if output in options:
                options[output] = self.folder / options[output]
        return predict(scene, self.folder / out, device="cpu", **options)

    def model(self, network: nn.Module, *, num_classes: int, **fields: Any) -> SceneModel:  # noqa: ANN401 - as SceneModel
        """Wrap a network that takes one band unless told otherwise."""
        names = [f"class{index}" for index in range(num_classes)]
        return SceneModel(network, classes=names, **{"in_channels": 1, **fields})

    def constant_model(self, *logits: float, **fields: Any) -> SceneModel:  # noqa: ANN401 - as SceneModel
        """Make a model with one answer."""
        return self.model(ConstantNetwork(logits), num_classes=len(logits), **fields)

    def value_model(self, num_classes: int = 4, **fields: Any) -> SceneModel:  # noqa: ANN401 - as SceneModel
        """Make a model whose class is the value of the first band."""
        return self.model(ValueNetwork(num_classes), num_classes=num_classes, **fields)

    def convolution_model(self) -> SceneModel:
        """Make a model of three convolutions that look 3 pixels far."""
        network = three_layers(1, 4)
        return self.model(network, num_classes=4, mean=[128.0], std=[64.0])


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Laboratory]:
    """A laboratory in a folder of its own, on one thread, because tests share the machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield Laboratory(tmp_path)
    torch.set_num_threads(threads)
