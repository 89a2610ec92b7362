"""One report with pictures, of two scenes of ISPRS classes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray

from rsmamba.evaluation import AccuracyReport, evaluate

GRID = {"crs": "EPSG:32633", "transform": Affine(0.5, 0, 5e5, 0, -0.5, 5e6)}


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> AccuracyReport:
    """Maps that are mostly right, an image beside, and scores."""
    folder = tmp_path_factory.mktemp("scenes")
    random = np.random.default_rng(0)
    rows = ["map,reference,image,probabilities"]
    for number, height in ((5, 320), (15, 200)):
        size = (height // 10, 40)
        labels = random.integers(0, 6, size, dtype=np.uint8).repeat(10, axis=0).repeat(10, axis=1)
        wrong = random.random(labels.shape) < 0.2
        classes = np.where(wrong, 1, labels).astype(np.uint8)
        bands: dict[str, NDArray[Any]] = {
            "map": classes[None],
            "reference": labels[None],
            "image": random.integers(0, 256, (3, *labels.shape), dtype=np.uint8),
            "probabilities": random.uniform(0.5, 1, (1, *labels.shape)).astype(np.float32),
        }
        names = []
        for kind, values in bands.items():
            # A name that would break a page that does not escape it.
            names.append(f"top_mosaic_09cm_area{number}<b>&{kind}.tif")
            count, rows_, cols = values.shape
            shape = {"count": count, "height": rows_, "width": cols, "dtype": values.dtype}
            with rasterio.open(folder / names[-1], "w", driver="GTiff", **shape, **GRID) as file:
                file.write(values)
        rows.append(",".join(names))
    (folder / "scenes.csv").write_text("\n".join(rows))
    return evaluate(folder / "scenes.csv", protocol="geoseg", tile=64, pictures=True)


@pytest.fixture(scope="session")
def page_path(report: AccuracyReport, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report as a web page."""
    from rsmamba.report import write_page

    return write_page(report, tmp_path_factory.mktemp("page") / "report.html")
