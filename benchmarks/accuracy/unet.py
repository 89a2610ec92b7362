"""The U-Net: MobileNetV2 encoder without pretrained weights, trained by the package's own run."""

import json
from pathlib import Path

import segmentation_models_pytorch
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from benchmarks.accuracy.split import Source
from rsmamba.models import SceneModel
from rsmamba.train import TrainConfig, TrainResult, fit

SEED = 0
ENCODER = "mobilenet_v2"
DECODER_CHANNELS = (48, 32, 24, 16, 16)
_STRIDE = 32


def make_unet(num_classes: int) -> nn.Module:
    """Build the U-Net with fresh weights; the same ones at every call.

    Args:
        num_classes: Channels of the logits.

    Returns:
        A module that maps (B, 3, H, W) to logits (B, num_classes, H, W), sides divisible by 32.
    """
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        network: nn.Module = segmentation_models_pytorch.Unet(
            ENCODER, encoder_weights=None, decoder_channels=DECODER_CHANNELS, classes=num_classes
        )
    return network


def train_unet(source: Source, run_dir: Path, *, resume: bool = False) -> TrainResult:
    """Train the U-Net with the configuration of the default model.

    Args:
        source: Configuration and data.
        run_dir: Folder of the run; `best.safetensors` in it is what the report reads.
        resume: Continue the run in that folder.

    Returns:
        Where the files are and how each epoch went.
    """
    config = source.load(
        f"trainer.run_dir={run_dir}", f"trainer.resume={'true' if resume else 'false'}"
    )
    network = make_unet(config.data.classes.num_classes)
    return fit(config, network=network, write_model=write_unet)


def write_unet(model: SceneModel, path: Path) -> None:
    """Write weights in float32, with the band statistics as metadata.

    Args:
        model: The U-Net with its band statistics.
        path: File to write.
    """
    weights = {name: value.contiguous() for name, value in model.network.state_dict().items()}
    statistics = {"mean": model.mean, "std": model.std}
    metadata = {
        name: json.dumps([] if value is None else value.flatten().tolist())
        for name, value in statistics.items()
    }
    save_file(weights, path, metadata=metadata)


def read_unet(path: Path, config: TrainConfig) -> SceneModel:
    """Read what `write_unet` wrote.

    Args:
        path: File to read.
        config: Training configuration, for the classes.

    Returns:
        The model in evaluation mode.
    """
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    network = make_unet(config.data.classes.num_classes)
    network.load_state_dict(weights)
    mean, std = (json.loads(metadata[name]) for name in ("mean", "std"))
    model = SceneModel(
        network,
        classes=config.data.classes,
        in_channels=len(mean),
        mean=mean,
        std=std,
        input_multiple=_STRIDE,
        name="unet_mobilenet_v2",
    )
    return model.eval()
