"""STAC items of class maps and a collection of them.

Follows STAC 1.1.0 with the extensions projection 2.0.0, classification 2.0.0 and, where the model
file is known, machine learning model (MLM) 1.5.1. Addresses of files are relative to the item.
"""

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rsmamba.models.model_header import ModelHeader
from rsmamba.report.maps import MapFacts, footprint, positions, write_derived

VERSION = "1.1.0"
_SCHEMAS = "https://stac-extensions.github.io"
PROJECTION = f"{_SCHEMAS}/projection/v2.0.0/schema.json"
CLASSIFICATION = f"{_SCHEMAS}/classification/v2.0.0/schema.json"
MLM = f"{_SCHEMAS}/mlm/v1.5.1/schema.json"
COLLECTION_NAME = "collection.json"
_COG = "image/tiff; application=geotiff; profile=cloud-optimized"
_TASK = "semantic-segmentation"
_ROLES = {"confidence": ["data"], "probabilities": ["data"], "quicklook": ["overview"]}


def write_item(
    facts: MapFacts,
    *,
    extra: Mapping[str, Path] | None = None,
    model: ModelHeader | None = None,
    collection: Path | None = None,
) -> Path:
    """Write the item of a map beside it.

    Args:
        facts: The map.
        extra: Other outputs: "confidence", "probabilities", "quicklook".
        model: The model file; None leaves it out.
        collection: The collection that the item belongs to.

    Returns:
        The item, ``NAME.json``.

    Raises:
        OutputExistsError: If there is a file of that name that rsmamba did not write.
        OutputError: If it cannot be written.
    """
    content = item(facts, extra=extra, model=model, collection=collection)
    return write_derived(facts.path.with_suffix(".json"), _text(content))


def item(
    facts: MapFacts,
    *,
    extra: Mapping[str, Path] | None = None,
    model: ModelHeader | None = None,
    collection: Path | None = None,
) -> dict[str, Any]:
    """Describe a map; the arguments are those of ``write_item``.

    Args:
        facts: The map.
        extra: Other outputs.
        model: The model file.
        collection: The collection that the item belongs to.

    Returns:
        The item, plain values. Its time is when the map was written.
    """
    folder = facts.path.parent
    geometry = footprint(facts)
    assets = {"classes": _class_asset(facts)}
    for name, path in (extra or {}).items():
        media = "image/png" if path.suffix.lower() == ".png" else _COG
        assets[name] = {"href": _href(path, folder), "type": media, "roles": _ROLES[name]}
    properties = {
        "datetime": _time(facts.written),
        "created": _time(facts.written),
        **_projection(facts),
        **{f"rsmamba:{name}": text for name, text in facts.tags.items() if name != "options"},
        "rsmamba:options": facts.options,
    }
    extensions = [PROJECTION, CLASSIFICATION]
    if model is not None:
        extensions.append(MLM)
        properties |= model_fields(model, tile=int(facts.options.get("tile", 512)))
        assets["model"] = {
            "href": _href(model.path, folder),
            "type": "application/octet-stream",
            "roles": ["mlm:model"],
            "mlm:artifact_type": "safetensors",
        }
    content: dict[str, Any] = {
        "type": "Feature",
        "stac_version": VERSION,
        "stac_extensions": extensions,
        "id": _item_id(facts.path, collection),
        "geometry": geometry,
        "properties": properties,
        "links": [],
        "assets": assets,
    }
    if geometry is not None:
        content["bbox"] = _box(geometry)
    if collection is not None:
        content["collection"] = collection_id(collection)
        href = _href(collection, folder)
        content["links"] = [
            {"rel": relation, "href": href, "type": "application/json"}
            for relation in ("root", "parent", "collection")
        ]
    return content


def model_fields(model: ModelHeader, *, tile: int) -> dict[str, Any]:
    """Describe a model by the fields of the MLM extension.

    Args:
        model: The model file.
        tile: Side of a tile, pixels.

    Returns:
        Properties of an item.
    """
    wanted: dict[str, Any] = {
        "name": "image",
        "input": {
            "shape": [-1, model.in_channels, tile, tile],
            "dim_order": ["batch", "channel", "height", "width"],
            "data_type": "float32",
        },
    }
    if model.band_names:
        wanted["description"] = f"bands {', '.join(model.band_names)}"
    if model.mean is not None and model.std is not None:
        wanted["value_scaling"] = [
            {"type": "z-score", "mean": mean, "stddev": std}
            for mean, std in zip(model.mean, model.std, strict=True)
        ]
    return {
        "mlm:name": model.name,
        "mlm:architecture": str(model.architecture["name"]),
        "mlm:framework": "PyTorch",
        "mlm:tasks": [_TASK],
        "mlm:input": [wanted],
        "mlm:output": [
            {
                "name": "scores",
                "tasks": [_TASK],
                "result": {
                    "shape": [-1, model.num_classes, tile, tile],
                    "dim_order": ["batch", "class", "height", "width"],
                    "data_type": "float32",
                },
                "classification:classes": class_objects(model.classes.names, model.classes.colours),
            }
        ],
    }


def class_objects(
    names: Sequence[str],
    colours: Sequence[tuple[int, int, int]],
    counts: Sequence[int] | None = None,
) -> list[dict[str, Any]]:
    """Describe classes by the classification extension.

    Args:
        names: Name of each class.
        colours: Colour of each.
        counts: Pixels of each, where they are known.

    Returns:
        Class objects; their names are made of letters, digits, - and _ and differ.
    """
    objects: list[dict[str, Any]] = []
    taken: set[str] = set()
    for index, (name, (red, green, blue)) in enumerate(zip(names, colours, strict=True)):
        short = re.sub(r"[^0-9A-Za-z_-]+", "_", name).strip("_") or f"class_{index}"
        short = f"{short}_{index}" if short in taken else short
        taken.add(short)
        entry = {"value": index, "name": short, "title": name}
        entry["color_hint"] = f"{red:02X}{green:02X}{blue:02X}"
        objects.append(entry | ({} if counts is None else {"count": counts[index]}))
    return objects


def write_collection(path: Path, items: Iterable[Path]) -> Path:
    """Write the collection of a batch.

    Args:
        path: The collection, ``collection.json``.
        items: Its items, finished files; at least one.

    Returns:
        The path.

    Raises:
        OutputExistsError: If there is a file of that name that rsmamba did not write.
        OutputError: If it cannot be written.
    """
    boxes, times, links = [], [], []
    for found in items:
        content = json.loads(found.read_text(encoding="utf-8"))
        links.append(
            {"rel": "item", "href": _href(found, path.parent), "type": "application/geo+json"}
        )
        boxes += [content["bbox"]] if "bbox" in content else []
        times.append(content["properties"]["datetime"])
    whole = [-180.0, -90.0, 180.0, 90.0]
    box = [
        *(min((box[place] for box in boxes), default=whole[place]) for place in (0, 1)),
        *(max((box[place] for box in boxes), default=whole[place]) for place in (2, 3)),
    ]
    content = {
        "type": "Collection",
        "stac_version": VERSION,
        "stac_extensions": [],
        "id": collection_id(path),
        "title": f"Class maps in {path.absolute().parent.name}",
        "description": "Class maps that rsmamba predicted.",
        "license": "other",
        "extent": {
            "spatial": {"bbox": [box]},
            "temporal": {"interval": [[min(times, default=None), max(times, default=None)]]},
        },
        "links": [{"rel": "root", "href": f"./{path.name}", "type": "application/json"}, *links],
    }
    return write_derived(path, _text(content))


def collection_id(path: Path) -> str:
    """Name a collection after its folder.

    Args:
        path: The collection.

    Returns:
        Its id.
    """
    return path.absolute().parent.name or "maps"


def _item_id(path: Path, collection: Path | None) -> str:
    """Maps in several folders may have the same name; an id must not have a slash."""
    if collection is None:
        return path.stem
    return _href(path.with_suffix(""), collection.parent).removeprefix("./").replace("/", "_")


def _class_asset(facts: MapFacts) -> dict[str, Any]:
    is_cog = facts.options.get("format", "COG") == "COG"
    classes = facts.classes
    return {
        "href": _href(facts.path, facts.path.parent),
        "type": _COG if is_cog else "image/tiff; application=geotiff",
        "roles": ["data"],
        "title": "Class map",
        "data_type": "uint8",
        "nodata": classes.ignore_index,
        "classification:classes": class_objects(classes.names, classes.colours, facts.counts),
    }


def _projection(facts: MapFacts) -> dict[str, Any]:
    epsg = None if facts.crs is None else facts.crs.to_epsg()
    fields: dict[str, Any] = {"proj:shape": [facts.height, facts.width]}
    if epsg is not None:
        fields["proj:code"] = f"EPSG:{epsg}"
    elif facts.crs is not None:
        fields |= {"proj:code": None, "proj:wkt2": facts.crs.to_wkt(version="WKT2_2019")}
    if facts.crs is not None:
        fields["proj:transform"] = list(facts.transform)[:6]
    return fields


def _box(geometry: Mapping[str, Any]) -> list[float]:
    longitudes, latitudes = zip(*positions(geometry), strict=True)
    if geometry["type"] == "MultiPolygon":
        # RFC 7946, section 5.2: west of the antimeridian first.
        west = min(longitude for longitude in longitudes if longitude > 0)
        east = max(longitude for longitude in longitudes if longitude < 0)
        return [west, min(latitudes), east, max(latitudes)]
    return [min(longitudes), min(latitudes), max(longitudes), max(latitudes)]


def _href(path: Path, folder: Path) -> str:
    relative = os.path.relpath(path.absolute(), folder.absolute()).replace(os.sep, "/")
    return relative if relative.startswith("../") else f"./{relative}"


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _text(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=2, allow_nan=False) + "\n"
