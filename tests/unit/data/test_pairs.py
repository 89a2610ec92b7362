"""Images find their label rasters by name, or say what is missing."""

from pathlib import Path
from typing import Any

import pytest

from rsmamba.classes import ClassScheme
from rsmamba.data import DataConfig, find_pairs, find_splits
from rsmamba.errors import DataError


def make_config(root: Path, **values: Any) -> DataConfig:  # noqa: ANN401 - any field
    fields: dict[str, Any] = {"root": root, "train": ("a*",), "validation": ("b*",)}
    return DataConfig(**{**fields, "classes": ClassScheme.from_names(["a", "b"]), **values})


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def test_pairs_are_found_by_pattern_and_ordered(tmp_path: Path) -> None:
    names = ["b1", "a2", "a1", "c1"]
    touch(tmp_path, *(f"images/{n}.jpg" for n in names), *(f"masks/{n}.png" for n in names))
    train, validation = find_splits(make_config(tmp_path))
    assert [(p.image.name, p.mask.name) for p in train] == [
        ("a1.jpg", "a1.png"),
        ("a2.jpg", "a2.png"),
    ]
    assert [p.image.stem for p in validation] == ["b1"]


def test_suffix_tells_label_rasters_apart_in_one_folder(tmp_path: Path) -> None:
    touch(tmp_path, "a1.tif", "a1_labels.tif", "b1.tif", "b1_labels.tif")
    config = make_config(tmp_path, images=".", masks=".", mask_suffix="_labels", train=("*1",))
    pairs = find_pairs(config, ["*"])
    assert [(p.image.name, p.mask.name) for p in pairs] == [
        ("a1.tif", "a1_labels.tif"),
        ("b1.tif", "b1_labels.tif"),
    ]


def test_scenes_may_be_cut_in_two(tmp_path: Path) -> None:
    touch(tmp_path, "images/a1.tif", "masks/a1.tif")
    train, validation = find_splits(make_config(tmp_path, validation=(), validation_share=0.25))
    assert [(pair.image.stem, pair.rows) for pair in train] == [("a1", (0.0, 0.75))]
    assert [(pair.image.stem, pair.rows) for pair in validation] == [("a1", (0.75, 1.0))]


def test_files_beside_rasters_are_no_rasters(tmp_path: Path) -> None:
    beside = ["a1.tfw", "a1.tif.aux.xml", "a1.tif.ovr", "README.md", ".a1.tif"]
    touch(tmp_path, "images/a1.tif", "masks/a1.tif", *(f"images/{name}" for name in beside))
    assert len(find_pairs(make_config(tmp_path), ["*"])) == 1


@pytest.mark.parametrize(
    "files", [["a1.shp", "a1.shx", "a1.dbf", "a1.prj"], ["a1.gpkg", "a1.gpkg-wal"], ["a1.json"]]
)
def test_companions_of_vector_files_are_none(tmp_path: Path, files: list[str]) -> None:
    touch(tmp_path, "images/a1.tif", *(f"masks/{name}" for name in files))
    config = make_config(tmp_path, labels="vector", attribute="class")
    assert [pair.mask.name for pair in find_pairs(config, ["*"])] == files[:1]


def test_images_without_polygons_are_named(tmp_path: Path) -> None:
    touch(tmp_path, "images/a1.tif", "masks/a1.tif")
    config = make_config(tmp_path, labels="vector", attribute="class")
    with pytest.raises(DataError, match=r"1 images have no file of polygons in .*masks: a1; add"):
        find_pairs(config, ["*"])


def test_home_folder_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert make_config(Path("~/data")).root == tmp_path / "data"


def test_a_pattern_without_a_match_lists_what_is_there(tmp_path: Path) -> None:
    touch(tmp_path, *(f"images/{i}.tif" for i in range(10)), "masks/0.tif")
    with pytest.raises(DataError, match=r"matches 'a\*'; there are 0, 1, .*, 7 and 2 more"):
        find_splits(make_config(tmp_path))


@pytest.mark.parametrize("missing", ["images", "masks"])
def test_missing_folders_are_named(tmp_path: Path, missing: str) -> None:
    touch(tmp_path, *({"images/a1.tif", "masks/a1.tif"} - {f"{missing}/a1.tif"}))
    with pytest.raises(DataError, match=f"{missing} is not a folder; set data.root"):
        find_pairs(make_config(tmp_path), ["*"])


def test_images_without_label_raster_are_named(tmp_path: Path) -> None:
    touch(tmp_path, "images/a1.tif", "images/a2.tif", "masks/a1.tif")
    with pytest.raises(DataError, match=r"1 images have no label raster in .*masks: a2; add them"):
        find_pairs(make_config(tmp_path), ["*"])


@pytest.mark.parametrize("folder", ["images", "masks"])
def test_names_that_files_share_are_refused(tmp_path: Path, folder: str) -> None:
    touch(tmp_path, "images/a1.tif", "masks/a1.tif", f"{folder}/a1.png")
    with pytest.raises(DataError, match=r"share a name: a1.png, a1.tif; keep one file"):
        find_pairs(make_config(tmp_path), ["*"])


def test_a_scene_in_both_splits_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "images/a1.tif", "masks/a1.tif")
    with pytest.raises(DataError, match=r"1 scenes are in both train and validation: a1.tif"):
        find_splits(make_config(tmp_path, validation=("*1",)))


def test_images_are_not_their_own_labels(tmp_path: Path) -> None:
    touch(tmp_path, "a1.tif")
    with pytest.raises(DataError, match=r"are both '.'; name two folders, or set data.mask_suffix"):
        find_pairs(make_config(tmp_path, images=".", masks="."), ["*"])
