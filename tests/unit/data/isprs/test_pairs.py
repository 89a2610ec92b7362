"""Tiles of a split become pairs: the right files, bands and labels, and no test tile."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rsmamba.classes import ISPRS_CLASSES
from rsmamba.data import DataConfig, LabelledScene, find_splits, label_options
from rsmamba.data.isprs.lookalike import Lookalike
from rsmamba.errors import DataError, OptionError

MakeFolder = Callable[..., Lookalike]


def make_config(root: Path, **values: Any) -> DataConfig:  # noqa: ANN401 - any field
    fields: dict[str, Any] = {"dataset": "vaihingen", "split": "geoseg"}
    return DataConfig(root=root, **{"kind": "isprs", **fields, **values})


def tiles(config: DataConfig) -> list[list[str]]:
    return [[pair.image.stem.split("area")[-1] for pair in pairs] for pairs in find_splits(config)]


def whole(config: DataConfig, *, part: int = 0) -> Any:  # noqa: ANN401 - Sample
    pair = find_splits(config)[part][0]
    scene = LabelledScene(pair, classes=config.classes, labels=label_options(config))
    return scene.read(row=0, col=0, height=scene.height, width=scene.width)


def test_a_split_names_its_tiles_and_fills_in_the_rest(lookalike: MakeFolder) -> None:
    config = make_config(lookalike("vaihingen").root)
    assert tiles(config) == [["1", "5"], ["30"]]
    assert (config.classes, config.labels, config.gsd_m) == (ISPRS_CLASSES, "colour", 0.09)
    assert config.band_names == ("near infrared", "red", "green")
    assert config.provenance["split"] == "geoseg"


def test_other_tiles_or_rows_may_validate(lookalike: MakeFolder) -> None:
    root = lookalike("vaihingen").root
    assert tiles(make_config(root, validation=("5",))) == [["1", "30"], ["5"]]
    shared = make_config(root, validation_share=0.25)
    assert tiles(shared) == [["1", "5", "30"]] * 2
    assert [pairs[0].rows for pairs in find_splits(shared)] == [(0.0, 0.75), (0.75, 1.0)]


def test_missing_tiles_are_told(lookalike: MakeFolder, caplog: pytest.LogCaptureFixture) -> None:
    find_splits(make_config(lookalike("vaihingen").root))
    (line,) = caplog.messages
    assert line.startswith("13 of the 15 train tiles of geoseg are not in ")
    assert line.endswith(
        ": 3, 7, 11, 13, 15, 17, 21, 23, 26, 28, 32, 34, 37; results are not those of the protocol"
    )


@pytest.mark.parametrize("layout", ["society", "torchgeo"])
def test_bands_are_taken_from_the_file_that_has_them(lookalike: MakeFolder, layout: str) -> None:
    root = lookalike("potsdam", layout).root
    rgbir, rgb, irrg = (
        whole(make_config(root, dataset="potsdam", bands=bands)).pixels
        for bands in ("rgbir", "rgb", "irrg")
    )
    assert rgbir.shape[0] == 4
    assert np.array_equal(rgb, rgbir[:3])
    assert np.array_equal(irrg, rgbir[[3, 0, 1]])


def test_heights_are_the_last_band(lookalike: MakeFolder) -> None:
    config = make_config(lookalike("vaihingen").root, ndsm=True)
    sample = whole(config)
    assert config.band_names == ("near infrared", "red", "green", "ndsm")
    assert sample.pixels.shape[0] == 4
    building, lawn = (sample.pixels[3][sample.labels == index].mean() for index in (1, 2))
    assert building > lawn + 20


def test_eroded_labels_validate_full_ones_train(lookalike: MakeFolder) -> None:
    config = make_config(lookalike("vaihingen").root, eroded_validation=True)
    assert not (whole(config).labels == 255).any()
    assert (whole(config, part=1).labels == 255).mean() > 0.1


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"split": None}, "kind isprs needs dataset .* and split .*; give both"),
        ({"bands": "rgb"}, "bands is rgb and vaihingen has irrg; give one of those"),
        ({"train": ("1",)}, "train is given with kind isprs, where split names the train tiles"),
        ({"bidx": (1,)}, "bidx is given with kind isprs, where bands chooses the bands"),
        ({"kind": "folders", "train": ("1",)}, "dataset is given with kind folders; set kind to"),
        ({"validation": ("2",)}, "no train tile of the split geoseg matches '2'; there are 1, 3"),
        ({"validation": ("*",)}, r"validation is \['\*'\], which takes all train tiles of the"),
        ({"split": "ssrs"}, "the split ssrs has no validation tiles; name some of its train tiles"),
    ],
)
def test_contradictions_are_refused(
    lookalike: MakeFolder, values: dict[str, Any], match: str
) -> None:
    root = lookalike("vaihingen").root
    with pytest.raises(OptionError, match=match):
        find_splits(make_config(root, **values))


def test_empty_splits_and_missing_files_are_refused(lookalike: MakeFolder, vaihingen: Path) -> None:
    config = make_config(lookalike("vaihingen", "torchgeo").root, eroded_validation=True)
    with pytest.raises(DataError, match=r"tile 30 in .* has no noBoundary labels; unpack the miss"):
        find_splits(config)
    for path in vaihingen.rglob("*area1*"):
        path.unlink()
    with pytest.raises(
        DataError, match=r"none of the 15 train tiles of geoseg is in .*; it has the"
    ):
        find_splits(make_config(vaihingen))
