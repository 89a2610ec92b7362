"""What is minimised and how: the sections loss, distillation, optimiser and schedule."""

import math
from dataclasses import dataclass, field
from typing import Literal, get_args

from rsmamba.errors import OptionError

CountedWeights = Literal["balanced", "sqrt_balanced"]
DistillationKind = Literal["hard", "soft"]
LossForm = Literal["counted", "geoseg"]
ScheduleKind = Literal["cosine", "poly", "cosine_restarts"]

_LOSSES = ("cross_entropy", "dice", "focal", "lovasz")


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimiserConfig:
    """AdamW and what surrounds it.

    Patterns are names of parameters of the network with the wildcards *, ? and [...]; a pattern
    also stands for everything below it, so that "encoder" is all of the encoder.

    Attributes:
        learning_rate: Highest learning rate.
        weight_decay: Decay of matrices and kernels; vectors, biases, position embeddings and state
            matrices are not decayed.
        betas: Decay of AdamW's two moments.
        gradient_clip: Largest norm of the gradient; 0 turns clipping off.
        ema_decay: Decay of the running average of the weights, which is what is validated and
            stored; 0 turns averaging off.
        accumulate: Batches whose gradients are averaged into one step; chips that do not fill a
            last step of an epoch are left out.
        factors: Pattern to factor of the learning rate, 0 or more; the first that matches counts.
        layer_decay: Factor of the learning rate from each block of the encoder to the one before
            it, above 0 to 1; multiplies `factors`.
        frozen: Patterns of parameters that are not trained; norms and dropout below them behave as
            in use.
    """

    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    betas: tuple[float, float] = (0.9, 0.999)
    gradient_clip: float = 1.0
    ema_decay: float = 0.99
    accumulate: int = 1
    factors: dict[str, float] = field(default_factory=dict)
    layer_decay: float = 1.0
    frozen: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            OptionError: If a number is outside its range.
        """
        positive = 0 < self.learning_rate < math.inf
        if not (positive and 0 <= self.weight_decay < math.inf and self.gradient_clip >= 0):
            msg = (
                f"learning_rate is {self.learning_rate}, weight_decay {self.weight_decay}, "
                f"gradient_clip {self.gradient_clip}; the first must be above 0, the others 0 or "
                "more"
            )
            raise OptionError(msg)
        if not all(0 <= beta < 1 for beta in self.betas):
            msg = f"betas are {self.betas}; give two numbers of 0 or more, below 1"
            raise OptionError(msg)
        if not 0 <= self.ema_decay < 1:
            msg = f"ema_decay is {self.ema_decay}; give 0 (off) or more, below 1"
            raise OptionError(msg)
        if self.accumulate < 1:
            msg = f"accumulate is {self.accumulate}; give 1 (off) or more"
            raise OptionError(msg)
        if not 0 < self.layer_decay <= 1:
            msg = f"layer_decay is {self.layer_decay}; give above 0, up to 1 (off)"
            raise OptionError(msg)
        for pattern, factor in self.factors.items():
            if not 0 <= factor < math.inf:
                msg = f"factors has {factor} for {pattern!r}; give 0 or more"
                raise OptionError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleConfig:
    """Linear warm-up, then a way down to a floor.

    Attributes:
        kind: "cosine" goes down once, "poly" by a power of what is left of the run,
            "cosine_restarts" jumps back to the top after each of several cosines (SGDR, arXiv
            1608.03983).
        warmup: Share of the run in which the learning rate rises, 0 to below 1.
        floor: Last learning rate as a share of the highest, 0 to 1.
        power: Power of kind poly, above 0; 1 is a straight line.
        periods: Cosines of kind cosine_restarts, which fill the run together.
        multiplier: Length of each period relative to the one before, for kind cosine_restarts.
    """

    kind: ScheduleKind = "cosine"
    warmup: float = 0.05
    floor: float = 0.01
    power: float = 0.9
    periods: int = 3
    multiplier: float = 2.0

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            OptionError: If a number is outside its range.
        """
        if not 0 <= self.warmup < 1 or not 0 <= self.floor <= 1:
            msg = f"warmup is {self.warmup} and floor {self.floor}; give shares from 0 to 1"
            raise OptionError(msg)
        if not 0 < self.power < math.inf:
            msg = f"power is {self.power}; give more than 0"
            raise OptionError(msg)
        if self.periods < 1 or not 0 < self.multiplier < math.inf:
            msg = (
                f"periods is {self.periods} and multiplier {self.multiplier}; give 1 or more, and "
                "more than 0"
            )
            raise OptionError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class LossConfig:
    """Weighted sum of losses over the labelled pixels of a batch.

    Attributes:
        cross_entropy: Weight of the cross entropy.
        dice: Weight of the Dice loss.
        focal: Weight of the focal loss (arXiv 1708.02002, over softmax probabilities).
        lovasz: Weight of the Lovasz-softmax loss (arXiv 1705.08790).
        label_smoothing: Share of the target spread over all classes, 0 to below 1; of the cross
            entropy alone.
        class_weights: Weight of each class in the cross entropy and the focal loss; "balanced"
            counts the training labels and weighs a class by one over its share, "sqrt_balanced" by
            one over the root of its share; None weighs all alike.
        dice_smoothing: Number added to both sides of the Dice quotient, above 0.
        focal_gamma: Exponent of the focal loss; 0 makes it the cross entropy.
        auxiliary: Weight of the same sum at an auxiliary head on the last map but one of the
            encoder, which is trained along and not stored; 0 makes no such head, 0.4 is usual.
        form: What cross entropy and Dice are divided by: "counted" is the labelled pixels and the
            classes that the batch's labels hold; "geoseg" is all pixels and all classes, as in
            GeoSeg's loss.
    """

    cross_entropy: float = 1.0
    dice: float = 1.0
    focal: float = 0.0
    lovasz: float = 0.0
    label_smoothing: float = 0.05
    class_weights: tuple[float, ...] | str | None = None
    dice_smoothing: float = 0.05
    focal_gamma: float = 2.0
    auxiliary: float = 0.0
    form: LossForm = "counted"

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            OptionError: If no loss is left, or a number is outside its range.
        """
        weights = [getattr(self, name) for name in _LOSSES]
        if not (all(0 <= weight < math.inf for weight in weights) and sum(weights) > 0):
            given = ", ".join(f"{name} {getattr(self, name)}" for name in _LOSSES)
            msg = f"the weights are {given}; give numbers of 0 or more, not all of them 0"
            raise OptionError(msg)
        if not 0 <= self.label_smoothing < 1:
            msg = f"label_smoothing is {self.label_smoothing}; give a share from 0 to below 1"
            raise OptionError(msg)
        if not 0 < self.dice_smoothing < math.inf:
            msg = f"dice_smoothing is {self.dice_smoothing}; give more than 0"
            raise OptionError(msg)
        for name in ("focal_gamma", "auxiliary"):
            if not 0 <= getattr(self, name) < math.inf:
                msg = f"{name} is {getattr(self, name)}; give 0 or more"
                raise OptionError(msg)
        self._check_class_weights()

    def _check_class_weights(self) -> None:
        """Refuse unknown words and weights that weigh nothing."""
        weights = self.class_weights
        if weights is None or weights in get_args(CountedWeights):
            return
        if isinstance(weights, str):
            msg = (
                f"class_weights is {weights!r}; give one number a class, or "
                f"{' or '.join(get_args(CountedWeights))}"
            )
            raise OptionError(msg)
        if not (all(0 <= w < math.inf for w in weights) and max(weights, default=0) > 0):
            msg = f"class_weights are {weights}; give one of 0 or more a class, not all of them 0"
            raise OptionError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillationConfig:
    """A teacher whose answers are learnt beside the labels; none by default.

    Attributes:
        model: Model file of rsmamba whose answers for each pixel are learnt, or the name of a
            bundled model; of the same bands and classes.
        classifier: Name of a timm classifier whose class of the whole chip is learnt at a head on
            the encoder that is not stored.
        classifier_weights: File of the classifier's weights; None lets timm download them.
        kind: "hard" learns the teacher's first class, "soft" its probabilities.
        weight: Share of the teacher in the loss, above 0 to 1; the labels have the rest.
        temperature: Divisor of both logits for kind soft, above 0.
        unlabelled: Learn the answers of `model` in all valid pixels, and not in labelled ones
            alone.
    """

    model: str | None = None
    classifier: str | None = None
    classifier_weights: str | None = None
    kind: DistillationKind = "hard"
    weight: float = 0.5
    temperature: float = 1.0
    unlabelled: bool = False

    def __post_init__(self) -> None:
        """Check ranges, and that there is one teacher at most.

        Raises:
            OptionError: If there are two teachers, an option is of the other, or a number is
                outside its range.
        """
        if self.model is not None and self.classifier is not None:
            msg = (
                f"model is {self.model!r} and classifier {self.classifier!r}; give one teacher, or "
                "none"
            )
            raise OptionError(msg)
        if self.classifier is None and self.classifier_weights is not None:
            msg = f"classifier_weights is {self.classifier_weights!r}; give classifier as well"
            raise OptionError(msg)
        if self.model is None and self.unlabelled:
            msg = "unlabelled is true, which needs a teacher that knows pixels; give model as well"
            raise OptionError(msg)
        if not 0 < self.weight <= 1 or not 0 < self.temperature < math.inf:
            msg = (
                f"weight is {self.weight} and temperature {self.temperature}; give a share above "
                "0, up to 1, and more than 0"
            )
            raise OptionError(msg)
