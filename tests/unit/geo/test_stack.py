"""Several files of one scene are read as one."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio

from rsmamba.errors import GridMismatchError, SceneError
from rsmamba.geo.environment import no_georeference_warning
from rsmamba.geo.stack import RasterPart, SceneStack
from rsmamba.geo.window import Window

Write = Callable[..., RasterPart]
RGB = np.arange(18, dtype=np.uint8).reshape(3, 2, 3)
HEIGHTS = np.array([[[0.5, np.nan, 1.5], [2, 2.5, 3]]], np.float32)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_part(
        name: str, values: np.ndarray, left: float | None = 5.0, **part: tuple[int, ...]
    ) -> RasterPart:
        count, height, width = values.shape
        profile = {"count": count, "height": height, "width": width, "dtype": values.dtype}
        if left is not None:
            profile["transform"] = rasterio.Affine(1, 0, left, 0, -1, 9)
        path = tmp_path / name
        with no_georeference_warning(), rasterio.open(path, "w", driver="GTiff", **profile) as file:
            file.write(values)
        return RasterPart(path=path, **part)

    return write_part


def test_bands_follow_each_other_and_all_must_be_valid(write: Write) -> None:
    parts = [write("a.tif", RGB, bidx=(3, 1)), write("h.tif", HEIGHTS, left=None)]
    with SceneStack.open(parts) as stack:
        assert (stack.num_bands, stack.dtype) == (3, "float32")
        pixels = stack.read(Window(row=0, col=0, height=2, width=3))
    assert pixels.valid.tolist() == [[True, False, True], [True, True, True]]
    expected = np.concatenate([RGB[[2, 0]].astype(np.float32), HEIGHTS])
    expected[:, 0, 1] = 0
    assert np.array_equal(pixels.values, expected)


def test_windows_are_those_of_every_file(write: Write) -> None:
    with SceneStack.open([write("a.tif", RGB), write("b.tif", RGB[:1] + 100)]) as stack:
        pixels = stack.read(Window(row=1, col=1, height=1, width=2))
    assert stack.dtype == "uint8"
    assert pixels.values[:, 0].tolist() == [[4, 5], [10, 11], [16, 17], [104, 105]]


def test_files_of_other_pixels_are_refused(write: Write, tmp_path: Path) -> None:
    image = write("a.tif", RGB)
    with pytest.raises(GridMismatchError, match=r"h.tif is 2 px wide and 2 px high, its image 3"):
        SceneStack.open([image, write("h.tif", HEIGHTS[..., :2])])
    with pytest.raises(GridMismatchError, match=r"h.tif has the transform .*; warp one onto"):
        SceneStack.open([image, write("h.tif", HEIGHTS, left=6.0)])
    with pytest.raises(SceneError, match=r"absent.tif does not exist"):
        SceneStack.open([image, RasterPart(path=tmp_path / "absent.tif")])
