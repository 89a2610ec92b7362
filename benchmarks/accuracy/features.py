"""Colour and local statistics of every pixel, for the random forest."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

FloatArray = NDArray[np.float32]

WINDOWS = (5, 15, 31)
_BANDS = ("red", "green", "blue")
FEATURES = (
    *_BANDS,
    "red_share",
    "green_share",
    "saturation",
    "green_red_index",
    "gradient",
    *(f"gradient_mean_{size}" for size in WINDOWS),
    *(f"{band}_{what}_{size}" for size in WINDOWS for what in ("mean", "std") for band in _BANDS),
)


def pixel_features(pixels: NDArray[np.uint8]) -> FloatArray:
    """Describe every pixel of an image by its colour and its surroundings.

    Windows that cross the image's frame continue it by reflection.

    Args:
        pixels: Red, green and blue (3, H, W), 0 to 255.

    Returns:
        Features (H * W, len(FEATURES)) in the order of `FEATURES`, pixels row by row.
    """
    bands = pixels.astype(np.float32)
    features = np.empty((len(FEATURES), *bands.shape[1:]), np.float32)
    features[:3] = bands
    features[3:7] = _ratios(bands)
    gradient = _gradient(bands.mean(axis=0))
    features[7] = gradient
    for index, size in enumerate(WINDOWS):
        features[8 + index] = ndimage.uniform_filter(gradient, size)
        first = 8 + len(WINDOWS) + 6 * index
        features[first : first + 3], features[first + 3 : first + 6] = _moments(bands, size)
    return np.ascontiguousarray(features.reshape(len(FEATURES), -1).T)


def _ratios(bands: FloatArray) -> FloatArray:
    """Shares of red and green, saturation, and the green-red index, (4, H, W); 0 for black."""
    red, green, _ = bands
    total, brightest = bands.sum(axis=0), bands.max(axis=0)
    pairs = (
        (red, total),
        (green, total),
        (brightest - bands.min(axis=0), brightest),
        (green - red, green + red),
    )
    return np.stack([above / np.maximum(below, 1) for above, below in pairs])


def _gradient(grey: FloatArray) -> FloatArray:
    """Magnitude of Sobel's gradient, in pixel values a pixel."""
    rows, cols = ndimage.sobel(grey, axis=0), ndimage.sobel(grey, axis=1)
    magnitude: FloatArray = np.hypot(rows, cols) / np.float32(8)
    return magnitude


def _moments(bands: FloatArray, size: int) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation of each band in a square window, (3, H, W) each."""
    mean: FloatArray = ndimage.uniform_filter(bands, (0, size, size))
    centred = bands - np.float32(128)  # smaller squares lose fewer digits
    square = ndimage.uniform_filter(centred**2, (0, size, size))
    variance = square - (mean - np.float32(128)) ** 2
    return mean, np.sqrt(np.maximum(variance, 0))
