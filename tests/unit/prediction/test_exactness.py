"""Tiling leaves no trace: the map is the one of a single pass over the whole scene."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from rsmamba import SceneModel
from rsmamba.prediction import plan

# The fixture's class lives in conftest.py, which cannot be imported.
Lab = Any
SIZES = [(1, 1), (1, 700), (300, 300), (513, 513), (600, 500), (1025, 1537)]
TILINGS = [(512, 128), (256, 64), (96, 32)]
UNCOMPRESSED = {"format": "GTiff", "co": {"COMPRESS": "NONE"}}


def one_pass(model: SceneModel, values: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
    with torch.inference_mode():
        logits = model.eval()(torch.from_numpy(values[None].astype(np.float32)))
    return np.asarray(logits.argmax(dim=1)[0])


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_a_convolution_gives_the_map_of_one_pass_at_every_pixel(
    height: int, width: int, lab: Lab
) -> None:
    scene, model = lab.random_scene(height, width), lab.convolution_model()
    expected = one_pass(model, lab.read(scene))
    assert len(np.unique(expected)) > 1 or expected.size == 1
    for tile, overlap in TILINGS:
        for batch_size in (1, 7) if tile == 256 else (7,):
            name = f"{tile}_{batch_size}.tif"
            options = {"tile": tile, "overlap": overlap, "margin": 8, "batch_size": batch_size}
            lab.predict(scene, name, model=model, **options, **UNCOMPRESSED)
            np.testing.assert_array_equal(lab.read(name)[0], expected)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_a_constant_network_gives_constant_scores_to_a_millionth(
    height: int, width: int, lab: Lab
) -> None:
    scene = lab.scene(np.zeros((1, height, width), dtype=np.uint8))
    model = lab.constant_model(0.3, 1.2, -0.5)
    expected = np.asarray(torch.softmax(torch.tensor([0.3, 1.2, -0.5]), dim=0))
    for tile, overlap in [*TILINGS, (512, 0)]:
        scores = f"scores_{tile}_{overlap}.tif"
        options = {"tile": tile, "overlap": overlap, "prob_dtype": "float32", **UNCOMPRESSED}
        lab.predict(scene, model=model, probabilities=scores, overwrite=True, **options)
        assert (lab.read("map.tif") == 1).all()
        assert np.abs(lab.read(scores) - expected[:, None, None]).max() <= 1e-6


@pytest.mark.parametrize(("tile", "overlap"), [(64, 0), (64, 16), (20, 15)])
def test_a_network_that_returns_the_pixel_gives_back_the_scene(
    tile: int, overlap: int, lab: Lab
) -> None:
    values = np.random.default_rng(1).integers(0, 4, (1, 90, 130), dtype=np.uint8)
    lab.predict(lab.scene(values), model=lab.value_model(4), tile=tile, overlap=overlap)
    np.testing.assert_array_equal(lab.read("map.tif"), values)


def test_classes_that_differ_in_the_last_digit_are_told_apart(lab: Lab) -> None:
    logits = torch.tensor([0.1, 0.1, 0.0])
    logits[1] = torch.nextafter(logits[0], torch.tensor(1.0))
    assert torch.softmax(logits, dim=0).argmax() == 0
    scene = lab.scene(np.zeros((1, 70, 90), dtype=np.uint8))
    lab.predict(scene, model=lab.constant_model(*logits.tolist()), tile=32, overlap=16, margin=0)
    assert (lab.read("map.tif") == 1).all()


def test_the_map_is_the_same_bytes_for_any_batch_size(lab: Lab) -> None:
    scene, model = lab.random_scene(200, 300), lab.convolution_model()
    options = {"tile": 64, "overlap": 16, "prob_dtype": "float32", "model": model}
    contents = set()
    for batch_size in (1, 4, 16):
        names = [f"{kind}_{batch_size}.tif" for kind in ("map", "scores")]
        lab.predict(scene, names[0], probabilities=names[1], batch_size=batch_size, **options)
        contents.add(tuple((lab.folder / name).read_bytes() for name in names))
    assert len(contents) == 1


def test_column_blocks_do_not_change_a_byte(lab: Lab) -> None:
    scene = lab.random_scene(80, 2000)
    options = {"model": lab.convolution_model(), "tile": 64, "overlap": 16}
    needed = plan(scene, lab.folder / "map.tif", **options).memory_bytes
    whole = lab.predict(scene, "whole.tif", confidence="whole_c.tif", **options)
    cut = lab.predict(
        scene, "cut.tif", confidence="cut_c.tif", mem_limit=needed - 100_000, **options
    )
    assert whole.column_blocks == 1
    assert cut.column_blocks > 1
    for name in ("", "_c"):
        first, second = (lab.folder / f"{kind}{name}.tif" for kind in ("whole", "cut"))
        assert first.read_bytes() == second.read_bytes()


def test_a_window_has_the_very_pixels_of_the_whole_map(lab: Lab) -> None:
    scene = lab.random_scene(200, 300)
    options = {"model": lab.convolution_model(), "tile": 64, "overlap": 16, "margin": 2}
    lab.predict(scene, "whole.tif", **options)
    result = lab.predict(scene, "part.tif", window=(37, 101, 150, 60), **options)
    np.testing.assert_array_equal(lab.read("part.tif"), lab.read("whole.tif")[:, 101:161, 37:187])
    assert result.tiles_computed + result.tiles_skipped < 24


@pytest.mark.parametrize("tta", ["flips", "d4"])
def test_test_time_augmentation_does_not_change_a_pointwise_network(tta: str, lab: Lab) -> None:
    values = np.random.default_rng(2).integers(0, 4, (1, 40, 70), dtype=np.uint8)
    lab.predict(lab.scene(values), model=lab.value_model(4), tile=48, overlap=8, tta=tta)
    np.testing.assert_array_equal(lab.read("map.tif"), values)
