"""Scenes of STAC items, item collections, collections and catalogs in local files.

Follows the STAC 1.0 and 1.1 specifications of items, catalogs and assets; links of other hosts are
not followed.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rsmamba.errors import DataError
from rsmamba.geo.environment import is_local

_RASTER_TYPES = ("image/tiff", "image/jp2", "image/vnd.stac.geotiff", "image/png", "image/jpeg")
_USUAL_KEYS = ("data", "image", "visual")
# A catalog that links to itself would be read for ever.
_DEEPEST = 20


def stac_scenes(path: Path, *, asset: str | None = None) -> Iterator[tuple[str, str | None]]:
    """Yield the scenes of a STAC file and of the files that it links to.

    Args:
        path: An item, item collection, collection or catalog.
        asset: Key of the asset to take; None takes the one with the role "data", or the only
            raster.

    Yields:
        Path of the scene, or of its item, and why it cannot be read, None if it can.

    Raises:
        DataError: If the file is not STAC.
    """
    yield from _scenes(path, asset=asset, depth=0)


def _scenes(path: Path, *, asset: str | None, depth: int) -> Iterator[tuple[str, str | None]]:
    content = _read(path)
    kind = content.get("type")
    if kind == "Feature":
        yield _scene_of(content, path, asset)
    elif kind == "FeatureCollection":
        for item in content.get("features", ()):
            yield _scene_of(item, path, asset)
    elif kind in {"Collection", "Catalog"} and depth < _DEEPEST:
        for link in content.get("links", ()):
            if link.get("rel") in {"item", "child"}:
                yield from _linked(path, str(link.get("href")), asset=asset, depth=depth + 1)
    else:
        message = f"{path} is not STAC; give an item, an item collection, a collection or a catalog"
        raise DataError(message)


def _linked(
    path: Path, href: str, *, asset: str | None, depth: int
) -> Iterator[tuple[str, str | None]]:
    if not is_local(href):
        yield href, "its STAC item is not a local file; fetch it first"
        return
    try:
        yield from _scenes(path.parent / href, asset=asset, depth=depth)
    except DataError as error:
        yield str(path.parent / href), str(error)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        message = f"{path} cannot be read as STAC: {error}"
        raise DataError(message) from error
    return content if isinstance(content, dict) else {}


def _scene_of(item: Any, path: Path, asset: str | None) -> tuple[str, str | None]:  # noqa: ANN401 - JSON
    assets = item.get("assets") if isinstance(item, dict) else None
    if not isinstance(assets, dict):
        return str(path), "the STAC item has no assets"
    chosen = asset if asset is not None else _usual_asset(assets)
    if chosen not in assets or not isinstance(assets[chosen], dict):
        known = ", ".join(assets) or "none"
        return str(path), f"which asset is the scene? give --asset with one of: {known}"
    href = str(assets[chosen].get("href"))
    if not is_local(href):
        return href, "the asset is not a local file; fetch it first"
    return str(path.parent / href), None


def _usual_asset(assets: Mapping[str, Any]) -> str | None:
    rasters = [key for key, asset in assets.items() if _is_raster(asset)]
    data = [key for key in rasters if "data" in assets[key].get("roles", ())]
    for keys in (data, rasters):
        if len(keys) == 1:
            return keys[0]
    return next((key for key in _USUAL_KEYS if key in rasters), None)


def _is_raster(asset: Any) -> bool:  # noqa: ANN401 - JSON
    if not isinstance(asset, dict):
        return False
    media, href = str(asset.get("type", "")), str(asset.get("href", "")).lower()
    is_overview = {"thumbnail", "overview"} & set(asset.get("roles") or ())
    return not is_overview and (
        media.startswith(_RASTER_TYPES) or (not media and href.endswith((".tif", ".tiff", ".jp2")))
    )
