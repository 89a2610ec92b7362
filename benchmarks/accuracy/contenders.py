"""The networks that are compared with the same data, steps and seeds, none of them pretrained."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import segmentation_models_pytorch
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from benchmarks.accuracy.split import Source
from rsmamba.models import SceneModel, load_model
from rsmamba.train import TrainConfig, TrainResult, fit

_STRIDE = 32
# The rival of the bundled model, of about its size.
UNET = "unet_mobilenet_v2"
_MOBILE_DECODER = (48, 32, 24, 16, 16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A network of the comparison.

    Attributes:
        model: Name of a network of the package; None for a rival.
        options: Its options, as model.options of a training configuration.
        make: Makes a rival with fresh weights for a number of classes.
        changes: Its own changes to the training configuration.
    """

    model: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    make: Callable[[int], nn.Module] | None = None
    changes: Sequence[str] = ()

    def overrides(self) -> tuple[str, ...]:
        """Changes to the training configuration; a rival keeps everything but the network."""
        if self.model is None:
            return ()
        options = json.dumps(dict(self.options))
        return (f"model.name={self.model}", f"model.options={options}", *self.changes)


def _unet(encoder: str, **options: Any) -> Callable[[int], nn.Module]:  # noqa: ANN401 - as smp
    def make(num_classes: int) -> nn.Module:
        network: nn.Module = segmentation_models_pytorch.Unet(
            encoder, encoder_weights=None, classes=num_classes, **options
        )
        return network

    return make


def _segformer(num_classes: int) -> nn.Module:
    network: nn.Module = segmentation_models_pytorch.Segformer(
        "mit_b0", encoder_weights=None, classes=num_classes
    )
    return network


CONTENDERS: dict[str, Contender] = {
    "cvmh_unet_small": Contender(model="cvmh_unet_small"),
    # About the size of the others: narrower and shallower than the published variants.
    "vssd+unet": Contender(
        model="vssd_micro+unet",
        options={
            "encoder": {"embed_dim": 32, "depths": [2, 2, 4, 2], "drop_path": 0.1},
            "decoder": {"dim": 24, "detail": 12},
        },
    ),
    "groupmamba+unet": Contender(
        model="groupmamba_tiny+unet",
        options={
            "encoder": {"embed_dims": [32, 64, 128, 192], "depths": [2, 2, 4, 2], "drop_path": 0.0},
            "decoder": {"dim": 24, "detail": 12},
        },
        # Chosen with the drop rate on the validation tile: 43 % with both, 24 % with neither.
        changes=("optimiser.factors={decoder.detail_head.head: 10}",),
    ),
    "unet_resnet18": Contender(make=_unet("resnet18")),
    "segformer_b0": Contender(make=_segformer),
    UNET: Contender(make=_unet("mobilenet_v2", decoder_channels=_MOBILE_DECODER)),
}


def write_rival(model: SceneModel, path: Path) -> None:
    """Write weights in float32, with the band statistics as metadata.

    Args:
        model: A rival with its band statistics.
        path: File to write.
    """
    weights = {name: value.contiguous() for name, value in model.network.state_dict().items()}
    statistics = {"mean": model.mean, "std": model.std}
    metadata = {
        name: json.dumps([] if value is None else value.flatten().tolist())
        for name, value in statistics.items()
    }
    save_file(weights, path, metadata=metadata)


def read_contender(name: str, path: Path, config: TrainConfig) -> SceneModel:
    """Read a trained network of the comparison.

    Args:
        name: Which.
        path: File that its training run wrote.
        config: Training configuration, for the classes.

    Returns:
        The model in evaluation mode.
    """
    make = CONTENDERS[name].make
    if make is None:
        return load_model(path, device="cpu")
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
    network = make(config.data.classes.num_classes)
    network.load_state_dict(weights)
    mean, std = (json.loads(metadata[key]) for key in ("mean", "std"))
    model = SceneModel(
        network,
        classes=config.data.classes,
        in_channels=len(mean),
        mean=mean,
        std=std,
        input_multiple=_STRIDE,
        name=name,
    )
    return model.eval()


def train_contender(
    name: str, source: Source, *, run_dir: Path, seed: int, changes: Sequence[str] = ()
) -> TrainResult:
    """Train a network of the comparison, or continue its run where one was begun.

    Args:
        name: Which.
        source: Configuration and data.
        run_dir: Folder of the run; `best.safetensors` and `last.safetensors` are in it.
        seed: Seed of weights and chips.
        changes: Further changes to the configuration, such as "trainer.epochs=8".

    Returns:
        Where the files are and how each epoch went.
    """
    contender = CONTENDERS[name]
    config = source.load(
        *contender.overrides(),
        f"trainer.run_dir={run_dir}",
        f"trainer.seed={seed}",
        "trainer.resume=true",
        *changes,
    )
    if contender.make is None:
        return fit(config)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = contender.make(config.data.classes.num_classes)
    return fit(config, network=network, write_model=write_rival)
