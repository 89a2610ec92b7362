"""What may be given: lists of scenes, other grids, vectors, probabilities, images."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.warp import transform

from rsmamba.errors import DataError, GridMismatchError, OptionError
from rsmamba.evaluation import evaluate
from rsmamba.evaluation.scenes import find_scenes
from rsmamba.geo.kinds import encode_scores

Indices = NDArray[np.uint8]
Town = tuple[Indices, Indices]
Write = Any


@pytest.fixture
def folders(town: Town, write_labels: Write, tmp_path: Path) -> Path:
    """Two ISPRS scenes of different sizes, maps and references in folders of their own."""
    for number, rows in ((5, 72), (15, 40)):
        name = f"top_mosaic_09cm_area{number}"
        write_labels(town[0][:rows], f"maps/{name}.tif")
        write_labels(town[1][:rows], f"labels/{name}_noBoundary.tif")
    return tmp_path


def test_folders_are_paired_by_name(folders: Path, town: Town) -> None:
    """area1 would not belong to area15."""
    report = evaluate(folders / "maps", folders / "labels", classes=["a", "b", "c"])
    assert [scene.name[-6:] for scene in report.scenes] == ["area15", "_area5"]
    assert report.tally.total == town[0].size * 112 // 72
    assert sum(scene.tally.counted for scene in report.scenes) == report.counts.sum()


def test_a_list_equals_folders(folders: Path) -> None:
    rows = ["map,reference"] + [
        f"maps/top_mosaic_09cm_area{n}.tif,labels/top_mosaic_09cm_area{n}_noBoundary.tif"
        for n in (15, 5)
    ]
    (folders / "scenes.csv").write_text("\n".join(rows))
    by_list = evaluate(folders / "scenes.csv")
    assert np.array_equal(by_list.counts, evaluate(folders / "maps", folders / "labels").counts)


def test_isprs_protocols_say_which_tiles_they_saw(folders: Path) -> None:
    report = evaluate(folders / "maps", folders / "labels", protocol="ssrs")
    assert report.stamp()["test tiles"].startswith("2 of 4 test tiles of ssrs on vaihingen; miss")


@pytest.mark.parametrize(
    ("names", "partner"),
    [
        (["top_potsdam_02_13_label.tif", "top_potsdam_2_14_label.tif"], 0),
        (["x_top_potsdam_2_13_RGB.tif", "top_potsdam_2_13_RGB.tif"], 1),
    ],
)
def test_partners(tmp_path: Path, names: list[str], partner: int) -> None:
    for name in names:
        (tmp_path / name).touch()
    (scene,) = find_scenes("top_potsdam_2_13_RGB.tif", tmp_path)
    assert Path(scene.reference).name == names[partner]


def test_names_without_partner_are_refused(tmp_path: Path) -> None:
    (tmp_path / "town.tif").touch()
    with pytest.raises(DataError, match=r"lake.tif has no reference of its name; there are town"):
        find_scenes("lake.tif", tmp_path)
    (tmp_path / "lake_a.tif").touch()
    (tmp_path / "lake_b.tif").touch()
    with pytest.raises(DataError, match=r"lake.tif could belong to lake_a.tif, lake_b.tif; keep"):
        find_scenes("lake.tif", tmp_path)


def test_wrong_numbers_of_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="2 maps and 1 reference files; give one for each map"):
        find_scenes(["a.tif", "b.tif"], "c.tif")
    with pytest.raises(DataError, match="holds no maps; give a folder with rasters"):
        find_scenes(tmp_path, "c.tif")
    with pytest.raises(OptionError, match=r"a.tif has no reference to compare with; give"):
        find_scenes("a.tif", None)
    with pytest.raises(OptionError, match="is a list of maps and references; give no other files"):
        find_scenes("a.csv", "c.tif")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("map\na.tif\n", "has no rows with the columns map and reference"),
        ("map,reference\n", "has no rows with the columns map and reference"),
        ("map,reference\na.tif,b.tif\nc.tif,\n", "line 3 of list .* lacks a map or a reference"),
    ],
)
def test_bad_lists_are_refused(tmp_path: Path, content: str, text: str) -> None:
    path = tmp_path / "scenes.csv"
    path.write_text(content)
    with pytest.raises(DataError, match=text):
        find_scenes(path, None)
    with pytest.raises(DataError, match=r"list .*none.csv cannot be read"):
        find_scenes(tmp_path / "none.csv", None)


def test_warping_puts_the_reference_on_the_maps_grid(town: Town, write_labels: Write) -> None:
    """Twice the pixels, larger by a frame, in another CRS axis order of the same place."""
    prediction, reference = town
    ours = write_labels(prediction, "map.tif", nodata=255)
    same = evaluate(ours, write_labels(reference, "same.tif", nodata=255))
    fine = np.pad(reference.repeat(2, axis=0).repeat(2, axis=1), 6, constant_values=1)
    grid = {
        "crs": CRS.from_epsg(32633),
        "transform": Affine(0.25, 0, 5e5 - 1.5, 0, -0.25, 5e6 + 1.5),
    }
    theirs = write_labels(fine, "fine.tif", grid=grid, nodata=255)
    with pytest.raises(GridMismatchError, match=r"0.25 m, from .*; use --warp to bring the ref"):
        evaluate(ours, theirs)
    warped = evaluate(ours, theirs, warp=True)
    assert np.array_equal(warped.counts, same.counts)
    assert warped.scenes[0].remarks == (
        "fine.tif was warped onto the map's grid by nearest neighbour",
    )


def test_what_a_warped_reference_does_not_reach_is_unlabelled(
    town: Town, write_labels: Write
) -> None:
    prediction, reference = town
    ours = write_labels(prediction, "map.tif")
    grid = {"crs": CRS.from_epsg(32633), "transform": Affine(0.5, 0, 5e5 + 10, 0, -0.5, 5e6)}
    report = evaluate(ours, write_labels(reference[:, 20:], "part.tif", grid=grid), warp=True)
    assert report.tally.unlabelled == 20 * 72 + int((reference[:, 20:] == 255).sum())


def test_without_a_place_there_is_no_warping(town: Town, write_labels: Write) -> None:
    ours = write_labels(town[0], "map.tif")
    theirs = write_labels(town[1][1:], "reference.tif", grid={})
    with pytest.raises(GridMismatchError, match="--warp needs a CRS and a transform in both"):
        evaluate(ours, theirs, warp=True)


def test_points_of_a_stratified_sample_estimate_class_areas(
    town: Town, write_labels: Write, tmp_path: Path
) -> None:
    """Estimates from a hundred points a class hold the areas that the whole reference has."""
    prediction, reference = town
    random, features = np.random.default_rng(1), []
    for class_index in range(3):
        places = np.argwhere((prediction == class_index) & (reference != 255))
        for row, col in random.permutation(places)[:100]:
            (x,), (y,) = transform(
                "EPSG:32633", "EPSG:4326", [5e5 + (col + 0.5) / 2], [5e6 - (row + 0.5) / 2]
            )
            point = {"type": "Point", "coordinates": (x, y)}
            label = str(reference[row, col])
            features.append({"type": "Feature", "geometry": point, "properties": {"kind": label}})
    path = tmp_path / "points.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    ours = write_labels(prediction, "map.tif")
    report = evaluate(ours, path, classes=["a", "b", "c"], class_field="kind")
    assert report.tally.counted == 300
    estimates = report.areas.estimates
    assert estimates is not None
    both = (reference != 255) & (prediction != 255)
    true = np.bincount(reference[both], minlength=3) / both.sum()
    assert (np.abs(estimates.share - true) < 3 * estimates.share_se).all()
    assert estimates.area.sum() == pytest.approx((prediction != 255).sum() * 0.25 / 1e4)


def test_a_full_reference_needs_no_estimates(town: Town, write_labels: Write) -> None:
    ours = write_labels(np.minimum(town[0], 2), "map.tif")
    report = evaluate(ours, write_labels(np.minimum(town[1], 2), "reference.tif"))
    assert report.areas.estimates is None
    assert "areas are counted, not estimated" in report.areas.note


def test_a_class_without_sample_gives_no_estimates(town: Town, write_labels: Write) -> None:
    ours = write_labels(town[0], "map.tif")
    theirs = write_labels(np.where(town[0] == 1, 255, town[1]).astype(np.uint8), "reference.tif")
    note = evaluate(ours, theirs).areas.note
    assert note.startswith("No area estimates: map class 1 has 0 labelled pixels")


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_calibration_of_probabilities(town: Town, write_labels: Write, dtype: str) -> None:
    """Scores of 0.8 for a map that is right in about 87 of 100 pixels."""
    prediction, reference = town
    scores = np.full((3, *prediction.shape), 0.1, np.float32)
    np.put_along_axis(scores, np.minimum(prediction, 2)[None].astype(np.int64), 0.8, axis=0)
    stored = encode_scores(scores, prediction != 255, dtype=dtype)
    nodata = 255 if dtype == "uint8" else np.nan
    path = write_labels(stored, "scores.tif", nodata=nodata)
    if dtype == "uint8":
        import rasterio

        with rasterio.open(path, "r+") as file:
            file.scales = [1 / 254] * 3
    report = evaluate(
        write_labels(prediction, "map.tif"), write_labels(reference, "r.tif"), probabilities=path
    )
    assert report.calibration is not None
    assert report.calibration.pixels.sum() == report.tally.counted
    error = abs(report.overall_accuracy - 0.8)
    assert report.calibration.expected_error == pytest.approx(error, abs=0.003)


@pytest.mark.parametrize(
    ("bands", "dtype", "text"),
    [
        (2, "float32", "has 2 bands; probabilities have one for each of the 3 classes"),
        (3, "uint8", "holds uint8 without a scale; give scores of 0 to 1 as float32"),
    ],
)
def test_other_scores_are_refused(
    town: Town, write_labels: Write, *, bands: int, dtype: str, text: str
) -> None:
    scores = write_labels(np.zeros((bands, *town[0].shape), dtype), "scores.tif")
    ours, theirs = write_labels(town[0], "map.tif"), write_labels(town[1], "reference.tif")
    with pytest.raises(DataError, match=text):
        evaluate(ours, theirs, probabilities=scores)


def test_scores_that_are_no_share_are_refused(town: Town, write_labels: Write) -> None:
    percent = write_labels(np.full(town[0].shape, 80, np.float32), "percent.tif")
    ours, theirs = write_labels(town[0], "map.tif"), write_labels(town[1], "reference.tif")
    with pytest.raises(DataError, match=r"percent.tif holds the score 80 .*; scores are 0 to 1"):
        evaluate(ours, theirs, probabilities=percent)


def test_images_must_lie_on_the_maps_grid(town: Town, write_labels: Write) -> None:
    ours, theirs = write_labels(town[0], "map.tif"), write_labels(town[1], "reference.tif")
    image = write_labels(np.zeros((3, 9, 9), np.uint8), "image.tif")
    with pytest.raises(GridMismatchError, match=r"image.tif is 9 x 9 px"):
        evaluate(ours, theirs, image=image, pictures=True)


def test_the_error_picture_is_exact(
    town: Town, write_labels: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cells of 3 x 3 pixels, across the borders of windows."""
    monkeypatch.setattr("rsmamba.evaluation.pictures._LONGEST_SIDE", 42)
    monkeypatch.setattr("rsmamba.evaluation.windows.READ_SIDE", 16)
    prediction, reference = town
    ours, theirs = write_labels(prediction, "map.tif"), write_labels(reference, "reference.tif")
    (picture,) = evaluate(ours, theirs, pictures=True, tile=16).pictures
    scored = (prediction != 255) & (reference != 255)
    wrong = scored & (prediction != reference)
    cells = [part.reshape(24, 3, 42, 3).sum(axis=(1, 3)) for part in (wrong, scored)]
    share = cells[0] / np.maximum(cells[1], 1)
    assert picture.factor == 3
    assert np.array_equal(picture.errors == 255, cells[1] == 0)
    seen = cells[1] > 0
    np.testing.assert_allclose(picture.errors[seen] / 254, share[seen], atol=1 / 254)
    assert np.array_equal(picture.prediction, prediction[::3, ::3])


def test_scenes_of_one_name_are_told_apart(town: Town, write_labels: Write) -> None:
    maps = [write_labels(town[0], f"{folder}/map.tif") for folder in ("north", "south")]
    theirs = [write_labels(town[1], f"{folder}/r.tif") for folder in ("north", "south")]
    report = evaluate(maps, theirs)
    assert [scene.name for scene in report.scenes] == ["north/map", "south/map"]
    report = evaluate([maps[0], maps[0], maps[1]], [*theirs, theirs[1]])
    assert [scene.name for scene in report.scenes] == ["north/map", "north/map (2)", "south/map"]


def test_no_pixel_is_given_twice(town: Town, write_labels: Write, tmp_path: Path) -> None:
    ours, theirs = write_labels(town[0], "map.tif"), write_labels(town[1], "r.tif")
    with pytest.raises(DataError, match=r"map.tif with .*r.tif is given twice; every pixel counts"):
        evaluate([ours, ours], [theirs, theirs])
    (tmp_path / "list.csv").write_text("map,reference\nmap.tif,r.tif\nmap.tif,r.tif\n")
    with pytest.raises(DataError, match=r"is given twice"):
        evaluate(tmp_path / "list.csv")


@pytest.mark.parametrize(("step", "unit"), [(0.2, "px"), (1e-5, "ha")])
def test_areas_are_pixels_where_these_are_uneven(
    town: Town, write_labels: Write, *, step: float, unit: str
) -> None:
    """72 rows of a fifth of a degree reach from 60 to 46 degrees north."""
    grid = {"crs": "EPSG:4326", "transform": Affine(step, 0, 10, 0, -step, 60)}
    ours = write_labels(town[0], "map.tif", grid=grid)
    areas = evaluate(ours, write_labels(town[1], "r.tif", grid=grid)).areas
    assert areas.unit == unit
    assert ("Areas are numbers of pixels" in areas.note) == (unit == "px")
