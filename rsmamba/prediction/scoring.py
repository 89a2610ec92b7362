"""From tiles to class scores: the one place where the network runs.

Scores are softmax probabilities less that of the pixel's best class: 0 for the best class, negative
for the others. Nearly equal probabilities of about a half are the same float32 number, which would
change the class of a few pixels in a million; their differences keep all digits. Blended scores are
blended probabilities less one amount for all classes of a pixel, which is found again because
probabilities sum to one.

Axes: B tiles, C bands, K classes, h rows, w columns.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import torch

from rsmamba.errors import DeviceError, NetworkError
from rsmamba.models.scene_model import SceneModel
from rsmamba.ops.matmul import fastest_matmul, has_bfloat16_arithmetic
from rsmamba.prediction.augment import averaged_scores
from rsmamba.prediction.config import TestTimeAugmentation
from rsmamba.prediction.pruning import TilePruner

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]

_LOGGER = logging.getLogger(__name__)


class TileScorer:
    """Runs a model on tiles and returns scores relative to the best class.

    On the CPU tiles are computed one by one: a batch gains nothing there, and the kernels may round
    differently for another batch size. So the scores are the same bits for any batch size.

    Args:
        model: The model, on its device, in evaluation mode.
        tta: Test-time augmentation.
        amp: Compute in bfloat16 where PyTorch holds it safe.
        by_content: Give each tile the keep ratio of its content; tiles are then computed one by one
            on every device.
    """

    def __init__(
        self,
        model: SceneModel,
        *,
        tta: TestTimeAugmentation = "none",
        amp: bool = False,
        by_content: bool = False,
    ) -> None:
        self.device = device_of(model)
        self._model = model
        self._tta = tta
        self._amp = amp
        self._pruner = TilePruner.of(model) if by_content else None
        if amp and self.device.type == "cpu" and not has_bfloat16_arithmetic():
            _LOGGER.warning(
                "this CPU has no bfloat16 arithmetic, so that --amp takes longer instead of less"
            )

    def score(self, pixels: FloatArray, valid: BoolArray) -> FloatArray:
        """Return the scores of some tiles.

        Args:
            pixels: Pixel values (B, C, h, w).
            valid: True where a pixel may be used (B, h, w).

        Returns:
            Scores (B, K, h, w), 0 for the best class and -1 to 0 for others; the array is the
            caller's own.

        Raises:
            NetworkError: If the network returns NaN, or infinity that has no softmax.
            DeviceError: If the device runs out of memory.
        """
        step = 1 if self.device.type == "cpu" or self._pruner is not None else len(pixels)
        parts = [
            self._score_at_once(pixels[start : start + step], valid[start : start + step])
            for start in range(0, len(pixels), step)
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _score_at_once(self, pixels: FloatArray, valid: BoolArray) -> FloatArray:
        if self._pruner is not None:
            self._pruner.adapt(pixels[0], valid[0])
        on_device = torch.from_numpy(pixels).to(self.device)
        mask = None if valid.all() else torch.from_numpy(valid).to(self.device)
        try:
            with torch.inference_mode(), fastest_matmul(self.device), self._precision():
                scores = averaged_scores(self._relative, on_device, mask, tta=self._tta)
                result: FloatArray = scores.contiguous().cpu().numpy()
        except torch.OutOfMemoryError as error:
            message = (
                f"{self.device} has no memory left for {len(pixels)} tiles of "
                f"{pixels.shape[-1]} x {pixels.shape[-2]} px; give a smaller batch size or tile"
            )
            raise DeviceError(message) from error
        except NetworkError as error:
            message = f"{error} for {_described(pixels)}"
            raise NetworkError(message) from error
        return result

    def _relative(self, pixels: torch.Tensor, valid: torch.Tensor | None) -> torch.Tensor:
        logits: torch.Tensor = self._model(pixels, valid)
        return relative_scores(logits.float())

    def _precision(self) -> torch.autocast:
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self._amp)


def relative_scores(logits: torch.Tensor) -> torch.Tensor:
    """Return softmax probabilities less that of the best class.

    Args:
        logits: Logits (B, K, h, w), float32.

    Returns:
        Differences (B, K, h, w). Where two classes are so close that their probabilities are equal
        as float32, the difference of their logits decides.

    Raises:
        NetworkError: If a pixel has NaN, or infinity that has no softmax.

    Example:
        >>> relative_scores(torch.tensor([0.0, 2e-8, -torch.inf]).view(1, 3, 1, 1)).flatten()
        tensor([-1.0000e-08,  0.0000e+00, -5.0000e-01])
    """
    scores = torch.softmax(logits, dim=1)
    best = scores.amax(dim=1, keepdim=True)
    if not best.sum().isfinite():
        message = "the network returned NaN or infinity"
        raise NetworkError(message)
    scores -= best
    # Subtracting the logits first keeps all digits and takes twice as long; ties are rare.
    return _from_gaps(logits) if _num_zeros(scores) > best.numel() else scores


def _from_gaps(logits: torch.Tensor) -> torch.Tensor:
    gaps = logits - logits.amax(dim=1, keepdim=True)
    total = gaps.exp().sum(dim=1, keepdim=True)
    return gaps.expm1_().div_(total)


def _num_zeros(scores: torch.Tensor) -> int:
    # NumPy counts ten times as fast as torch does on a CPU.
    is_zero = scores.numpy() == 0 if scores.device.type == "cpu" else scores == 0
    if isinstance(is_zero, torch.Tensor):
        return int(torch.count_nonzero(is_zero))
    return int(np.count_nonzero(is_zero))


def device_of(model: torch.nn.Module) -> torch.device:
    """Return where a model computes.

    Args:
        model: A module; one without parameters and buffers computes on the CPU.

    Returns:
        The device of its first parameter or buffer.
    """
    for tensor in (*model.parameters(), *model.buffers()):
        return tensor.device
    return torch.device("cpu")


@contextmanager
def ready_to_predict(model: SceneModel, device: torch.device | str) -> Iterator[SceneModel]:
    """Lend a model to a prediction: on the device, in evaluation mode; given back as it was.

    Args:
        model: The model.
        device: Where to compute.

    Yields:
        The same model.
    """
    was_on = device_of(model)
    was_training = {module: module.training for module in model.modules()}
    try:
        yield model.eval().to(device)
    finally:
        model.to(was_on)
        for module, training in was_training.items():
            module.training = training


def _described(pixels: FloatArray) -> str:
    values = pixels[np.isfinite(pixels)]
    seen = f"{values.min():.6g} to {values.max():.6g}" if values.size else "no finite value"
    return (
        f"pixel values of {seen}; check that the scene has the value range that the model was "
        "trained on"
    )
