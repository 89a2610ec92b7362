"""Pruned prediction of a large scene by the real commands, and a picture of the tokens that stay.

The nine images of the validation tile of Dubai join without seam to a scene of 3378 x 3174 pixels.
Its left third calibrates the model; then the whole is predicted densely, with a keep ratio, and
with a ratio for each tile, in turns, ``rsmamba predict`` each time. The agreement of the maps is
that of the two thirds that the calibration did not see:
``python benchmarks/pruning_scene.py DENSE_MODEL TUNED_MODEL --data FOLDER --work FOLDER``.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.measuring import machine, save
from rsmamba.models import SceneModel, load_model
from rsmamba.models.pruning.setting import choose_pruning, pruned
from rsmamba.models.pruning.tokens import watched_pruning
from rsmamba.prediction.scoring import TileScorer

# The images of a tile lie in three rows of three.
ALONG = 3
TILE, PATCH = 512, 16
GAP, TITLE = 8, 22


def joined(folder: Path, cols: int) -> NDArray[np.uint8]:
    """Join the images of the first columns of the validation tile, to (3, h, w)."""
    rows = []
    for row in range(ALONG):
        paths = [folder / f"tile5_part{row * ALONG + col + 1:03}.jpg" for col in range(cols)]
        rows.append(np.concatenate([np.asarray(Image.open(path)) for path in paths], axis=1))
    return np.concatenate(rows).transpose(2, 0, 1)


def write_scene(path: Path, pixels: NDArray[np.uint8]) -> Path:
    """Write a tiled GeoTIFF; where it lies is made up, since the images do not say it."""
    _, height, width = pixels.shape
    size = {"height": height, "width": width, "count": 3, "dtype": "uint8"}
    place = {"crs": "EPSG:32640", "transform": rasterio.Affine(0.5, 0, 330000, 0, -0.5, 2790000)}
    with rasterio.open(path, "w", driver="GTiff", tiled=True, **size, **place) as file:
        file.write(pixels)
    return path


def run(*words: object) -> dict[str, Any]:
    """Run a command of rsmamba in a process of its own, and return its summary."""
    program = Path(sys.executable).with_name("rsmamba")
    done = subprocess.run(
        [program, *map(str, words), "--json"], check=True, capture_output=True, text=True
    )
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def classes_of(path: Path) -> NDArray[np.uint8]:
    """Read a class map."""
    with rasterio.open(path) as file:
        classes: NDArray[np.uint8] = file.read(1)
    return classes


def predict_all(
    scene: Path, ways: Mapping[str, Sequence[object]], *, work: Path, turns: int, seen: int
) -> dict[str, dict[str, Any]]:
    """Predict a scene in all ways, in turns; the best turn counts."""
    rows: dict[str, dict[str, Any]] = {}
    for _ in range(turns):
        for number, (way, words) in enumerate(ways.items()):
            out = work / f"map_{number}.tif"
            made = run("predict", scene, "--out", out, "--overwrite", "--device", "cpu", *words)
            pixels = made["grid"]["height"] * made["grid"]["width"] / 1e6
            speed = {
                "mpx_per_cpu_second": pixels / made["cpu_seconds"],
                "mpx_per_second": pixels / made["seconds"],
            }
            row = rows.setdefault(way, {"pruning": made["pruning"], **speed})
            row |= {name: max(row[name], value) for name, value in speed.items()}
    maps = [classes_of(work / f"map_{number}.tif") for number in range(len(ways))]
    for row, classes in zip(rows.values(), maps, strict=True):
        row["agreement"] = float((classes == maps[0])[:, seen:].mean())
    return rows


def kept_maps(model: SceneModel, tile: NDArray[np.uint8], ratio: float) -> list[NDArray[np.bool_]]:
    """Return which tokens of a tile (3, h, w) a PlainMamba keeps at each pruning step."""
    side = tile.shape[1] // PATCH
    pixels = tile[None].astype(np.float32)
    with pruned(model, choose_pruning(model, ratio=ratio)), watched_pruning() as steps:
        TileScorer(model).score(pixels, np.ones((1, *tile.shape[1:]), dtype=np.bool_))
    return [np.isin(np.arange(side**2), step.index[0]).reshape(side, side) for step in steps]


def draw(
    model: SceneModel, pixels: NDArray[np.uint8], corners: Sequence[tuple[int, int]], ratio: float
) -> Image.Image:
    """Draw tiles at some corners (row, col), and beside each the tokens kept at each step."""
    strips = []
    for row, col in corners:
        tile = pixels[:, row : row + TILE, col : col + TILE]
        image = np.ascontiguousarray(tile.transpose(1, 2, 0))
        panels = [image]
        for kept in kept_maps(model, tile, ratio):
            mask = np.kron(kept, np.ones((PATCH, PATCH), dtype=np.bool_))[..., None]
            # Dropped tokens fade to white, kept ones keep their colours.
            faded = (255 - (255 - image.astype(np.float32)) * 0.15).astype(np.uint8)
            panels.append(np.where(mask, image, faded))
        strips.append([Image.fromarray(panel).resize((TILE // 2,) * 2) for panel in panels])
    step = TILE // 2 + GAP
    picture = Image.new(
        "RGB", (step * len(strips[0]) + GAP, step * len(strips) + GAP + TITLE), "white"
    )
    titles = ["image", *(f"kept: {ratio**power:.0%}" for power in range(1, len(strips[0])))]
    for number, title in enumerate(titles):
        ImageDraw.Draw(picture).text((GAP + number * step, GAP), title, fill="black")
    for row, strip in enumerate(strips):
        for col, panel in enumerate(strip):
            picture.paste(panel, (GAP + col * step, TITLE + GAP + row * step))
    return picture


def main() -> None:
    """Build the scene, calibrate, predict, compare and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dense", type=Path, help="model file trained without pruning")
    parser.add_argument("tuned", type=Path, help="the same, fine-tuned with pruning")
    parser.add_argument("--data", type=Path, required=True, help="folder of images and masks")
    parser.add_argument("--work", type=Path, required=True, help="folder for scenes and maps")
    parser.add_argument("--ratio", type=float, default=0.6)
    parser.add_argument("--agreement", type=float, default=0.98)
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--picture", type=Path, help="PNG of the kept tokens")
    parser.add_argument("--corners", type=int, nargs="+", default=(1024, 1024, 2048, 512))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    work: Path = arguments.work
    work.mkdir(parents=True, exist_ok=True)
    images = arguments.data / "images"
    pixels, left = joined(images, ALONG), joined(images, 1)
    if arguments.picture is not None:
        corners = list(zip(arguments.corners[::2], arguments.corners[1::2], strict=True))
        drawn = draw(load_model(arguments.tuned, "cpu"), pixels, corners, arguments.ratio)
        drawn.quantize(128).save(arguments.picture, optimize=True)
    scene, seen = write_scene(work / "scene.tif", pixels), write_scene(work / "left.tif", left)
    calibrated, ratio = work / "calibrated.safetensors", arguments.ratio
    words = ["--out", calibrated, "--overwrite", "--device", "cpu", "--tiles", 24]
    words += ["--agreement", arguments.agreement]
    levels = run("models", "calibrate-pruning", arguments.dense, seen, *words)
    levels["out"] = calibrated.name
    content: dict[str, Any] = {"scene": list(pixels.shape[1:]), "levels": levels, "ways": {}}
    for name, model, prunes in (
        ("trained without pruning", calibrated, (1, ratio, "auto")),
        ("fine-tuned with pruning", arguments.tuned, (1, ratio)),
    ):
        ways = {
            f"{name}, --prune {prune}": ["--model", model, "--prune", prune] for prune in prunes
        }
        content["ways"] |= predict_all(
            scene, ways, work=work, turns=arguments.turns, seen=left.shape[2]
        )
    for way, row in content["ways"].items():
        print(f"{way:<40}", ", ".join(f"{name} {value}" for name, value in row.items()))
    print(f"written: {save('pruning_scene', content | {'machine': machine()})}")


if __name__ == "__main__":
    main()
