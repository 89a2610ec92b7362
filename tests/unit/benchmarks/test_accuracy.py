"""The forest's features."""

import numpy as np
import pytest

pytest.importorskip("benchmarks.accuracy.features", reason="runs from the root of the checkout")
from benchmarks.accuracy.features import FEATURES, pixel_features


def column(features: np.ndarray, name: str) -> np.ndarray:
    """Take one feature by name."""
    return features[:, FEATURES.index(name)]


def test_constant_image_has_its_colour_and_no_structure() -> None:
    pixels = np.empty((3, 4, 6), np.uint8)
    pixels[:] = np.array([200, 100, 50])[:, None, None]
    features = pixel_features(pixels)
    assert features.shape == (24, len(FEATURES))
    expected = {"green": 100, "blue_mean_31": 50, "red_share": 200 / 350, "saturation": 0.75}
    for name, value in expected.items():
        assert column(features, name) == pytest.approx(np.full(24, value), abs=1e-4)
    for name in ("gradient", "gradient_mean_15", "red_std_5", "blue_std_31"):
        assert column(features, name) == pytest.approx(np.zeros(24), abs=0.05)


def test_window_statistics_equal_numpy() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 40, 41), dtype=np.uint8)
    features = pixel_features(pixels)
    row, col = 20, 18
    for size in (5, 15, 31):
        half = size // 2
        window = pixels[1, row - half : row + half + 1, col - half : col + half + 1]
        at = row * 41 + col
        assert column(features, f"green_mean_{size}")[at] == pytest.approx(window.mean(), rel=1e-4)
        assert column(features, f"green_std_{size}")[at] == pytest.approx(window.std(), rel=1e-3)


def test_gradient_of_a_ramp_is_its_slope() -> None:
    ramp = np.broadcast_to(np.arange(0, 60, 3, dtype=np.uint8), (3, 9, 20))
    gradient = column(pixel_features(ramp), "gradient").reshape(9, 20)
    assert gradient[:, 1:-1] == pytest.approx(np.full((9, 18), 3.0))


def test_black_pixels_have_finite_ratios() -> None:
    features = pixel_features(np.zeros((3, 3, 3), np.uint8))
    assert (features == 0).all()
