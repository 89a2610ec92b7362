"""Tests of the simple feature pyramid."""

import pytest
import torch

from rsmamba.errors import OptionError
from rsmamba.models.layers.feature_pyramid import FeaturePyramid, fit_to_image, pyramid_factors


@pytest.mark.parametrize(("patch", "sides"), [(16, [20, 10, 5, 3]), (8, [10, 5, 3, 2])])
def test_levels_have_their_factor(patch: int, sides: list[int]) -> None:
    pyramid = FeaturePyramid(4, factors=pyramid_factors(patch=patch, num_maps=4))
    levels = pyramid([torch.randn(2, 4, 5, 5)] * 4)
    assert [tuple(level.shape) for level in levels] == [(2, 4, side, side) for side in sides]


def test_two_maps_give_the_two_finest_levels() -> None:
    assert pyramid_factors(patch=16, num_maps=2) == (4.0, 2.0)


@pytest.mark.parametrize(("patch", "num_maps"), [(14, 4), (16, 5), (16, 0)])
def test_other_pyramids_are_refused(patch: int, num_maps: int) -> None:
    with pytest.raises(OptionError, match=f"got {num_maps} of {patch}"):
        pyramid_factors(patch=patch, num_maps=num_maps)


def test_map_is_cropped_or_extended_to_the_image() -> None:
    features = torch.arange(12.0).view(1, 1, 3, 4)
    fitted = fit_to_image(features, image=torch.empty(1, 3, 7, 25), stride=5)
    assert fitted[0, 0].tolist() == [[0, 1, 2, 3, 3], [4, 5, 6, 7, 7]]
