"""The network in training: loss, optimiser, schedule and averaged weights."""

import time
from collections.abc import Sequence
from typing import Any, cast

import lightning
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from typing_extensions import override

from rsmamba.data.chips import Batch
from rsmamba.errors import OptionError
from rsmamba.models.scene_model import SceneModel
from rsmamba.train.config import TrainConfig
from rsmamba.train.objective import Objective
from rsmamba.train.parameters import freeze, learning_rate_factors, parameter_groups
from rsmamba.train.schedules import learning_rate_factor


class SegmentationModule(lightning.LightningModule):
    """A SceneModel with everything that training adds to it.

    Args:
        model: Model to train, in place.
        config: The run.
        class_counts: Training pixels of each class (K,), for class weights that are counted.

    Raises:
        OptionError: If a pattern of the optimiser section matches no parameter, or an option does
            not fit the network or its teacher.
    """

    def __init__(
        self, model: SceneModel, config: TrainConfig, *, class_counts: Sequence[int] | None = None
    ) -> None:
        super().__init__()
        self.model = model
        self.config = config
        self._still = freeze(model.network, config.optimiser.frozen)
        self._factors = learning_rate_factors(model.network, config.optimiser)
        decay = config.optimiser.ema_decay
        self.average = average_of(model, decay) if decay else None
        # Behind the copy, which must not be watched by the heads of the objective.
        self.objective = Objective(model, config, class_counts=class_counts)
        self.epoch_losses: list[Tensor] = []
        self.learning_rate = config.optimiser.learning_rate
        self._elapsed_before = 0.0
        self._started = time.monotonic()

    @property
    def averaged_model(self) -> SceneModel:
        """The model to validate and store: averaged weights, or the trained ones."""
        return self.model if self.average is None else cast(SceneModel, self.average.module)

    @property
    def elapsed_seconds(self) -> float:
        """Duration of the run so far, over all its sessions."""
        return self._elapsed_before + time.monotonic() - self._started

    @property
    def progress(self) -> float:
        """Share of the run that is done, by steps or by time, whichever is further."""
        done = self.global_step / self.config.total_steps
        if self.config.trainer.max_hours is not None:
            done = max(done, self.elapsed_seconds / (3600 * self.config.trainer.max_hours))
        return min(done, 1.0)

    @override
    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Make AdamW; the learning rate is set before each step."""
        options = self.config.optimiser
        groups = parameter_groups(self.model.network, options.weight_decay, self._factors)
        if any(True for _ in self.objective.parameters()):
            groups += parameter_groups(self.objective, options.weight_decay)
        return torch.optim.AdamW(
            groups,
            lr=options.learning_rate,
            betas=options.betas,
            # One pass over all weights; Lightning clips no gradients for it under autocast.
            fused=self.config.trainer.precision == "32",
        )

    @override
    def on_train_start(self) -> None:
        """Start the clock of this session."""
        self._started = time.monotonic()

    @override
    def on_train_epoch_start(self) -> None:
        """Forget the losses of the last epoch."""
        self.epoch_losses = []

    @override
    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Set the learning rate, and the random state of dropout as a function of the batch."""
        options = self.config.optimiser
        forwards = self.global_step * options.accumulate + batch_idx % options.accumulate
        # Each device drops other things, as it would if it had the whole batch.
        own = forwards * self.trainer.world_size + self.trainer.global_rank
        torch.manual_seed(self.config.trainer.seed * 1_000_003 + own)
        factor = learning_rate_factor(self.progress, self.config.schedule)
        self.learning_rate = options.learning_rate * factor
        for group in self.trainer.optimizers[0].param_groups:
            # Checkpoints of older versions have groups without a factor.
            group["lr"] = self.learning_rate * group.get("factor", 1.0)
        for module in self._still:
            module.eval()

    @override
    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Compute the loss of a batch of chips; an OptionError tells of too small a batch."""
        try:
            logits = self.model(batch["pixels"], batch["valid"])
            loss: Tensor = self.objective(logits, batch["pixels"], batch["valid"], batch["labels"])
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):
                raise
            msg = (
                f"a batch of {len(batch['labels'])} chips of {self.config.data.chip} px leaves a "
                "batch norm of the network with one value; give more chips a device by "
                "trainer.batch_size, or a larger data.chip"
            )
            raise OptionError(msg) from error
        self._note(loss.detach())
        return loss

    def _note(self, loss: Tensor) -> None:
        """Keep the loss of a batch, of which each device has a part."""
        if self.trainer.world_size > 1:
            loss = cast(Tensor, self.trainer.strategy.reduce(loss, reduce_op="mean"))
        self.epoch_losses.append(loss)

    @override
    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Move the average after a step, and end the run when its time is over."""
        if (batch_idx + 1) % self.config.optimiser.accumulate:
            return
        if self.average is not None:
            self.average.update_parameters(self.model)
        if self.progress >= 1:
            self.trainer.should_stop = True

    @override
    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Remember the duration and the losses of the running epoch."""
        checkpoint["rsmamba_elapsed_seconds"] = self.elapsed_seconds
        checkpoint["rsmamba_epoch_losses"] = self.losses_of_epoch()

    @override
    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Continue the clock, and the epoch if it was begun."""
        self._elapsed_before = float(checkpoint["rsmamba_elapsed_seconds"])
        losses = checkpoint.get("rsmamba_epoch_losses", torch.empty(0))
        self.epoch_losses = list(losses.unbind())

    def losses_of_epoch(self) -> Tensor:
        """Return the losses of the epoch's batches so far (batches,), on the CPU."""
        losses = [loss.cpu() for loss in self.epoch_losses]
        return torch.stack(losses) if losses else torch.empty(0)


def average_of(model: nn.Module, decay: float) -> AveragedModel:
    """Make a running average of weights and statistics that follows quickly at the start.

    Args:
        model: Model to follow.
        decay: Weight of the past once the run is under way, 0 to below 1.

    Returns:
        The average, equal to the model before the first update.
    """

    def follow(average: Tensor, current: Tensor, updates: Tensor | int) -> Tensor:
        if not average.is_floating_point():
            return current
        weight = min(decay, (1 + int(updates)) / (10 + int(updates)))
        return torch.lerp(current, average, weight)

    average = AveragedModel(model, avg_fn=follow, use_buffers=True)
    # DDP waits for the gradients of all that asks for one, and then averages none over the devices.
    average.requires_grad_(False)
    return average
