"""Options are checked against each other in plain words."""

from typing import Any

import pytest

from rsmamba.errors import OptionError
from rsmamba.prediction import PredictConfig


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tile": 0}, "tile 0 is not a size"),
        ({"overlap": -1}, "overlap -1 is negative"),
        ({"margin": -1}, "margin -1 is negative; give 0 px or more"),
        ({"batch_size": 0}, "batch_size 0 is not a number of tiles; give 1 or more"),
        ({"mem_limit": 0}, "mem_limit 0 is not an amount of memory"),
        ({"tta": "rotate"}, "tta 'rotate' is not known; give none, flips, d4"),
        ({"prob_dtype": "float16"}, "prob_dtype 'float16' is not known; give uint8, float32"),
        ({"bounds": (0, 0, 1, 1), "window": (0, 0, 1, 1)}, "bounds and window both choose a part"),
        ({"bounds_crs": "EPSG:4326"}, "bounds_crs EPSG:4326 says nothing without bounds"),
        ({"prune": 0.5, "prune_flops": 0.4}, "prune and prune_flops both choose how many tokens"),
        ({"ignore_gsd": True, "resample": True}, "ignore_gsd and resample contradict each other"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        PredictConfig(**options)


def test_creation_options_are_checked_when_used() -> None:
    with pytest.raises(OptionError, match="format 'PNG' is not known; give COG or GTiff"):
        _ = PredictConfig(format="PNG").creation


def test_the_options_that_decide_the_pixels_are_told() -> None:
    values = PredictConfig(tile=96, overlap=8, aoi="field.geojson", batch_size=7).to_dict()
    assert (values["tile"], values["overlap"], values["aoi"]) == (96, 8, "field.geojson")
    assert "batch_size" not in values
