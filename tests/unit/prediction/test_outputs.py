"""Outputs hold what the canvas says, and say where it comes from."""

import hashlib
import json
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from hypothesis import given
from hypothesis import strategies as st

import rsmamba
from rsmamba import create_model
from rsmamba.errors import OptionError
from rsmamba.models import describe_architecture
from rsmamba.prediction.outputs import best_class, missing_probability
from rsmamba.prediction.provenance import backends_of

Lab = Any


@given(st.integers(1, 7), st.integers(0, 2**32 - 1))
def test_the_best_class_is_the_first_of_the_highest(num_classes: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    scores = (random.integers(-3, 1, (num_classes, 6, 5)) / 3).astype(np.float32)
    class_index, best = best_class(scores)
    np.testing.assert_array_equal(class_index, scores.argmax(axis=0))
    np.testing.assert_array_equal(best, scores.max(axis=0))


def test_probabilities_come_back_from_relative_scores() -> None:
    probabilities = np.random.default_rng(0).dirichlet(np.ones(6), (4, 5)).transpose(2, 0, 1)
    relative = (probabilities - probabilities.max(axis=0)).astype(np.float32)
    np.testing.assert_allclose(relative + missing_probability(relative), probabilities, atol=3e-7)


@pytest.mark.parametrize(("prob_dtype", "atol"), [("uint8", 0.5 / 254), ("float32", 1e-6)])
def test_probabilities_and_confidence_are_the_softmax(
    prob_dtype: str, atol: float, lab: Lab
) -> None:
    outputs = {"probabilities": "p.tif", "confidence": "c.tif", "prob_dtype": prob_dtype}
    scene = lab.random_scene(50, 70)
    lab.predict(scene, model=lab.constant_model(0.0, 2.0, 1.0), tile=32, overlap=8, **outputs)
    expected = np.asarray(torch.softmax(torch.tensor([0.0, 2.0, 1.0]), dim=0))
    scale = 254 if prob_dtype == "uint8" else 1
    for index in range(3):
        np.testing.assert_allclose(lab.read("p.tif")[index] / scale, expected[index], atol=atol)
    np.testing.assert_allclose(lab.read("c.tif")[0] / scale, expected[1], atol=atol)


def test_the_map_says_where_it_comes_from(lab: Lab) -> None:
    scene, model = lab.random_scene(20, 30), lab.value_model()
    lab.predict(scene, model=model, tile=16, overlap=4)
    with rasterio.open(lab.folder / "map.tif") as out:
        tags = out.tags()
    assert tags["RSMAMBA_VERSION"] == rsmamba.__version__
    assert tags["RSMAMBA_MODEL_HASH"] == model.fingerprint()
    assert tags["RSMAMBA_INPUT"] == scene.name
    assert tags["RSMAMBA_INPUT_SHA256"] == hashlib.sha256(scene.read_bytes()).hexdigest()
    assert tags["RSMAMBA_INPUT_BYTES"] == str(scene.stat().st_size)
    assert json.loads(tags["RSMAMBA_OPTIONS"])["tile"] == 16


def test_a_picture_is_drawn_of_the_part_that_was_predicted(lab: Lab) -> None:
    picture = lab.folder / "look.png"
    result = lab.predict(
        lab.random_scene(60, 80), model=lab.value_model(), window=(5, 5, 40, 30), quicklook=picture
    )
    assert result.quicklook == picture
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_polygons_of_the_map_are_written_beside_it(lab: Lab) -> None:
    geopandas = pytest.importorskip("geopandas")
    polygons = lab.folder / "map.gpkg"
    result = lab.predict(
        lab.random_scene(60, 80),
        model=lab.value_model(),
        window=(5, 5, 40, 30),
        confidence="sure.tif",
        vectors=polygons,
        min_pixels=2,
    )
    assert result.vectors == polygons
    table = geopandas.read_file(polygons)
    assert set(table["name"]) <= set(result.class_pixels)
    assert table.area.sum() == pytest.approx(abs(result.grid.transform.determinant) * 40 * 30)
    assert table.confidence.between(0, 1).all()


def test_polygons_are_refused_before_any_work(lab: Lab) -> None:
    scene, model = lab.random_scene(20, 20), lab.value_model()
    with pytest.raises(OptionError, match=r"ends in \.shp; give a name that ends in \.gpkg"):
        lab.predict(scene, model=model, vectors=lab.folder / "map.shp")
    with pytest.raises(OptionError, match="min_pixels 0 is not allowed"):
        lab.predict(scene, model=model, vectors=lab.folder / "map.gpkg", min_pixels=0)
    assert not (lab.folder / "map.tif").exists()


def test_progress_runs_to_the_number_of_pixels(lab: Lab) -> None:
    reports: list[tuple[int, int]] = []
    lab.predict(
        lab.random_scene(50, 70),
        model=lab.value_model(),
        tile=32,
        overlap=8,
        progress=lambda done, total: reports.append((done, total)),
    )
    assert [done for done, _ in reports] == sorted({done for done, _ in reports})
    assert reports[-1] == (3500, 3500)


def test_networks_of_the_package_tell_their_kernels(lab: Lab) -> None:
    options = {"dim": 8, "d_state": 2}
    network = create_model("cvmh_unet", num_classes=2, in_channels=1, **options)
    architecture = describe_architecture("cvmh_unet", **options)
    model = lab.model(network, num_classes=2, architecture=architecture)
    cpu = torch.device("cpu")
    assert backends_of(model, cpu)["ss2d_scan"] in {"numba", "torch"}
    assert backends_of(lab.value_model(), cpu) == {}
