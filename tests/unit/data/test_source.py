"""The source of scenes and labels is checked before any file is read."""

from pathlib import Path
from typing import Any

import pytest

from rsmamba.classes import ClassScheme
from rsmamba.config import load_config
from rsmamba.data import DataConfig, find_pairs
from rsmamba.errors import ConfigError, OptionError

CLASSES = ClassScheme.from_names(["a", "b"])


def make_config(**values: Any) -> DataConfig:  # noqa: ANN401 - any field
    fields: dict[str, Any] = {"root": Path(), "train": ("a",), "validation": ("b",)}
    return DataConfig(**{**fields, "classes": CLASSES, **values})


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"classes": None}, "classes is missing; give the names and colours of the classes"),
        ({"labels": "vector"}, "labels is vector and attribute None; vector labels need the field"),
        ({"attribute": "kind"}, "labels is index and attribute 'kind'; vector labels need"),
        ({"background": 2}, "background is 2; give a class index from 0 to 1, or leave it out"),
        ({"ndsm": True}, "ndsm is given with kind folders; set kind to isprs, or leave it out"),
    ],
)
def test_contradictions_are_refused(values: dict[str, Any], match: str) -> None:
    with pytest.raises(OptionError, match=match):
        make_config(**values)


def test_files_may_leave_classes_to_the_benchmark_only(tmp_path: Path) -> None:
    path = tmp_path / "data.yaml"
    path.write_text("{root: ., kind: isprs, dataset: potsdam, split: geoseg}", encoding="utf-8")
    config = load_config(path, DataConfig)
    assert (config.classes.num_classes, config.bands, config.gsd_m) == (6, "rgb", 0.05)
    path.write_text("{root: ., train: [a], validation: [b]}", encoding="utf-8")
    with pytest.raises(ConfigError, match="classes is missing"):
        load_config(path, DataConfig)
    path.write_text("{root: ., kind: isprs, dataset: berlin, split: geoseg}", encoding="utf-8")
    with pytest.raises(ConfigError, match="dataset: Input should be 'vaihingen' or 'potsdam'"):
        load_config(path, DataConfig)


def test_vector_files_are_masks_only_where_labels_are_vectors(tmp_path: Path) -> None:
    for name in ("images/a.tif", "images/a.gpkg", "masks/a.geojson", "masks/a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    config = make_config(root=tmp_path)
    assert find_pairs(config, ["a"])[0].mask.name == "a.png"
    (tmp_path / "masks/a.png").unlink()
    config = make_config(root=tmp_path, labels="vector", attribute="kind")
    (pair,) = find_pairs(config, ["a"])
    assert (pair.image.name, pair.mask.name) == ("a.tif", "a.geojson")
