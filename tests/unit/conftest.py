"""Small class maps, and the plain way of joining them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray

from rsmamba.classes import ClassScheme
from rsmamba.geo.environment import no_georeference_warning
from rsmamba.geo.sidecar import write_sidecar

WriteMap = Callable[..., Path]
CLASSES = ClassScheme.from_names(["land", "water", "tree", "car"])
STEPS = Affine(2, 0, 5e5, 0, -2, 5e6)


@pytest.fixture
def write_map(tmp_path: Path) -> WriteMap:
    """Write a class map as rsmamba does, and its confidence if there is one."""

    def write(
        classes: NDArray[np.uint8],
        *,
        name: str = "map.tif",
        transform: Affine | None = STEPS,
        crs: str | None = "EPSG:32633",
        confidence: NDArray[Any] | None = None,
        scheme: ClassScheme = CLASSES,
    ) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        height, width = classes.shape
        profile: dict[str, Any] = {"driver": "GTiff", "count": 1, "height": height, "width": width}
        profile |= {"crs": crs} | ({} if transform is None else {"transform": transform})
        stored = profile | {"dtype": "uint8", "nodata": 255, "photometric": "PALETTE"}
        with no_georeference_warning(), rasterio.open(path, "w", **stored) as file:
            file.write(classes, 1)
            colours = enumerate(scheme.colours)
            file.write_colormap(1, {index: (*colour, 255) for index, colour in colours})
            file.update_tags(RSMAMBA_MODEL="m", RSMAMBA_MODEL_HASH="h")
        write_sidecar(path, classes=scheme, counts=[0] * scheme.num_classes)
        if confidence is not None:
            nodata = 255 if confidence.dtype == np.uint8 else np.nan
            beside = path.with_name(f"{path.stem}_confidence.tif")
            rows, cols = confidence.shape
            stored = profile | {"dtype": confidence.dtype, "nodata": nodata}
            stored |= {"height": rows, "width": cols}
            with rasterio.open(beside, "w", **stored) as file:
                file.write(confidence, 1)
        return path

    return write
