"""Training data: scenes with label rasters, and random chips of them."""

from rsmamba.data.chips import ChipDataset, EpochSampler
from rsmamba.data.config import AugmentConfig, DataConfig
from rsmamba.data.labelled import LabelledScene, Sample, check_alike, open_scenes
from rsmamba.data.labels import LabelOptions, label_options
from rsmamba.data.pairs import ScenePair, find_pairs
from rsmamba.data.remarks import remarks
from rsmamba.data.splits import Split, find_split, find_splits
from rsmamba.data.statistics import BandStatistics, band_statistics

__all__ = [
    "AugmentConfig",
    "BandStatistics",
    "ChipDataset",
    "DataConfig",
    "EpochSampler",
    "LabelOptions",
    "LabelledScene",
    "Sample",
    "ScenePair",
    "Split",
    "band_statistics",
    "check_alike",
    "find_pairs",
    "find_split",
    "find_splits",
    "label_options",
    "open_scenes",
    "remarks",
]
