"""Rasters for tests of training data."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rasterio
from numpy.typing import NDArray

from rsmamba.geo.environment import no_georeference_warning

PLACE = rasterio.Affine(2, 0, 500_000, 0, -2, 4_000_000)


@pytest.fixture
def write_raster(tmp_path: Path) -> Callable[..., Path]:
    """Write bands (C, H, W), or one band (H, W), to a file below the test's folder."""

    def write(name: str, values: NDArray[Any], **profile: Any) -> Path:  # noqa: ANN401
        bands = values if values.ndim == 3 else values[None]
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        options: dict[str, Any] = {"driver": "GTiff", "transform": PLACE, **profile}
        count, height, width = bands.shape
        with no_georeference_warning():
            file = rasterio.open(
                path, "w", count=count, height=height, width=width, dtype=bands.dtype, **options
            )
            with file:
                file.write(bands)
        return path

    return write
