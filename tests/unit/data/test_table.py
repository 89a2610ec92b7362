"""A CSV file of pairs, with or without splits."""

from pathlib import Path
from typing import Any

import pytest

from rsmamba.classes import ClassScheme
from rsmamba.data import DataConfig, find_split, find_splits
from rsmamba.data.table import read_table
from rsmamba.errors import DataError

FILES = ("a.tif", "b.tif", "c.tif", "heights.tif", "a_l.tif", "b_l.tif", "c_l.tif")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Folder of empty files that a table can name."""
    for name in FILES:
        (tmp_path / name).touch()
    return tmp_path


def write(root: Path, text: str) -> Path:
    path = root / "pairs.csv"
    path.write_text(text, encoding="utf-8")
    return path


def make_config(root: Path, **values: Any) -> DataConfig:  # noqa: ANN401 - any field
    classes = ClassScheme.from_names(["a", "b"])
    return DataConfig(root=root, kind="table", classes=classes, **values)


def names(config: DataConfig) -> list[list[str]]:
    return [[pair.image.stem for pair in pairs] for pairs in find_splits(config)]


def test_a_table_names_files_stacks_and_splits(root: Path) -> None:
    text = (
        "image, mask, split\na.tif;heights.tif,a_l.tif,train\nb.tif,b_l.tif,validation\n"
        "c.tif,c_l.tif,test\n"
    )
    first, second, third = read_table(write(root, text))
    assert (first.pair.image, first.pair.mask) == (root / "a.tif", root / "a_l.tif")
    assert [part.path.name for part in first.pair.stacked] == ["heights.tif"]
    assert (second.pair.stacked, third.split) == ((), "test")
    assert names(make_config(root)) == [["a"], ["b"]]
    assert names(make_config(root, validation_share=0.5)) == [["a"], ["a"]]


def test_without_splits_patterns_choose(root: Path) -> None:
    write(root, "image,mask\na.tif,a_l.tif\nb.tif,b_l.tif\nc.tif,c_l.tif\n")
    assert names(make_config(root, train=("[ab]",), validation=("c",))) == [["a", "b"], ["c"]]
    assert names(make_config(root, validation_share=0.5)) == [["a", "b", "c"]] * 2
    with pytest.raises(DataError, match=r"pairs.csv matches 'z'; there are a, b, c"):
        find_splits(make_config(root, train=("z",), validation=("c",)))
    with pytest.raises(DataError, match=r"1 scenes are in both train and validation: a.tif"):
        find_splits(make_config(root, validation=("a",)))


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("image,label\na.tif,a_l.tif\n", r"pairs.csv has no column mask; its columns are image"),
        ("image,mask\n", "has no row"),
        ("", "has no column image"),
        ("image,mask\na.tif,\n", r"line 2 of .*pairs.csv names no mask; fill it in"),
        ("image,mask\n,a_l.tif\n", "names no image; fill it in"),
        ("image,mask\na.tif,z.tif\n", r"names .*z.tif, which does not exist; check the path"),
        ("image,mask\na.tif,a_l.tif\na.tif,b_l.tif\n", r"names the image .*a.tif twice"),
    ],
)
def test_faulty_tables_are_refused(root: Path, text: str, match: str) -> None:
    with pytest.raises(DataError, match=match):
        read_table(write(root, text))


def test_tables_that_cannot_be_read(root: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read the table .*: No such file or directory"):
        find_splits(make_config(root))
    (root / "pairs.csv").write_bytes(b"image,mask\n\xff\xfe,b\n")
    with pytest.raises(DataError, match=r"cannot read the table .*; give a CSV file in UTF-8"):
        find_splits(make_config(root))


def test_test_scenes_are_those_of_the_table(root: Path) -> None:
    write(root, "image,mask,split\na.tif,a_l.tif,train\nb.tif,b_l.tif,test\n")
    config = make_config(root)
    assert [pair.image.stem for pair in find_split(config, "test")] == ["b"]
    write(root, "image,mask,split\na.tif,a_l.tif,train\nb.tif,b_l.tif,validation\n")
    assert [pair.image.stem for pair in find_split(config, "validation")] == ["b"]
    with pytest.raises(DataError, match="has the split 'test'; write test into the column"):
        find_split(config, "test")


@pytest.mark.parametrize(("given", "missing"), [("train", "validation"), ("validation", "train")])
def test_a_split_that_no_row_has(root: Path, given: str, missing: str) -> None:
    write(root, f"image,mask,split\na.tif,a_l.tif,{given}\n")
    with pytest.raises(DataError, match=f"no row of .* has the split '{missing}'; write train and"):
        find_splits(make_config(root))


def test_without_anything_to_validate_on(root: Path) -> None:
    write(root, "image,mask\na.tif,a_l.tif\n")
    with pytest.raises(DataError, match=r"nothing to validate on; set data.validation_share"):
        find_splits(make_config(root))


def test_patterns_beside_splits_are_told(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(root, "image,mask,split\na.tif,a_l.tif,train\nb.tif,b_l.tif,validation\n")
    with caplog.at_level("WARNING", logger="rsmamba.data.splits"):
        assert names(make_config(root, train=("b",))) == [["a"], ["b"]]
    assert "has a column split, which counts; data.train and" in caplog.text
