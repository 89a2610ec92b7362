"""StackedScene: a scene and other rasters of the same pixels, such as heights, as one."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.io import DatasetReader
from typing_extensions import override

from rsmamba.errors import BandError
from rsmamba.geo.nodata import blank_invalid
from rsmamba.geo.opening import header_errors, open_dataset
from rsmamba.geo.scene import Pixels, Scene
from rsmamba.geo.stack import check_same_pixels
from rsmamba.geo.window import Window


class StackedScene(Scene):
    """A scene whose reads end with the bands of other rasters; made by ``open_stacked``.

    A pixel is valid where all of them are. Grid, name, colours and ``bidx`` are those of the scene.

    Args:
        dataset: The open dataset of the scene.
        path: Where it is.
        others: The other rasters, open; closed with the scene.
        bidx: Band numbers of the scene to read, from 1; None chooses.
        num_bands: Number of bands that must come out of all together, None for any.
        src_nodata: Nodata number of the scene in place of its own.
        unscale: Apply the scale and offset of the scene.

    Raises:
        BandError: If the other rasters alone have as many bands as must come out, or more.
        GridMismatchError: If a raster does not have the pixels of the scene.
    """

    def __init__(
        self,
        dataset: DatasetReader,
        path: str | Path,
        *,
        others: Sequence[Scene],
        bidx: Sequence[int] | None = None,
        num_bands: int | None = None,
        src_nodata: float | None = None,
        unscale: bool = False,
    ) -> None:
        more = sum(other.num_bands for other in others)
        if num_bands is not None and num_bands <= more:
            message = (
                f"the model takes {num_bands} bands and the extra rasters have {more} of them; "
                "leave a raster out, or choose another model"
            )
            raise BandError(message)
        super().__init__(
            dataset,
            path,
            bidx=bidx,
            num_bands=None if num_bands is None else num_bands - more,
            src_nodata=src_nodata,
            unscale=unscale,
        )
        for other in others:
            check_same_pixels(self, other)
        self.others = tuple(others)
        self.num_bands += more
        self.dtype = str(np.result_type(self.dtype, *(other.dtype for other in others)))
        self.files += tuple(file for other in others for file in other.files)
        kinds = [kind for other in others for kind in other.mask_kinds]
        self.mask_kinds = tuple(dict.fromkeys((*self.mask_kinds, *kinds)))

    @override
    def read_decimated(self, window: Window, *, height: int, width: int) -> Pixels:
        """Read a window of all rasters, shrunk to a smaller size.

        Args:
            window: What to read; it must lie inside the scene.
            height: Rows to return.
            width: Columns to return.

        Returns:
            Values ``(C, height, width)`` of type ``dtype``, and where all rasters are valid.
        """
        parts = [
            super().read_decimated(window, height=height, width=width),
            *(other.read_decimated(window, height=height, width=width) for other in self.others),
        ]
        valid = np.logical_and.reduce([part.valid for part in parts])
        values = np.concatenate([part.values for part in parts]).astype(self.dtype, copy=False)
        blank_invalid(values, valid)
        return Pixels(values=values, valid=valid)

    @override
    def close(self) -> None:
        """Close all files."""
        super().close()
        for other in self.others:
            other.close()


def open_stacked(path: str | Path, extra: Sequence[str | Path], **options: Any) -> Scene:  # noqa: ANN401 - Scene.open has them
    """Open a scene, with other rasters behind its bands.

    Args:
        path: The scene.
        extra: The other rasters; all their bands but alpha are read. None for the scene alone.
        **options: Those of ``Scene.open``; `num_bands` counts the bands of all.

    Returns:
        The open scene.

    Raises:
        GridMismatchError: If a raster does not have the pixels of the scene.
        SceneError: If a file cannot be read.
        BandError: If the bands are not those that are wanted.
    """
    if not extra:
        return Scene.open(path, **options)
    with ExitStack() as opened:
        others = [opened.enter_context(Scene.open(other)) for other in extra]
        dataset = open_dataset(path)
        opened.callback(dataset.close)
        with header_errors(path):
            scene = StackedScene(dataset, path, others=others, **options)
        opened.pop_all()
    return scene
