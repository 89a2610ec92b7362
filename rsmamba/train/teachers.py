"""Networks that a student learns from: a segmentation model, or an image classifier.

A teacher is no part of the student: it is not trained, averaged or stored. It sees the augmented
chip that the student sees, in evaluation mode and in float32, as in GroupMamba's training code.
"""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from rsmamba.errors import ModelFileError, OptionError, RsmambaError, require
from rsmamba.models.model_file import load_model
from rsmamba.models.scene_model import SceneModel
from rsmamba.train.recipe import DistillationConfig

# ImageNet's, for classifiers that do not say what they were trained with.
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_OWN_PREFIX = "rsmamba_"


class Teacher(ABC):
    """A network in evaluation mode.

    Args:
        network: The network; moved to the device of what it is asked.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network.eval().requires_grad_(False)
        self._device = torch.device("cpu")

    def __call__(self, pixels: Tensor, valid: Tensor) -> Tensor:
        """Answer for a batch of chips.

        Args:
            pixels: Pixel values as in the file (B, C, H, W).
            valid: True where a pixel may be used (B, H, W).

        Returns:
            Logits (B, K, H, W) of a segmentation model, (B, K) of a classifier; float32.
        """
        if pixels.device != self._device:
            self.network.to(pixels.device)
            self._device = pixels.device
        with torch.no_grad(), torch.autocast(pixels.device.type, enabled=False):
            return self._answer(pixels.float(), valid).float()

    @abstractmethod
    def _answer(self, pixels: Tensor, valid: Tensor) -> Tensor:
        """Logits of a batch."""


class SegmentationTeacher(Teacher):
    """A trained segmentation model of the student's bands and classes.

    Args:
        model: The teacher.
        student: The student.

    Raises:
        OptionError: If the two differ in classes, bands or data type of the pixels.
    """

    def __init__(self, model: SceneModel, student: SceneModel) -> None:
        for what, theirs, ours in (
            ("classes", model.classes.names, student.classes.names),
            ("bands", model.in_channels, student.in_channels),
            ("band names", model.band_names, student.band_names),
            ("pixels of type", model.input_dtype, student.input_dtype),
        ):
            if theirs and ours and theirs != ours:
                msg = (
                    f"the teacher of distillation.model has {what} {theirs} and the student "
                    f"{ours}; give a model of the same"
                )
                raise OptionError(msg)
        super().__init__(model)

    @override
    def _answer(self, pixels: Tensor, valid: Tensor) -> Tensor:
        logits: Tensor = self.network(pixels, valid)
        return logits


class ImageTeacher(Teacher):
    """A timm classifier.

    8-bit images of three bands are normalised as the classifier's own training images were; others
    by the statistics of the student's bands, which brings them to the same range.

    Args:
        network: The classifier.
        student: The student, for its band statistics.
    """

    def __init__(self, network: nn.Module, student: SceneModel) -> None:
        super().__init__(network)
        facts: dict[str, Any] = getattr(network, "pretrained_cfg", None) or {}
        self._side: tuple[int, int] | None = None
        if facts.get("fixed_input_size"):
            self._side = tuple(facts["input_size"][-2:])
        if student.input_dtype == "uint8" and student.in_channels == 3:
            mean, std = facts.get("mean") or _MEAN, facts.get("std") or _STD
            self._mean = torch.tensor(mean).view(1, -1, 1, 1) * 255
            self._std = torch.tensor(std).view(1, -1, 1, 1) * 255
        elif student.mean is not None and student.std is not None:
            self._mean, self._std = student.mean.cpu(), student.std.cpu()
        else:
            self._mean, self._std = torch.zeros(1), torch.ones(1)
        side = tuple(facts.get("input_size", (3, 128, 128))[-2:])
        with torch.no_grad():
            self.num_classes = network(torch.zeros(1, student.in_channels, *side)).shape[1]

    @override
    def _answer(self, pixels: Tensor, valid: Tensor) -> Tensor:
        pixels = (pixels - self._mean.to(pixels.device)) / self._std.to(pixels.device)
        pixels = pixels.masked_fill(~valid[:, None], 0.0)
        if self._side is not None:
            pixels = functional.interpolate(
                pixels, self._side, mode="bilinear", align_corners=False, antialias=True
            )
        logits: Tensor = self.network(pixels)
        return logits


def make_teacher(
    config: DistillationConfig, student: SceneModel
) -> SegmentationTeacher | ImageTeacher | None:
    """Read the teacher that a configuration names.

    Args:
        config: Section distillation.
        student: The student.

    Returns:
        The teacher; None where the section names none.

    Raises:
        OptionError: If the teacher does not fit the student, or timm has no such classifier.
        ModelFileError: If the teacher cannot be read.
        MissingPackageError: If timm is needed and not installed.
    """
    if config.model is not None:
        return SegmentationTeacher(load_model(_found(config.model), "cpu"), student)
    if config.classifier is not None:
        classifier = _make_classifier(config, in_channels=student.in_channels)
        return ImageTeacher(classifier, student)
    return None


def _found(model: str) -> str:
    """The name of a bundled model as it is, a file with its home folder."""
    return str(Path(model).expanduser()) if model.startswith("~") else model


def _make_classifier(config: DistillationConfig, *, in_channels: int) -> nn.Module:
    """Make a classifier of timm with its trained weights."""
    timm = require("timm", extra="distillation")
    require("rsmamba.models.timm", extra="distillation")  # registers our own classifiers there
    name = str(config.classifier)
    if not timm.is_model(name):
        msg = (
            f"distillation.classifier is {name!r}, which timm does not know; give a name that "
            "timm.list_models() has"
        )
        raise OptionError(msg)
    options: dict[str, Any] = {"in_chans": in_channels}
    weights = config.classifier_weights
    if name.startswith(_OWN_PREFIX):
        if weights is None:
            msg = (
                f"distillation.classifier {name} has no weights to download; give the file of its "
                "official weights as distillation.classifier_weights"
            )
            raise OptionError(msg)
        options["weights"] = weights
    else:
        options["pretrained"] = True
        if weights is not None:
            options["pretrained_cfg_overlay"] = {"file": str(Path(weights).expanduser())}
    try:
        classifier: nn.Module = timm.create_model(name, **options)
    except RsmambaError:
        raise
    except Exception as error:  # downloading and unpacking raise errors of many kinds
        reason = " ".join(str(error).split())[:120]
        msg = (
            f"the weights of the teacher {name} cannot be read ({type(error).__name__}: {reason}); "
            "give a file that timm reads as distillation.classifier_weights"
        )
        raise ModelFileError(msg) from error
    return classifier
