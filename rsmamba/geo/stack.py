"""SceneStack: several rasters of one size that are read as one, band after band."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from rsmamba.errors import GridMismatchError
from rsmamba.geo.grid import GeoGrid
from rsmamba.geo.scene import Pixels, Scene
from rsmamba.geo.window import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class RasterPart:
    """One file of a stack.

    Attributes:
        path: The file.
        bidx: Its bands to read, from 1; None takes all but an alpha band.
    """

    path: Path
    bidx: tuple[int, ...] | None = None


class SceneStack:
    """Rasters of the same pixels, such as an image and its heights; made by ``SceneStack.open``.

    Args:
        scenes: The open scenes, at least one; the first gives the grid.

    Attributes:
        grid: Grid of the first scene.
        num_bands: Bands of all scenes together.
        dtype: NumPy name of the type that holds the values of all scenes.
    """

    def __init__(self, scenes: Sequence[Scene]) -> None:
        self.scenes = tuple(scenes)
        self.grid = scenes[0].grid
        self.num_bands = sum(scene.num_bands for scene in scenes)
        self.dtype = str(np.result_type(*(scene.dtype for scene in scenes)))

    @classmethod
    def open(cls, parts: Sequence[RasterPart]) -> Self:
        """Open all files of a stack.

        Args:
            parts: The files, at least one.

        Returns:
            The open stack.

        Raises:
            GridMismatchError: If the files differ in size, or in place where two say where they
                are.
            SceneError: If a file cannot be read.
            BandError: If a file lacks a band.
        """
        with ExitStack() as opened:
            scenes = [opened.enter_context(Scene.open(part.path, bidx=part.bidx)) for part in parts]
            for scene in scenes[1:]:
                check_same_pixels(scenes[0], scene)
            opened.pop_all()
        return cls(scenes)

    def read(self, window: Window) -> Pixels:
        """Read a window of all scenes.

        Args:
            window: What to read; it must lie inside the grid.

        Returns:
            Values ``(C, h, w)`` of type ``dtype``, and where every scene is valid.

        Raises:
            OptionError: If the window is not inside the grid.
            SceneError: If a file is damaged there.
        """
        first, *others = (scene.read(window) for scene in self.scenes)
        if not others:
            return first
        valid = np.logical_and.reduce([first.valid, *(part.valid for part in others)])
        values = np.concatenate([first.values, *(part.values for part in others)])
        values = values.astype(self.dtype, copy=False)
        values[:, ~valid] = 0
        return Pixels(values=values, valid=valid)

    def close(self) -> None:
        """Close all files."""
        for scene in self.scenes:
            scene.close()

    def __enter__(self) -> Self:
        """Return the stack itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close all files."""
        self.close()


def check_same_pixels(image: Scene, other: Scene) -> None:
    """Refuse a raster whose pixels are not those of the image.

    Many rasters that belong to an image, such as pictures of labels or heights, have no transform;
    they are taken by size alone. Two programs may write one CRS in two ways, so only the codes of
    two known systems are compared.

    Args:
        image: The image.
        other: What is read beside it.

    Raises:
        GridMismatchError: If sizes differ, or places where both are known.
    """
    if (image.grid.height, image.grid.width) != (other.grid.height, other.grid.width):
        message = (
            f"{other.path} is {other.grid.width} px wide and {other.grid.height} px high, its "
            f"image {image.grid.width} and {image.grid.height}; both must have the same size"
        )
        raise GridMismatchError(message)
    if image.grid.transform.is_identity or other.grid.transform.is_identity:
        return
    if not _without_crs(image.grid).same_as(_without_crs(other.grid)):
        message = (
            f"{other.path} has the transform {tuple(other.grid.transform)[:6]} and its image "
            f"{tuple(image.grid.transform)[:6]}; warp one onto the grid of the other"
        )
        raise GridMismatchError(message)
    codes = [None if grid.crs is None else grid.crs.to_epsg() for grid in (other.grid, image.grid)]
    if None not in codes and codes[0] != codes[1]:
        message = (
            f"{other.path} is in EPSG:{codes[0]} and its image in EPSG:{codes[1]}; warp one onto "
            "the grid of the other"
        )
        raise GridMismatchError(message)


def _without_crs(grid: GeoGrid) -> GeoGrid:
    return replace(grid, crs=None, gcps=(), gcps_crs=None, rpcs=None)
