"""Protocols: ISPRS look-alikes by colour, and the traps of two popular tools."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from rsmamba.classes import ISPRS_CLASSES
from rsmamba.errors import DataError
from rsmamba.evaluation import evaluate
from rsmamba.evaluation.coverage import tile_coverage
from rsmamba.metrics import ConfusionMatrix, compute_scores, erosion_levels

Indices = NDArray[np.uint8]
BLACK = (0, 0, 0)


def painted(labels: Indices) -> Indices:
    """ISPRS colours (3, h, w), black where there is no class."""
    palette = np.zeros((256, 3), np.uint8)
    palette[:6] = ISPRS_CLASSES.colours
    return np.ascontiguousarray(np.moveaxis(palette[labels], -1, 0))


@pytest.fixture
def area() -> tuple[Indices, Indices]:
    """All six classes in patches, and a map with errors."""
    random = np.random.default_rng(2)
    labels = random.integers(0, 6, (6, 8), dtype=np.uint8).repeat(12, axis=0).repeat(11, axis=1)
    wrong = random.random(labels.shape) < 0.15
    return np.where(wrong, random.integers(0, 6, labels.shape), labels).astype(np.uint8), labels


@pytest.mark.parametrize("protocol", ["geoseg", "ssrs"])
def test_full_and_eroded_references_give_the_same_number(
    area: tuple[Indices, Indices],
    write_labels: Any,  # noqa: ANN401 - a fixture
    protocol: str,
) -> None:
    """By colour, by index, eroded by us or delivered without boundaries."""
    prediction, labels = area
    ours = write_labels(prediction, "map.tif")
    eroded = np.where(erosion_levels(labels, radius=3) <= 3, np.uint8(255), labels)
    expected = ConfusionMatrix(6)
    expected.add(eroded, prediction)
    references = {"full.tif": painted(labels), "noBoundary.tif": painted(eroded), "i.tif": labels}
    for name, values in references.items():
        report = evaluate(ours, write_labels(values, name), protocol=protocol)
        assert np.array_equal(report.counts, expected.counts), name
    by_colour = evaluate(write_labels(painted(prediction), "rgb.tif"), ours, protocol=protocol)
    assert by_colour.overall_accuracy == 1


def test_clutter_counts_in_accuracy_and_not_in_means(
    area: tuple[Indices, Indices],
    write_labels: Any,  # noqa: ANN401 - a fixture
) -> None:
    ours, theirs = write_labels(area[0], "map.tif"), write_labels(area[1], "reference.tif")
    report = evaluate(ours, theirs, protocol="isprs")
    plain = compute_scores(report.counts)
    assert report.radius == 0
    assert report.overall_accuracy == plain.overall_accuracy
    assert report.mean_iou == pytest.approx(plain.iou[:5].mean())
    assert report.mean_f1 == pytest.approx(plain.f1[:5].mean())
    assert report.stamp()["means"] == "over all but clutter, which count in overall accuracy"
    eroded = evaluate(ours, theirs, protocol="isprs", erode=3)
    geoseg = evaluate(ours, theirs, protocol="geoseg")
    assert np.array_equal(eroded.counts, geoseg.counts)


def test_geosegs_padding_does_not_reach_our_numbers(
    area: tuple[Indices, Indices],
    write_labels: Any,  # noqa: ANN401 - a fixture
) -> None:
    """GeoSeg pads tiles to 1024 with colour (6, 0, 0), which its decoder takes for class 0.

    A network that calls black padding impervious is then praised for it. The same files give us
    the true number, and the padded colour itself is refused.
    """
    prediction, labels = area
    height, width = labels.shape
    padded_labels = np.zeros((height + 40, width + 60), np.uint8)
    padded_map = padded_labels.copy()
    padded_labels[40:, 60:], padded_map[40:, 60:] = labels, prediction
    trapped = ConfusionMatrix(6)
    trapped.add(padded_labels, padded_map)
    honest = evaluate(
        write_labels(prediction, "m.tif"), write_labels(labels, "r.tif"), protocol="isprs"
    )
    assert honest.tally.total == height * width
    assert compute_scores(trapped.counts).overall_accuracy > honest.overall_accuracy + 0.03
    colours = np.tile(np.array([[[6]], [[0]], [[0]]], np.uint8), (1, *padded_labels.shape))
    colours[:, 40:, 60:] = painted(labels)
    reference, ours = write_labels(colours, "padded.tif"), write_labels(padded_map, "pm.tif")
    with pytest.raises(
        DataError, match=r"pixels in 1 colours that are not in .* the first \(6, 0, 0\)"
    ):
        evaluate(ours, reference, protocol="isprs")
    left_out = evaluate(ours, reference, protocol="isprs", unknown="ignore")
    assert np.array_equal(left_out.counts, honest.counts)
    assert left_out.tally.unlabelled == padded_labels.size - labels.size


def test_mmsegs_doubled_pixels_do_not_reach_our_numbers(
    area: tuple[Indices, Indices],
    write_labels: Any,  # noqa: ANN401 - a fixture
) -> None:
    """In mmseg the last clip is pulled back; what it shares counts twice there."""
    prediction, labels = area
    prediction = prediction.copy()
    clip, (height, width) = 48, labels.shape
    rows, cols = (0, height - clip), (0, clip - 8, width - clip)
    prediction[rows[1] : clip] = (labels[rows[1] : clip] + 1) % 6
    doubled = ConfusionMatrix(6)
    for row in rows:
        for col in cols:
            place = slice(row, row + clip), slice(col, col + clip)
            doubled.add(labels[place], prediction[place])
    report = evaluate(
        write_labels(prediction, "m.tif"), write_labels(labels, "r.tif"), protocol="isprs"
    )
    assert doubled.total > labels.size == report.tally.counted
    assert report.overall_accuracy == float((prediction == labels).mean())
    wrong_number = compute_scores(doubled.counts).overall_accuracy
    assert abs(wrong_number - report.overall_accuracy) > 0.05


def test_unknown_colours_are_counted_and_placed(
    area: tuple[Indices, Indices],
    write_labels: Any,  # noqa: ANN401 - a fixture
) -> None:
    colours = painted(area[1])
    colours[:, 5, 7] = colours[:, 60, 2] = (255, 204, 0)
    reference = write_labels(colours, "reference.tif")
    text = r"has 2 pixels in 1 colours .* first \(255, 204, 0\) at row 5, col 7; allowed are"
    with pytest.raises(DataError, match=text):
        evaluate(write_labels(area[0], "map.tif"), reference, protocol="geoseg")


def test_indices_are_no_colours(area: tuple[Indices, Indices], write_labels: Any) -> None:  # noqa: ANN401
    ours = write_labels(area[0], "map.tif")
    with pytest.raises(DataError, match="has 1 bands of uint8; labels by colour are red, green"):
        evaluate(ours, ours, protocol="isprs", labels="colour")


def test_palette_pictures_are_read_by_colour(
    area: tuple[Indices, Indices],
    write_labels: Any,  # noqa: ANN401 - a fixture
    tmp_path: Path,
) -> None:
    """A PNG whose palette has another order, laid on by its size alone."""
    order = np.array([3, 0, 5, 1, 4, 2], np.uint8)
    picture = Image.fromarray(np.argsort(order).astype(np.uint8)[area[1]]).convert("L")
    picture.putpalette(np.array(ISPRS_CLASSES.colours, np.uint8)[order].tobytes())
    picture.save(tmp_path / "labels.png")
    coloured = write_labels(painted(area[0]), "map.tif")
    report = evaluate(coloured, tmp_path / "labels.png", protocol="isprs", labels="colour")
    plain = evaluate(coloured, write_labels(area[1], "reference.tif"), protocol="isprs")
    assert np.array_equal(report.counts, plain.counts)
    assert "laid on by its size alone" in report.scenes[0].remarks[0]


def test_the_stamp_says_which_test_tiles_are_missing() -> None:
    ssrs = [f"top_mosaic_09cm_area{tile}" for tile in (5, 15, 21, 30)]
    assert tile_coverage("ssrs", ssrs) == "4 of 4 test tiles of ssrs on vaihingen"
    text = tile_coverage("geoseg", ["top_potsdam_2_13_RGB", "top_potsdam_2_10_RGB"])
    assert text is not None
    assert text.startswith("1 of 14 test tiles of geoseg on potsdam; missing 2_14")
    assert text.endswith("other tiles 2_10; not comparable")
    assert tile_coverage("all-classes", ssrs) is None
    assert tile_coverage("isprs", ["town"]) is None
