"""Files of the benchmark are told by name and folder, in every layout."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rsmamba.data.isprs.files import find_isprs_files, identify
from rsmamba.data.isprs.lookalike import IsprsLayout, Lookalike
from rsmamba.data.isprs.tiles import IsprsDataset
from rsmamba.errors import DataError


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("top/top_mosaic_09cm_area1.tif", ("vaihingen", "1", "irrg")),
        ("gts_for_participants/top_mosaic_09cm_area1.tif", ("vaihingen", "1", "label")),
        ("x_ground_truth_COMPLETE/top_mosaic_09cm_area38.tif", ("vaihingen", "38", "label")),
        ("any/top_mosaic_09cm_area2_noBoundary.tif", ("vaihingen", "2", "eroded")),
        ("train_images/top_mosaic_09cm_area7.tif", ("vaihingen", "7", "irrg")),
        ("train_masks/top_mosaic_09cm_area7.tif", ("vaihingen", "7", "label")),
        ("flat/top_mosaic_09cm_area7_label.png", ("vaihingen", "7", "label")),
        ("dsm/dsm_09cm_matching_area3.tif", ("vaihingen", "3", "dsm")),
        ("ndsm/dsm_09cm_matching_area3_normalized.jpg", ("vaihingen", "3", "ndsm")),
        ("NDSM/dsm_09cm_matching_area3.jpg", ("vaihingen", "3", "ndsm")),
        ("2_Ortho_RGB/top_potsdam_2_10_RGB.tif", ("potsdam", "2_10", "rgb")),
        ("3_Ortho_IRRG/top_potsdam_7_7_IRRG.tif", ("potsdam", "7_7", "irrg")),
        ("4_Ortho_RGBIR/top_potsdam_02_10_RGBIR.tif", ("potsdam", "2_10", "rgbir")),
        ("5_Labels_all/top_potsdam_2_10_label.tif", ("potsdam", "2_10", "label")),
        ("a/top_potsdam_2_10_label_noBoundary.tif", ("potsdam", "2_10", "eroded")),
        ("1_DSM/dsm_potsdam_02_10.tif", ("potsdam", "2_10", "dsm")),
        ("n/dsm_potsdam_02_10_normalized_lastools.jpg", ("potsdam", "2_10", "ndsm")),
        ("patches/top_potsdam_2_10_RGB_0_512.tif", None),
        ("top/top_mosaic_09cm_area1_17.tif", None),
    ],
)
def test_names_tell_what_a_file_is(path: str, expected: tuple[str, str, str] | None) -> None:
    assert identify(Path(path)) == expected


@pytest.mark.parametrize("layout", ["society", "torchgeo", "flat"])
@pytest.mark.parametrize("dataset", ["vaihingen", "potsdam"])
def test_every_layout_is_found(
    lookalike: Callable[..., Lookalike], dataset: IsprsDataset, layout: IsprsLayout
) -> None:
    made = lookalike(dataset, layout)
    folder = find_isprs_files(made.root)
    assert folder.dataset == dataset
    assert set(folder.files) == set(made.tiles)
    found = {path for files in folder.files.values() for path in files.values()}
    assert found == set(made.files)


def test_folders_behind_links_are_searched(tmp_path: Path) -> None:
    """Archives lie where there is room; a link that leads back is followed once."""
    (tmp_path / "disk" / "top").mkdir(parents=True)
    (tmp_path / "disk" / "top" / "top_mosaic_09cm_area1.tif").touch()
    root = tmp_path / "root"
    root.mkdir()
    (root / "top").symlink_to(tmp_path / "disk" / "top")
    (root / "back").symlink_to(root)
    folder = find_isprs_files(root)
    assert folder.files == {"1": {"irrg": root / "top" / "top_mosaic_09cm_area1.tif"}}
    assert not folder.doubles


def test_doubles_are_named_and_empty_surface_models_come_last(tmp_path: Path) -> None:
    for name in ("ownapproach", "lastools"):
        (tmp_path / f"dsm_potsdam_02_10_normalized_{name}.jpg").touch()
    folder = find_isprs_files(tmp_path)
    assert folder.files["2_10"]["ndsm"].stem.endswith("lastools")
    assert len(folder.doubles) == 1
    assert "ownapproach.jpg doubles" in folder.doubles[0]


def test_folders_that_are_not_the_benchmark(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere is not a folder; give the folder into which"):
        find_isprs_files(tmp_path / "nowhere")
    with pytest.raises(DataError, match="no file of the ISPRS benchmark; expected are names"):
        find_isprs_files(tmp_path)
    (tmp_path / "top_mosaic_09cm_area1.tif").touch()
    with pytest.raises(DataError, match="holds no file of potsdam"):
        find_isprs_files(tmp_path, "potsdam")
    (tmp_path / "top_potsdam_2_10_RGB.tif").touch()
    with pytest.raises(DataError, match="holds both Vaihingen and Potsdam"):
        find_isprs_files(tmp_path)
    assert find_isprs_files(tmp_path, "vaihingen").files.keys() == {"1"}
