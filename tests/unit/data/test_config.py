"""Data sections: values outside their range are named with what is allowed."""

from pathlib import Path
from typing import Any

import pytest

from rsmamba.classes import ClassScheme
from rsmamba.data import AugmentConfig, DataConfig
from rsmamba.errors import OptionError


def make_config(**values: Any) -> DataConfig:  # noqa: ANN401 - any field
    fields: dict[str, Any] = {"root": Path(), "train": ("a",), "validation": ("b",)}
    return DataConfig(**{**fields, "classes": ClassScheme.from_names(["a", "b"]), **values})


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"train": ()}, "train is empty; give at least one glob pattern of image names"),
        ({"validation": ()}, "validation is .. and validation_share 0.0; give either"),
        ({"validation_share": 0.2}, "validation is .'b'. and validation_share 0.2; give either"),
        ({"validation": (), "validation_share": 1.0}, "above 0 and below 1 of the train scenes"),
        ({"chip": 15}, "chip is 15, .* allowed are at least 16, 1 and 0"),
        ({"chips_per_epoch": 0}, "chips_per_epoch 0"),
        (
            {"class_crops": 1.5},
            "class_crops is 1.5 and class_crops_power 0.0; give a share from 0 to 1",
        ),
        ({"class_crops_power": -1.0}, "class_crops_power -1.0; give a share"),
        ({"cache_mb": -1}, "cache_mb -1"),
        ({"gsd_m": 0.0}, "gsd_m is 0.0; give metres a pixel above 0"),
        ({"gsd_m": float("nan")}, "gsd_m is nan"),
        ({"label_map": {9: 2}}, "label_map sends 9 to 2; allowed are the class indices 0 to 1"),
    ],
)
def test_wrong_data_values_are_refused(values: dict[str, Any], match: str) -> None:
    with pytest.raises(OptionError, match=match):
        make_config(**values)


def test_labels_may_be_mapped_to_classes_and_the_ignore_index() -> None:
    assert make_config(label_map={7: 0, 8: 1, 9: 255}).label_map[9] == 255


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"scale": (1.5, 0.7)}, "scale is 1.5 to 0.7; give smallest, then largest"),
        ({"scale": (0.0, 1.0)}, "within 0.1 to 10"),
        ({"contrast": -0.1}, "contrast is -0.1; give 0 .off. or more"),
        ({"saturation": float("nan")}, "saturation is nan; give 0"),
        ({"colour_probability": 1.1}, "colour_probability is 1.1; give a share from 0 to 1"),
    ],
)
def test_wrong_strengths_are_refused(values: dict[str, Any], match: str) -> None:
    with pytest.raises(OptionError, match=match):
        AugmentConfig(**values)
