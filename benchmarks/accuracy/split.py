"""The split that all methods share: the scenes of the training configuration, and the test tile."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from rsmamba.config import load_config
from rsmamba.data import LabelledScene, find_pairs, open_scenes
from rsmamba.train import TrainConfig

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

REPOSITORY = Path(__file__).resolve().parents[2]
CONFIG = REPOSITORY / "configs" / "train" / "cvmh_unet_small_dubai.yaml"
# Training never names this tile; it is read when the report of the test split is asked for.
TEST_PATTERNS = ("tile8_*",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the training configuration and its images are.

    Attributes:
        config: Configuration file of the training run.
        root: Folder of images and masks; None takes the configuration's.
    """

    config: Path = CONFIG
    root: Path | None = None

    def load(self, *overrides: str) -> TrainConfig:
        """Read the configuration.

        Args:
            *overrides: Further changes, such as "trainer.run_dir=runs/a".

        Returns:
            The configuration with the root of this source.
        """
        root = () if self.root is None else (f"data.root={self.root}",)
        return load_config(self.config, TrainConfig, overrides=[*root, *overrides])


def scenes_of(config: TrainConfig, split: Split) -> list[LabelledScene]:
    """Open the scenes of one split; they are read by windows.

    Args:
        config: Training configuration.
        split: Which scenes.

    Returns:
        The scenes, ordered by name.
    """
    data = config.data
    patterns = {"train": data.train, "validation": data.validation, "test": TEST_PATTERNS}
    return open_scenes(
        find_pairs(data, patterns[split]),
        classes=data.classes,
        label_map=data.label_map,
        bidx=data.bidx,
    )
