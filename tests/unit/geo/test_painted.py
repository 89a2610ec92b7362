"""Class values by colour: exactly, with ignored colours, and with what is unknown told."""

from pathlib import Path

import numpy as np
import pytest
import rasterio

from rsmamba.errors import DataError
from rsmamba.geo.painted import PaintedClasses, Painting, strips
from rsmamba.geo.scene import Scene
from rsmamba.geo.window import Window

PAINTING = Painting(
    values={(255, 0, 0): 3, (0, 0, 255): 0}, ignored=((0, 0, 0), (255, 0, 0)), unknown="ignore"
)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """300 rows of red; one black, one blue and two odd pixels far down, and a transparent one."""
    pixels = np.zeros((4, 300, 4), np.uint8)
    pixels[0] = pixels[3] = 255
    pixels[:3, 280, :4] = [[0, 0, 9, 8], [0, 0, 9, 8], [0, 255, 9, 8]]
    pixels[:, 281, 0] = (7, 7, 7, 0)
    profile = {"count": 4, "height": 300, "width": 4, "dtype": "uint8", "alpha": "yes"}
    place = rasterio.Affine(1, 0, 0, 0, -1, 300)
    with rasterio.open(tmp_path / "p.tif", "w", transform=place, **profile) as file:
        file.write(pixels)
    return tmp_path / "p.tif"


def test_colours_have_values_and_others_none(picture: Path) -> None:
    with Scene.open(picture) as scene:
        painted = PaintedClasses(scene, PAINTING, advice="")
        values, has_value = painted.read(Window(row=279, col=0, height=3, width=4))
    assert has_value.tolist() == [[True] * 4, [False, True, False, False], [False, *[True] * 3]]
    assert values[has_value].tolist() == [3, 3, 3, 3, 0, 3, 3, 3]


def test_what_is_unknown_is_counted_over_the_whole_raster(picture: Path) -> None:
    painting = Painting(values=PAINTING.values, ignored=PAINTING.ignored)
    text = (
        r"p.tif has 2 pixels in 2 colours that are not in the palette, the first \(9, 9, 9\) at "
        r"row 280, col 2; allowed are .*; correct the file, or say so to leave such pixels out"
    )
    with Scene.open(picture) as scene:
        painted = PaintedClasses(scene, painting, advice="say so")
        assert painted.read(Window(row=0, col=0, height=9, width=4))[1].all()
        with pytest.raises(DataError, match=text):
            painted.read(Window(row=279, col=0, height=9, width=4))


def test_strips_cover_every_row_once() -> None:
    assert [(w.row, w.height) for w in strips(height=9, width=2, rows=4)] == [
        (0, 4),
        (4, 4),
        (8, 1),
    ]
