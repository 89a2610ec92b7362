"""Damage to GeoTIFFs and model files, the same for the same number."""

import json
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.transform import from_origin

Damage = Callable[[bytearray, np.random.Generator], bytearray]
# Numbers at which sizes, offsets and counts break.
_EDGES = (0, 1, 2, 3, 255, 256, 32767, 32768, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1)
_LARGE = (-1, 0, 2**16, 2**31, 2**53, 1e300, float("nan"), float("inf"))
_HEIGHT, _WIDTH = 40, 48

PROFILES: dict[str, dict[str, Any]] = {
    "plain": {},
    "tiled": {"tiled": True, "blockxsize": 16, "blockysize": 16},
    "lzw": {"compress": "lzw", "predictor": 2},
    "deflate": {"compress": "deflate", "tiled": True, "blockxsize": 32, "blockysize": 32},
    "zstd": {"compress": "zstd", "interleave": "band"},
    "jpeg": {"compress": "jpeg", "photometric": "ycbcr", "tiled": True}
    | {"blockxsize": 16, "blockysize": 16},
    "webp": {"compress": "webp", "webp_lossless": True},
    "big": {"bigtiff": "yes", "compress": "packbits"},
    "float": {"dtype": "float32", "nodata": float("nan")},
    "uint16": {"dtype": "uint16", "nodata": 0, "compress": "lerc"},
    "cog": {"driver": "COG", "compress": "deflate"},
}


def make_scenes(folder: Path) -> list[bytes]:
    """Write small rasters of many kinds.

    Args:
        folder: Where they are written.

    Returns:
        Their bytes.
    """
    pixels = np.random.default_rng(0).integers(1, 255, (3, _HEIGHT, _WIDTH)).astype(np.uint8)
    contents = []
    for name, options in PROFILES.items():
        path = folder / f"{name}.tif"
        profile: dict[str, Any] = {
            "driver": "GTiff",
            "dtype": "uint8",
            "count": 3,
            "crs": "EPSG:32640",
        } | options
        transform = from_origin(330000, 2790000, 0.5, 0.5)
        size = {"height": _HEIGHT, "width": _WIDTH, "transform": transform}
        with rasterio.open(path, "w", **profile, **size) as file:
            file.write(pixels.astype(profile["dtype"]))
            if name == "tiled":
                file.write_mask(pixels[0] > 20)
        if name == "deflate":
            with rasterio.open(path, "r+") as file:
                file.build_overviews([2])
        contents.append(path.read_bytes())
    return contents


def damaged_scene(contents: Sequence[bytes], number: int) -> bytes:
    """Damage one of several GeoTIFFs.

    Args:
        contents: The rasters.
        number: Which damage.

    Returns:
        Bytes of a file.
    """
    random = np.random.default_rng([1, number])
    content = bytearray(contents[number % len(contents)])
    kinds: tuple[Damage, ...] = (
        damage_directory, damage_directory, damage_directory,
        flip_start, flip_anywhere, cut, insert, blank,
    )  # fmt: skip
    return bytes(kinds[random.integers(len(kinds))](content, random))


def damage_directory(content: bytearray, random: np.random.Generator) -> bytearray:
    """Change tag, type, count or value of some entries of a directory, chosen by their place."""
    entries = _entries(content)
    for start, size in random.choice(np.array(entries), size=int(random.integers(1, 4))):
        field = int(random.integers(4))
        lengths = (2, 2, 8, 8) if size == 20 else (2, 2, 4, 4)
        first = int(start) + sum(lengths[:field])
        value = int(random.choice(np.array(_EDGES, np.int64)))
        if random.random() < 0.3:
            value = int(random.integers(2**16))
        content[first : first + lengths[field]] = (value % 256 ** lengths[field]).to_bytes(
            lengths[field], "little"
        )
    return content


def _entries(content: bytearray) -> list[tuple[int, int]]:
    """Place and length of each entry of the first directories; TIFF 6.0, section 2, and BigTIFF."""
    is_big = content[2] == 43
    place = (
        struct.unpack_from("<Q", content, 8)[0]
        if is_big
        else struct.unpack_from("<I", content, 4)[0]
    )
    found: list[tuple[int, int]] = []
    size, head, link = (20, 8, "<Q") if is_big else (12, 2, "<I")
    while place and len(found) < 100:
        count = struct.unpack_from("<Q" if is_big else "<H", content, place)[0]
        found += [(place + head + index * size, size) for index in range(count)]
        place = struct.unpack_from(link, content, place + head + count * size)[0]
    return found


def flip_start(content: bytearray, random: np.random.Generator) -> bytearray:
    """Change bytes among the first 300."""
    return _flip(content, random, end=300)


def flip_anywhere(content: bytearray, random: np.random.Generator) -> bytearray:
    """Change bytes anywhere."""
    return _flip(content, random, end=len(content))


def _flip(content: bytearray, random: np.random.Generator, *, end: int) -> bytearray:
    for _ in range(int(random.integers(1, 9))):
        content[int(random.integers(min(end, len(content))))] = int(random.integers(256))
    return content


def cut(content: bytearray, random: np.random.Generator) -> bytearray:
    """Leave out the end."""
    return content[: int(random.integers(len(content)))]


def insert(content: bytearray, random: np.random.Generator) -> bytearray:
    """Put random bytes in."""
    place = int(random.integers(len(content)))
    return content[:place] + random.bytes(int(random.integers(1, 64))) + content[place:]


def blank(content: bytearray, random: np.random.Generator) -> bytearray:
    """Set a stretch to one value."""
    start = int(random.integers(len(content)))
    stop = min(start + int(random.integers(1, 400)), len(content))
    content[start:stop] = bytes([int(random.choice([0, 255]))]) * (stop - start)
    return content


def damaged_model(content: bytes, number: int) -> bytes:
    """Damage a model file: its length, its header as text, the values in it, or its weights.

    Args:
        content: The model file.
        number: Which damage.

    Returns:
        Bytes of a file.
    """
    random = np.random.default_rng([2, number])
    kind = int(random.integers(6))
    if kind == 0:
        lengths = np.array([0, 1, 100, 2**24, 2**24 + 1, 2**40, 2**63 - 1], np.int64)
        return struct.pack("<Q", int(random.choice(lengths))) + content[8:]
    if kind == 1:
        return bytes(_flip(bytearray(content), random, end=8 + header_length(content)))
    if kind == 2:
        return bytes((cut, insert, flip_anywhere)[number % 3](bytearray(content), random))
    header = json.loads(content[8 : 8 + header_length(content)])
    if kind == 3:
        names = [name for name in header if name != "__metadata__"]
        entry = header[names[int(random.integers(len(names)))]]
        _change(entry, random)
    else:
        values = json.loads(header["__metadata__"]["rsmamba"])
        for _ in range(int(random.integers(1, 3))):
            _change(values, random)
        header["__metadata__"]["rsmamba"] = json.dumps(values)
    text = json.dumps(header).encode("utf-8", "surrogatepass")
    return struct.pack("<Q", len(text)) + text + content[8 + header_length(content) :]


def header_length(content: bytes) -> int:
    """Return the length of a model file's header in bytes.

    Args:
        content: The model file.

    Returns:
        The length.
    """
    return int(struct.unpack_from("<Q", content)[0])


def _change(values: Any, random: np.random.Generator) -> None:  # noqa: ANN401 - JSON
    """Change, remove or add one value somewhere in nested containers."""
    while True:
        keys = list(values) if isinstance(values, dict) else list(range(len(values)))
        if not keys:
            return
        key = keys[int(random.integers(len(keys)))]
        inner = values[key]
        if not (isinstance(inner, dict | list) and inner and random.random() < 0.8):
            break
        values = inner
    if isinstance(values, dict) and random.random() < 0.2:
        del values[key]
    else:
        values[key] = _odd_value(inner, random)


def _odd_value(value: Any, random: np.random.Generator) -> Any:  # noqa: ANN401 - JSON
    """Make a value of another size or kind."""
    names = ("", "\x1b[2J\x00", "<script>", "../../etc/passwd", "\ud800", "x" * 10_000, "/etc/a")
    odd: tuple[Any, ...] = (None, [], {}, True, "1", [[]] * 10, *names, *_LARGE)
    if isinstance(value, int | float) and random.random() < 0.5:
        return value * int(random.choice([2, 10, 1000, -1])) + int(random.integers(3))
    return odd[int(random.integers(len(odd)))]
