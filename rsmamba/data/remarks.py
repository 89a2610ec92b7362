"""What is odd about training data without being an error: one line each."""

from collections.abc import Iterator, Sequence

import numpy as np

from rsmamba.data.labelled import LabelledScene
from rsmamba.data.statistics import BandStatistics
from rsmamba.geo.painted import strips


def remarks(
    scenes: Sequence[LabelledScene],
    statistics: BandStatistics,
    *,
    band_names: Sequence[str] | None = None,
) -> tuple[str, ...]:
    """Look for what is allowed and seldom meant.

    Colour tables, constant bands, pixels that are not numbers, and classes without a pixel.

    Args:
        scenes: Training scenes.
        statistics: Their band statistics.
        band_names: Names of the bands; None numbers them.

    Returns:
        One line for each finding.
    """
    return (
        *_colour_tables(scenes),
        *_constant_bands(statistics, band_names),
        *_missing_pixels(scenes),
        *_empty_classes(scenes),
    )


def _colour_tables(scenes: Sequence[LabelledScene]) -> Iterator[str]:
    with_table = [scene for scene in scenes if scene.reads_indices]
    if with_table:
        yield (
            f"{with_table[0].pair.image} has a colour table, as {len(with_table)} of {len(scenes)} "
            "training scenes have, and its indices are taken for numbers; write colours with "
            "gdal_translate -expand rgb, or give data.bidx: [1] if the indices are meant"
        )


def _constant_bands(statistics: BandStatistics, band_names: Sequence[str] | None) -> Iterator[str]:
    for number in statistics.constant_bands:
        name = f" ({band_names[number - 1]})" if band_names else ""
        yield (
            f"band {number}{name} is {statistics.mean[number - 1]:g} in every valid pixel of the "
            "training scenes and teaches nothing; check the files, or leave it out with data.bidx"
        )


def _missing_pixels(scenes: Sequence[LabelledScene]) -> Iterator[str]:
    """Scenes of floating-point pixels with NaN or infinity, which become invalid when read."""
    for scene in scenes:
        if scene.dtype.kind != "f":
            continue
        absent = sum(
            int(np.count_nonzero(~sample.valid))
            for sample in (
                scene.read(row=part.row, col=0, height=part.height, width=part.width)
                for part in strips(height=scene.height, width=scene.width)
            )
        )
        if absent:
            yield (
                f"{scene.pair.image} has {absent} pixels of {scene.height * scene.width} that are "
                "NaN or nodata; they teach nothing"
            )


def _empty_classes(scenes: Sequence[LabelledScene]) -> Iterator[str]:
    counts = np.sum([scene.label_counts for scene in scenes], axis=0)
    for name, count in zip(scenes[0].classes.names, counts, strict=True):
        if count == 0:
            yield f"the class {name} has no pixel in the training scenes and cannot be learnt"
