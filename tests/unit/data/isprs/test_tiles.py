"""The tile lists are those that are published."""

import pytest

from rsmamba.data.isprs.tiles import SPLITS, TILES, IsprsDataset, IsprsSplit


@pytest.mark.parametrize(
    ("dataset", "split", "sizes"),
    [
        ("vaihingen", "ssrs", (12, 0, 4)),
        ("vaihingen", "geoseg", (15, 1, 17)),
        ("vaihingen", "official", (16, 0, 17)),
        ("potsdam", "ssrs", (18, 0, 6)),
        ("potsdam", "geoseg", (22, 1, 14)),
        ("potsdam", "official", (24, 0, 14)),
    ],
)
def test_splits_have_the_published_sizes(
    dataset: IsprsDataset, split: IsprsSplit, sizes: tuple[int, int, int]
) -> None:
    lists = SPLITS[dataset][split]
    assert (len(lists.train), len(lists.validation), len(lists.test)) == sizes


@pytest.mark.parametrize("dataset", SPLITS)
def test_no_tile_is_in_two_parts_of_a_split(dataset: IsprsDataset) -> None:
    for lists in SPLITS[dataset].values():
        tiles = [*lists.train, *lists.validation, *lists.test]
        assert len(tiles) == len(set(tiles))
        assert set(tiles) <= set(TILES[dataset])


def test_the_faulty_tile_is_in_no_part_of_geoseg() -> None:
    lists = SPLITS["potsdam"]["geoseg"]
    assert "7_10" not in {*lists.train, *lists.validation, *lists.test}
    assert "7_10" in SPLITS["potsdam"]["ssrs"].train


def test_official_lists_are_those_of_torchgeo() -> None:
    datasets = pytest.importorskip("torchgeo.datasets")
    for name, ours in (("Vaihingen2D", "vaihingen"), ("Potsdam2D", "potsdam")):
        lists = SPLITS[ours]["official"]  # type: ignore[index]  # both are data sets
        theirs = getattr(datasets, name).splits
        for part in ("train", "test"):
            tiles = {
                text.removeprefix("top_mosaic_09cm_area").removeprefix("top_potsdam_").split(".")[0]
                for text in theirs[part]
            }
            assert tiles == set(getattr(lists, part))
