"""Quick-looks: colours of scene and map, hatched nodata, legend, and sizes of all kinds."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from rsmamba.classes import ClassScheme
from rsmamba.errors import OutputExistsError
from rsmamba.geo import kinds
from rsmamba.geo.picture import LegendEntry, Panel, compose, hatch, panel_size
from rsmamba.geo.quicklook import stretch, write_quicklook
from rsmamba.geo.scene import Scene
from rsmamba.geo.window import Window
from rsmamba.geo.writer import RasterSink, publish_together

MakeRaster = Callable[..., Path]


def _class_map(path: Path, scene: Scene, classes: ClassScheme, pixels: NDArray[np.uint8]) -> Path:
    with RasterSink(path, grid=scene.grid, kind=kinds.class_map(classes)) as sink:
        sink.write(pixels, row=0)
        return publish_together([sink])[0]


def _picture(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def _has(path: Path, colour: tuple[int, int, int]) -> bool:
    return bool((_picture(path) == colour).all(axis=2).any())


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (1, 40), (300, 7), (40, 60), (90, 200), (1200, 1700)]
)
def test_scenes_of_any_shape_get_a_picture(
    make_raster: MakeRaster, classes: ClassScheme, tmp_path: Path, height: int, width: int
) -> None:
    rng = np.random.default_rng(0)
    path = make_raster(rng.integers(1, 255, (3, height, width), dtype=np.uint8))
    with Scene.open(path) as scene:
        pixels = rng.integers(0, 3, (height, width), dtype=np.uint8)
        class_map = _class_map(tmp_path / "mask.tif", scene, classes, pixels)
        look = tmp_path / "look.png"
        write_quicklook(look, scene=scene, class_map=class_map, classes=classes)
    assert all(_has(look, colour) for colour in classes.colours)
    assert _picture(look).shape[1] <= 1600
    assert not list(tmp_path.glob(".*"))


def test_absent_pixels_are_hatched_on_both_sides(
    make_raster: MakeRaster, classes: ClassScheme, tmp_path: Path
) -> None:
    with Scene.open(make_raster(np.zeros((3, 50, 50), np.uint8), nodata=0)) as scene:
        pixels = np.full((50, 50), 255, np.uint8)
        class_map = _class_map(tmp_path / "mask.tif", scene, classes, pixels)
        look = write_quicklook(
            tmp_path / "look.png",
            scene=scene,
            class_map=class_map,
            classes=classes,
            counts=[0, 0, 0],
        )
    picture = _picture(look)
    hatched = {tuple(colour) for colour in hatch(12, 12).reshape(-1, 3).tolist()}
    share = np.mean([(picture == colour).all(axis=2) for colour in hatched], axis=(1, 2)).sum()
    assert len(hatched) == 2
    assert share > 0.3


@pytest.mark.parametrize(
    ("colours", "bright", "shown"),
    [
        (["blue", "green", "red", "undefined"], 2, (255, 0, 0)),
        (["gray", "undefined"], 0, (255, 255, 255)),
    ],
)
def test_sixteen_bits_are_stretched_and_shown_in_true_colours(
    make_raster: MakeRaster,
    classes: ClassScheme,
    *,
    colours: list[str],
    bright: int,
    shown: tuple[int, int, int],
) -> None:
    values = np.zeros((len(colours), 60, 60), np.uint16)
    values[bright, 30:] = 3000
    path = make_raster(values, colours=colours)
    look = path.with_name("look.png")
    with Scene.open(path) as scene:
        pixels = np.zeros((60, 60), np.uint8)
        class_map = _class_map(path.with_name("mask.tif"), scene, classes, pixels)
        write_quicklook(look, scene=scene, class_map=class_map, classes=classes)
    assert _has(look, shown)


def test_part_of_a_scene_is_shown_with_its_map(
    make_raster: MakeRaster, classes: ClassScheme, tmp_path: Path
) -> None:
    values = np.full((3, 80, 80), 10, np.uint8)
    values[:, 40:, 40:] = 123
    part = Window(row=40, col=40, height=40, width=40)
    with Scene.open(make_raster(values)) as scene:
        kind = kinds.class_map(classes)
        with RasterSink(tmp_path / "m.tif", grid=scene.grid.for_window(part), kind=kind) as sink:
            sink.write(np.ones((40, 40), np.uint8), row=0)
            publish_together([sink])
        look = tmp_path / "look.png"
        write_quicklook(
            look, scene=scene, class_map=tmp_path / "m.tif", classes=classes, window=part
        )
    assert _has(look, (123, 123, 123))
    assert not _has(look, (10, 10, 10))


def test_existing_picture_is_kept(
    make_raster: MakeRaster, classes: ClassScheme, tmp_path: Path
) -> None:
    (tmp_path / "look.png").write_text("old")
    with (
        Scene.open(make_raster(np.ones((3, 9, 9), np.uint8))) as scene,
        pytest.raises(OutputExistsError, match=r"look\.png exists already"),
    ):
        write_quicklook(tmp_path / "look.png", scene=scene, class_map=scene.path, classes=classes)


def test_stretch_leaves_bytes_and_flat_bands_alone() -> None:
    valid = np.ones((2, 2), dtype=np.bool_)
    bytes_ = np.arange(4, dtype=np.uint8).reshape(1, 2, 2)
    assert stretch(bytes_, valid) is bytes_
    assert (stretch(np.full((1, 2, 2), 9, np.int16), valid) == 0).all()
    assert (stretch(np.full((1, 2, 2), 9, np.int16), ~valid) == 0).all()


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (8000, 8000, (736, 736)),
        (100, 100, (700, 700)),
        (2000, 8000, (376, 1504)),
        (9, 1, (288, 32)),
    ],
)
def test_panels_keep_the_aspect(height: int, width: int, expected: tuple[int, int]) -> None:
    assert panel_size(height, width) == expected


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0 %"), (0.00001, "< 0.01 %"), (0.0005, "0.05 %"), (0.0123, "1.2 %"), (0.456, "46 %")],
)
def test_small_shares_have_more_decimals(share: float, text: str) -> None:
    assert LegendEntry(name="roof", colour=(1, 2, 3), share=share).percent == text


def test_scale_bar_appears_with_a_known_ground_size() -> None:
    panel = Panel(title="Scene", picture=np.full((300, 300, 3), 90, np.uint8))
    pictures = [
        np.asarray(compose([panel], heading="", caption="", legend=[], metres_per_pixel=metres))
        for metres in (None, 0.5, 700.0)
    ]
    black = [int((picture == 0).all(axis=2).sum()) for picture in pictures]
    assert black[0] == 0
    assert black[1] > 100
    assert black[2] > 100


def test_long_names_are_cut_in_the_middle() -> None:
    panel = Panel(title="Scene", picture=np.zeros((50, 50, 3), np.uint8))
    image = compose([panel], heading="scene_" * 60, caption="caption " * 60, legend=[])
    right_margin = np.asarray(image)[:120, -48:]
    assert (right_margin == 255).all()
