"""Small maps and references."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS

from rsmamba.classes import ClassScheme
from rsmamba.geo.environment import no_georeference_warning
from rsmamba.geo.sidecar import write_sidecar

Indices = NDArray[np.uint8]
WriteLabels = Callable[..., Path]
GRID = {"crs": CRS.from_epsg(32633), "transform": Affine(0.5, 0, 5e5, 0, -0.5, 5e6)}


@pytest.fixture
def write_labels(tmp_path: Path) -> WriteLabels:
    """Write class indices (h, w) or colours (3, h, w); with names in a sidecar on request."""

    def write(
        values: NDArray[Any],
        name: str,
        *,
        names: tuple[str, ...] = (),
        grid: dict[str, Any] | None = None,
        **profile: Any,  # noqa: ANN401 - creation options
    ) -> Path:
        bands = values[None] if values.ndim == 2 else values
        count, height, width = bands.shape
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        size = {"count": count, "height": height, "width": width, "dtype": bands.dtype}
        place = GRID if grid is None else grid
        with (
            no_georeference_warning(),
            rasterio.open(path, "w", driver="GTiff", **size, **place, **profile) as file,
        ):
            file.write(bands)
        if names:
            classes = ClassScheme.from_names(names)
            write_sidecar(path, classes=classes, counts=[0] * len(names))
        return path

    return write


@pytest.fixture
def town() -> tuple[Indices, Indices]:
    """A reference of three classes in patches, with holes, and a map that is mostly right."""
    random = np.random.default_rng(5)
    reference = random.integers(0, 3, (9, 14), dtype=np.uint8).repeat(8, axis=0).repeat(9, axis=1)
    prediction = reference.copy()
    wrong = random.random(reference.shape) < 0.2
    prediction[wrong] = random.integers(0, 3, int(wrong.sum()), dtype=np.uint8)
    reference[random.random(reference.shape) < 0.1] = 255
    prediction[:2] = 255
    return prediction, reference
