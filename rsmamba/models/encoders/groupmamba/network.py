"""GroupMamba as an encoder and as the classifier that the released weights are.

Source: "GroupMamba: Efficient Group-Based Visual State Space Model" (arXiv 2407.13772) and its
released code (Amshaker/GroupMamba, c1800ed). The code has no dense form; ours gives out each
stage's normalised map, as the classifier passes it on.
"""

from typing import cast

import torch
from torch import nn
from typing_extensions import override

from rsmamba.models.encoders.base import Encoder
from rsmamba.models.encoders.groupmamba.block import ClassBlock
from rsmamba.models.encoders.groupmamba.config import Config
from rsmamba.models.encoders.groupmamba.stage import Stage, initialise, make_stages
from rsmamba.models.pruning.feeding import assign_pruning


class GroupMambaEncoder(Encoder):
    """The stages of GroupMamba.

    Args:
        config: Size of the network.
        in_channels: Bands of the image.
    """

    def __init__(self, config: Config, *, in_channels: int) -> None:
        super().__init__()
        self.out_channels = config.embed_dims
        self.strides = tuple(4 * 2**stage for stage in range(len(config.embed_dims)))
        self.stages = make_stages(config, in_channels=in_channels)
        self.apply(initialise)
        assign_pruning(self, config.pruning)

    @override
    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        maps = []
        features = image
        for stage in self.stages:
            features = stage(features)
            maps.append(features)
        return maps


class GroupMambaClassifier(nn.Module):
    """The stages, a block on the mean token, and one or two heads.

    Args:
        config: Size of the network, and whether there is a second head.
        in_channels: Bands of the image.
        num_classes: Channels of the logits.
    """

    def __init__(self, config: Config, *, in_channels: int, num_classes: int) -> None:
        super().__init__()
        dim = config.embed_dims[-1]
        self.stages = make_stages(config, in_channels=in_channels)
        self.class_block = ClassBlock(dim, hidden=config.hidden_dims[-1], norm_eps=config.norm_eps)
        self.head = nn.Linear(dim, num_classes)
        self.dist_head = nn.Linear(dim, num_classes) if config.distillation else None
        self.apply(initialise)
        assign_pruning(self, config.pruning)

    @override
    def forward(self, image: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        """Score the classes.

        Args:
            image: Normalised image (B, C, H, W), any H and W.

        Returns:
            Logits (B, num_classes). With two heads, the pair of their logits (head, dist_head)
            while training, and the mean of the two otherwise.
        """
        features = self.pool(image)
        logits: torch.Tensor = self.head(features)
        if self.dist_head is None:
            return logits
        distilled: torch.Tensor = self.dist_head(features)
        return (logits, distilled) if self.training else (logits + distilled) / 2

    def pool(self, image: torch.Tensor) -> torch.Tensor:
        """Compute what the heads see.

        Args:
            image: Normalised image (B, C, H, W).

        Returns:
            One vector for each image, (B, dim).
        """
        features = image
        for stage in self.stages[:-1]:
            features = stage(features)
        last = cast("Stage", self.stages[-1])
        token = last.mix(features).mean(dim=(1, 2), keepdim=True)  # (B, 1, 1, C)
        # The norm of the last stage sees the class token only, never the map.
        return last.norm(self.class_block(token)).flatten(1)


def make_encoder(config: Config, *, in_channels: int) -> GroupMambaEncoder:
    """Build the dense form.

    Args:
        config: Size of the network.
        in_channels: Bands of the image.

    Returns:
        The encoder.
    """
    return GroupMambaEncoder(config, in_channels=in_channels)


def make_classifier(config: Config, *, in_channels: int, num_classes: int) -> GroupMambaClassifier:
    """Build the classifier.

    Args:
        config: Size of the network.
        in_channels: Bands of the image.
        num_classes: Channels of the logits.

    Returns:
        The classifier.
    """
    return GroupMambaClassifier(config, in_channels=in_channels, num_classes=num_classes)
