"""A run so small that it takes a second: two scenes of coloured stripes, a narrow network."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from rsmamba.classes import ClassScheme
from rsmamba.data import AugmentConfig, DataConfig
from rsmamba.train import ModelConfig, OptimiserConfig, TrainConfig, TrainerConfig

CLASSES = ClassScheme.from_names(["field", "road", "lake"])
COLOURS = np.array([[60, 140, 50], [120, 110, 130], [20, 60, 160]], np.uint8)
# Without batch norm, whose running statistics would need more steps than a test has.
NARROW = {
    "block": "vss",
    "fusion": "add",
    "dim": 8,
    "d_state": 1,
    "encoder_depths": [1, 1, 1, 1],
    "decoder_depths": [1, 1, 1, 1],
    "drop_path": 0.1,
}


def write_stripes(root: Path, stem: str, *, seed: int) -> None:
    """Write a scene of 64 x 80 pixels whose colour tells its class, and its labels."""
    rng = np.random.default_rng(seed)
    labels = np.broadcast_to(np.arange(80) // 9 % 3, (64, 80)).astype(np.uint8)
    noise = rng.integers(-10, 11, (3, 64, 80))
    pixels = (COLOURS[labels].transpose(2, 0, 1) + noise).astype(np.uint8)  # (3, 64, 80)
    place = rasterio.Affine(1, 0, 500_000, 0, -1, 4_000_000)
    for folder, bands in (("images", pixels), ("masks", labels[None])):
        (root / folder).mkdir(exist_ok=True)
        profile = {"count": len(bands), "height": 64, "width": 80, "dtype": "uint8"}
        with rasterio.open(root / folder / f"{stem}.tif", "w", transform=place, **profile) as file:
            file.write(bands)


@pytest.fixture(scope="session")
def stripes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of two labelled scenes, "one" and "two"."""
    root = tmp_path_factory.mktemp("stripes")
    write_stripes(root, "one", seed=1)
    write_stripes(root, "two", seed=2)
    return root


@pytest.fixture(scope="session")
def make_config(stripes: Path) -> Callable[..., TrainConfig]:
    """Make the configuration of a run; keywords change the trainer section, or give a section."""

    def make(run_dir: Path, **values: Any) -> TrainConfig:  # noqa: ANN401 - any field
        data = DataConfig(
            root=stripes,
            train=("one",),
            validation=("two",),
            classes=CLASSES,
            chip=64,
            chips_per_epoch=4,
            augment=AugmentConfig(scale=(0.9, 1.2)),
        )
        sections: dict[str, Any] = {
            "data": data,
            "model": ModelConfig(name="cvmh_unet", options=NARROW),
            "optimiser": OptimiserConfig(learning_rate=1e-2, ema_decay=0.5),
        }
        sections |= {name: values.pop(name) for name in tuple(values) if name in sections}
        options = {"epochs": 3, "batch_size": 2, "threads": 1, "device": "cpu", **values}
        options = {"samples": 0, "loggers": {}, **options}
        return TrainConfig(**sections, trainer=TrainerConfig(run_dir=run_dir, **options))

    return make
