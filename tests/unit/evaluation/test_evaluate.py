"""evaluate: every pixel once, whatever the windows, and the same as by hand."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import rsmamba
from rsmamba.errors import DataError, GridMismatchError, OptionError
from rsmamba.evaluation import evaluate, windows
from rsmamba.metrics import ConfusionMatrix, compute_scores, erosion_levels

Indices = NDArray[np.uint8]
Town = tuple[Indices, Indices]


@pytest.fixture
def files(town: Town, write_labels: Any) -> tuple[Path, Path]:  # noqa: ANN401 - a fixture
    prediction, reference = town
    return write_labels(prediction, "map.tif"), write_labels(reference, "reference.tif")


@pytest.mark.parametrize("radius", [0, 2])
@pytest.mark.parametrize("read_side", [16, 32, 1024])
def test_counts_do_not_depend_on_windows(
    files: tuple[Path, Path],
    town: Town,
    monkeypatch: pytest.MonkeyPatch,
    *,
    radius: int,
    read_side: int,
) -> None:
    """Erosion across the borders of windows is that of the whole scene."""
    monkeypatch.setattr(windows, "READ_SIDE", read_side)
    report = evaluate(*files, erode=radius, tile=16, curve=4)
    prediction, reference = town
    levels = erosion_levels(reference, radius=4)
    for point in report.curve:
        expected = ConfusionMatrix(3)
        expected.add(np.where(levels > point.radius, reference, 255), prediction)
        assert point.pixels == expected.total
        assert point.mean_iou == compute_scores(expected.counts).mean_iou
        if point.radius == radius:
            assert np.array_equal(report.counts, expected.counts)
    assert len(report.curve) == 5


def test_every_pixel_goes_to_one_place(files: tuple[Path, Path], town: Town) -> None:
    prediction, reference = town
    tally = evaluate(*files, erode=1).tally
    labelled = reference != 255
    eroded = labelled & (erosion_levels(reference, radius=1) <= 1)
    assert tally.total == reference.size
    assert tally.unlabelled == int((~labelled).sum())
    assert tally.eroded == int(eroded.sum())
    assert tally.unmapped == int((labelled & ~eroded & (prediction == 255)).sum())


def test_tiles_sum_to_the_matrix(files: tuple[Path, Path]) -> None:
    """The worst tiles are listed from the most wrong pixels on."""
    report = evaluate(*files, tile=16, num_worst=1000)
    assert sum(tile.wrong for tile in report.worst_tiles) == report.tally.counted - int(
        np.trace(report.counts)
    )
    wrong = [tile.wrong for tile in report.worst_tiles]
    assert wrong == sorted(wrong, reverse=True)
    assert report.intervals is not None
    low, high = report.intervals.overall_accuracy
    assert low < report.overall_accuracy < high


def test_the_public_function_and_json(files: tuple[Path, Path]) -> None:
    """Everything but pictures fits JSON, without NaN."""
    report = rsmamba.evaluate(*files)
    values = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert values["overall_accuracy"] == report.overall_accuracy
    assert values["confusion_matrix"] == report.counts.tolist()
    assert values["pixels"]["total"] == report.tally.total
    assert report.stamp()["pixels"].startswith(f"scored {report.tally.counted:,} px once each")
    assert (report.kappa, report.mean_f1) == (values["kappa"], values["mean_f1"])


def test_classes_without_names_are_numbered(files: tuple[Path, Path]) -> None:
    assert evaluate(*files).classes.names == ("class 0", "class 1", "class 2")


def test_maps_that_name_their_classes_are_brought_into_one_order(
    town: Town,
    write_labels: Any,  # noqa: ANN401 - a fixture
) -> None:
    prediction, reference = town
    ours = write_labels(prediction, "map.tif", names=("land", "tree", "water"))
    swapped = np.array([2, 1, 0, *range(3, 256)], np.uint8)[reference]
    theirs = write_labels(swapped, "reference.tif", names=("Water", "TREES", "land"))
    same = write_labels(reference, "plain.tif")
    assert np.array_equal(evaluate(ours, theirs).counts, evaluate(ours, same).counts)
    assert not np.array_equal(
        evaluate(ours, theirs, labels="index").counts, evaluate(ours, same).counts
    )


def test_other_class_names_are_refused(town: Town, write_labels: Any) -> None:  # noqa: ANN401
    ours = write_labels(town[0], "map.tif", names=("land", "tree", "water"))
    theirs = write_labels(town[1], "reference.tif", names=("land", "tree", "rock"))
    with pytest.raises(DataError, match=r"rock is not among land, tree, water: .*--labels index"):
        evaluate(ours, theirs)


def test_label_map_moves_values(town: Town, write_labels: Any) -> None:  # noqa: ANN401
    """Unlabelled as class 5, as some data sets write it."""
    prediction, reference = town
    ours = write_labels(prediction, "map.tif")
    theirs = write_labels(np.where(reference == 255, 5, reference).astype(np.uint8), "r.tif")
    plain = evaluate(ours, write_labels(reference, "plain.tif"))
    with pytest.raises(DataError, match=r"holds the value 5 at row \d+, col \d+ .*--label-map"):
        evaluate(ours, theirs, classes=["a", "b", "c"])
    mapped = evaluate(ours, theirs, classes=["a", "b", "c"], label_map={5: 255})
    assert np.array_equal(mapped.counts, plain.counts)


@pytest.mark.parametrize("pair", [{2: -1}, {5: 7}])
def test_impossible_label_maps_are_refused(files: tuple[Path, Path], pair: dict[int, int]) -> None:
    (value, target), *_ = pair.items()
    with pytest.raises(OptionError, match=f"label map {value}={target} is not possible; map"):
        evaluate(*files, classes=["a", "b", "c"], label_map=pair)


def test_nothing_to_compare_is_an_error(write_labels: Any) -> None:  # noqa: ANN401
    ours = write_labels(np.zeros((20, 20), np.uint8), "map.tif")
    theirs = write_labels(np.full((20, 20), 255, np.uint8), "reference.tif")
    with pytest.raises(DataError, match="no pixel can be compared: 400 have no class in the ref"):
        evaluate(ours, theirs)


def test_a_map_without_any_class_is_an_error(write_labels: Any) -> None:  # noqa: ANN401
    empty = write_labels(np.full((20, 20), 255, np.uint8), "map.tif")
    with pytest.raises(DataError, match=r"nothing tells the classes of .*give --classes"):
        evaluate(empty, empty)


def test_several_bands_are_no_indices(town: Town, write_labels: Any) -> None:  # noqa: ANN401
    two = write_labels(np.stack([town[1]] * 2), "two.tif")
    with pytest.raises(DataError, match="has 2 bands of uint8; class indices are one band"):
        evaluate(two, two, classes=["a", "b", "c"])


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"protocol": "mmseg"}, "protocol 'mmseg' is not known; give one of all-classes, geoseg"),
        ({"labels": "names"}, "labels is 'names'; give one of auto, index, colour"),
        ({"unknown": "skip"}, "unknown is 'skip'; give one of fail, ignore"),
        ({"tile": 8}, "tile of 8 px is not possible; give 16 to 8192"),
        ({"num_worst": -1}, "num_worst is -1; give the number of worst tiles to list, 0 or more"),
        ({"seed": -1}, "seed -1 is not possible; give 0 or more"),
        ({"resamples": 1}, "1 resamples give no interval"),
        ({"curve": 99}, "boundary radius 99 px is not possible"),
        ({"protocol": "ssrs", "erode": 0}, "protocol ssrs fixes a boundary radius of 3 px and 0"),
        ({"protocol": "isprs", "erode": 2}, "fixes a boundary radius of 0 or 3 px and 2"),
        ({"protocol": "isprs", "classes": ["a"]}, "protocol isprs fixes the classes .*leave --cl"),
        ({"classes": "none.csv"}, "classes cannot be read from none.csv"),
    ],
)
def test_impossible_options_are_refused(
    files: tuple[Path, Path], options: dict[str, Any], text: str
) -> None:
    with pytest.raises(OptionError, match=text):
        evaluate(*files, **options)


def test_classes_from_a_csv_file(files: tuple[Path, Path], tmp_path: Path) -> None:
    table = tmp_path / "classes.csv"
    table.write_text("index,name,r,g,b\n0,land,9,8,7\n1,tree,0,9,0\n2,water,0,0,9\n")
    classes = evaluate(*files, classes=table).classes
    assert classes.names == ("land", "tree", "water")
    assert classes.colours[0] == (9, 8, 7)


def test_memory_for_tiles_is_bounded(files: tuple[Path, Path]) -> None:
    """A hundred classes on many tiles: the tiles grow instead of the memory."""
    report = evaluate(*files, classes=[f"class {index}" for index in range(100)], tile=16)
    assert report.tile == 16
    from rsmamba.evaluation.counting import CountOptions
    from rsmamba.evaluation.engine import _fitting_tile

    count = CountOptions(num_classes=100, tile=16)
    assert _fitting_tile(10**10, count) == 4096


def test_grids_are_compared(town: Town, write_labels: Any) -> None:  # noqa: ANN401
    ours = write_labels(town[0], "map.tif")
    theirs = write_labels(town[1][:-1], "shorter.tif")
    text = r"map.tif is 126 x 72 px, EPSG:32633, 0.5 m, from .*shorter.tif is 126 x 71 px.*--warp"
    with pytest.raises(GridMismatchError, match=text):
        evaluate(ours, theirs)
