"""What a batch costs: the loss of the labels, of an auxiliary head, and of a teacher's answers."""

from collections.abc import Sequence

from torch import Tensor, nn
from typing_extensions import override

from rsmamba.models.scene_model import SceneModel
from rsmamba.train.config import TrainConfig
from rsmamba.train.distillation import distillation_loss
from rsmamba.train.heads import AuxiliaryHead, EncoderTap, ImageHead
from rsmamba.train.losses import SegmentationLoss
from rsmamba.train.teachers import ImageTeacher, make_teacher


class Objective(nn.Module):
    """Loss of the network's answers for a batch, with heads that only training has.

    Args:
        model: The student; it is watched, and is not a part of this module.
        config: The run.
        class_counts: Training pixels of each class (K,), for class weights that are counted.

    Raises:
        OptionError: If an option does not fit the network or the teacher.
        ModelFileError: If the teacher cannot be read.
        MissingPackageError: If a package that the teacher needs is not installed.
    """

    def __init__(
        self, model: SceneModel, config: TrainConfig, *, class_counts: Sequence[int] | None = None
    ) -> None:
        super().__init__()
        self.config = config
        self.ignore_index = config.data.classes.ignore_index
        self.label_loss = SegmentationLoss(
            config.loss, ignore_index=self.ignore_index, class_counts=class_counts
        )
        self.auxiliary_head: AuxiliaryHead | None = None
        if config.loss.auxiliary:
            tap = EncoderTap(model.network, option="loss.auxiliary")
            self.auxiliary_head = AuxiliaryHead(tap, num_classes=model.num_classes)
        self.teacher = make_teacher(config.distillation, model)
        self.image_head: ImageHead | None = None
        if isinstance(self.teacher, ImageTeacher):
            tap = EncoderTap(model.network, option="distillation.classifier")
            self.image_head = ImageHead(tap, num_classes=self.teacher.num_classes)

    @override
    def forward(self, logits: Tensor, pixels: Tensor, valid: Tensor, labels: Tensor) -> Tensor:
        """Compute the loss of a batch that the network has just seen.

        Args:
            logits: The network's answers (B, K, H, W).
            pixels: Pixel values (B, C, H, W).
            valid: True where a pixel may be used (B, H, W).
            labels: Class indices or ignore index (B, H, W).

        Returns:
            Scalar.
        """
        loss: Tensor = self.label_loss(logits, labels)
        if self.auxiliary_head is not None:
            early = self.auxiliary_head(*labels.shape[-2:])
            loss = loss + self.config.loss.auxiliary * self.label_loss(early, labels)
        if self.teacher is None:
            return loss
        weight = self.config.distillation.weight
        taught = self._distillation(logits, pixels, valid, labels)
        return (1 - weight) * loss + weight * taught

    def _distillation(
        self, logits: Tensor, pixels: Tensor, valid: Tensor, labels: Tensor
    ) -> Tensor:
        """Loss of the teacher's answers."""
        options = self.config.distillation
        if self.teacher is None:
            return logits.sum() * 0
        answers = self.teacher(pixels, valid)
        counted = None
        if self.image_head is not None:
            logits = self.image_head()
        else:
            counted = valid if options.unlabelled else labels != self.ignore_index
        return distillation_loss(
            logits, answers, kind=options.kind, temperature=options.temperature, counted=counted
        )
