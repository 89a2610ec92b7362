"""Small rasters for the tests of geo."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import ColorInterp

from rsmamba.classes import ClassScheme
from rsmamba.geo.environment import no_georeference_warning
from rsmamba.geo.grid import GeoGrid


@pytest.fixture
def make_raster(tmp_path: Path) -> Callable[..., Path]:
    """Write an array ``(C, h, w)`` to a raster file."""

    def make(
        values: NDArray[Any],
        *,
        name: str = "scene.tif",
        colours: Sequence[str] | None = None,
        mask: NDArray[np.bool_] | None = None,
        colormap: dict[int, tuple[int, int, int, int]] | None = None,
        scales: Sequence[float] | None = None,
        **profile: Any,  # noqa: ANN401 - creation options
    ) -> Path:
        count, height, width = values.shape
        path = tmp_path / name
        profile = {"driver": "GTiff", "dtype": values.dtype, **profile}
        size = {"count": count, "height": height, "width": width}
        with no_georeference_warning(), rasterio.open(path, "w", **size, **profile) as dataset:
            if colours is not None:
                dataset.colorinterp = [ColorInterp[colour] for colour in colours]
            if colormap is not None:
                dataset.write_colormap(1, colormap)
            if scales is not None:
                dataset.scales = scales
            dataset.write(values)
            if mask is not None:
                dataset.write_mask(mask)
        return path

    return make


@pytest.fixture
def utm_grid() -> GeoGrid:
    """A grid of 70 x 90 pixels of half a metre."""
    return GeoGrid(
        height=70, width=90, crs=CRS.from_epsg(32633), transform=Affine(0.5, 0, 5e5, 0, -0.5, 5e6)
    )


@pytest.fixture
def classes() -> ClassScheme:
    """Three classes."""
    return ClassScheme(
        names=("roof", "road & rail", "tree"), colours=((200, 0, 0), (9, 9, 9), (0, 99, 0))
    )
