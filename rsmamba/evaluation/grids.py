"""Whether map and reference share a grid, and warping where they do not."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from affine import Affine
from rasterio.enums import ColorInterp, Resampling
from rasterio.vrt import WarpedVRT

from rsmamba.errors import GridMismatchError
from rsmamba.geo.environment import no_georeference_warning
from rsmamba.geo.grid import GeoGrid
from rsmamba.geo.opening import header_errors, open_dataset
from rsmamba.geo.scene import Scene


def check_same_grid(
    map_path: str | Path,
    map_grid: GeoGrid,
    *,
    path: str | Path,
    grid: GeoGrid,
    what: str = "reference",
) -> str | None:
    """Refuse a raster whose pixels are not those of the map.

    Rasters without a georeference, such as pictures of labels, are taken by size alone.

    Args:
        map_path: The map.
        map_grid: Its grid.
        path: The other raster.
        grid: Its grid.
        what: What the other raster is; only a reference can be warped.

    Returns:
        A remark where the size alone was compared, or a CRS is missing; else None.

    Raises:
        GridMismatchError: If sizes, places or CRSs differ.
    """
    same_size = (grid.height, grid.width) == (map_grid.height, map_grid.width)
    placed = grid.is_georeferenced and map_grid.is_georeferenced
    if same_size and not placed:
        bare = path if not grid.is_georeferenced else map_path
        return f"{Path(bare).name} has no georeference and was laid on by its size alone"
    if same_size and _same_place(map_grid, grid):
        return _missing_crs(map_path, map_grid, path=path, grid=grid)
    message = (
        f"map and {what} are on different grids: {map_path} is {_described(map_grid)}; {path} "
        f"is {_described(grid)}; {_advice(what, can_warp=_can_warp(grid) and _can_warp(map_grid))}"
    )
    raise GridMismatchError(message)


def _advice(what: str, *, can_warp: bool) -> str:
    if what != "reference":
        return f"give {what} of the map's own pixels (--warp is for references)"
    if can_warp:
        return "use --warp to bring the reference onto the map's grid"
    return "give rasters of the same pixels; --warp needs a CRS and a transform in both"


def _missing_crs(
    map_path: str | Path, map_grid: GeoGrid, *, path: str | Path, grid: GeoGrid
) -> str | None:
    """Say that one of two rasters at the same coordinates does not tell their CRS."""
    if (map_grid.crs is None) == (grid.crs is None):
        return None
    bare = path if grid.crs is None else map_path
    return f"{Path(bare).name} has no CRS and was taken to be in the other's"


@contextmanager
def open_on_grid(
    path: str | Path, *, map_path: str | Path, map_grid: GeoGrid, warp: bool = False, rgb: bool
) -> Iterator[tuple[Scene, str | None]]:
    """Open a raster on the grid of the map.

    Args:
        path: The raster.
        map_path: The map, for messages.
        map_grid: Grid to come out.
        warp: Warp, by nearest neighbour, where the grids differ.
        rgb: Expand a palette to colours.

    Yields:
        The open raster, and a remark about how its pixels were placed, if there is one.

    Raises:
        GridMismatchError: If the grids differ and `warp` is False, or warping is not possible.
        SceneError: If the raster cannot be read.
    """
    with Scene.open(path, num_bands=3 if rgb else None) as scene:
        try:
            remark = check_same_grid(map_path, map_grid, path=path, grid=scene.grid)
        except GridMismatchError:
            if not (warp and _can_warp(scene.grid) and _can_warp(map_grid)):
                raise
        else:
            yield scene, remark
            return
    with _warped(path, map_grid, rgb=rgb) as scene:
        yield scene, f"{Path(path).name} was warped onto the map's grid by nearest neighbour"


@contextmanager
def _warped(path: str | Path, grid: GeoGrid, *, rgb: bool) -> Iterator[Scene]:
    """Open a raster warped onto a grid; pixels that it does not reach are invalid."""
    with (
        no_georeference_warning(),
        open_dataset(path) as dataset,
        header_errors(path),
        WarpedVRT(
            dataset,
            crs=grid.crs,
            transform=grid.transform,
            height=grid.height,
            width=grid.width,
            resampling=Resampling.nearest,
            add_alpha=ColorInterp.alpha not in dataset.colorinterp,
        ) as warped,
    ):
        yield Scene(warped, path, num_bands=3 if rgb else None)


def _can_warp(grid: GeoGrid) -> bool:
    return grid.crs is not None and not grid.transform.is_identity


def _same_place(first: GeoGrid, second: GeoGrid) -> bool:
    """Compare as ``GeoGrid.same_as``, but one CRS may be written in two ways or be missing."""
    codes = [None if grid.crs is None else grid.crs.to_authority() for grid in (first, second)]
    same_crs = None in (first.crs, second.crs) or (codes[0] is not None and codes[0] == codes[1])
    return first.same_as(replace(second, crs=first.crs) if same_crs else second)


def _described(grid: GeoGrid) -> str:
    """Size, CRS, pixel size and first corner of a grid."""
    transform: Affine = grid.transform
    if transform.is_identity:
        return grid.describe()
    corner = f"from ({transform.c:.10g}, {transform.f:.10g})"
    turned = ""
    if transform.b or transform.d:
        turned = f", turned or sheared by ({transform.b:.6g}, {transform.d:.6g})"
    steps = f"in steps of ({transform.a:.6g}, {transform.e:.6g})"
    return f"{grid.describe()}, {corner} {steps}{turned}"
