"""The distillation objective of GroupMamba, for images and for pixels.

Source: "GroupMamba" (Shaker et al. 2024, arXiv 2407.13772, section 3.4) and its training code,
which is that of DeiT: (1 - weight) * loss of the labels + weight * loss of the teacher's answers.
The code gives a classifier a second head for the second loss; the paper writes both losses on one
head. A segmentation student learns a segmentation teacher's answers on its own logits, as in the
paper, so that its model file is that of any other; a classifier's on a second head, as in the code.
"""

import torch
from torch import Tensor
from torch.nn import functional

from rsmamba.train.recipe import DistillationKind


def distillation_loss(
    logits: Tensor,
    answers: Tensor,
    *,
    kind: DistillationKind = "hard",
    temperature: float = 1.0,
    counted: Tensor | None = None,
) -> Tensor:
    """Compute how far a student's logits are from a teacher's.

    Args:
        logits: Logits of the student, (B, K) or (B, K, H, W).
        answers: Logits of the teacher, of the same shape.
        kind: "hard" is the cross entropy with the teacher's first class; "soft" the
            Kullback-Leibler divergence at a temperature, times its square, divided by the number
            of logits, as in the official code.
        temperature: Divisor of both logits for kind soft, above 0.
        counted: True where a pixel counts (B, H, W); None counts all.

    Returns:
        Scalar; 0 where nothing counts.
    """
    student, teacher = logits.float().movedim(1, -1), answers.float().movedim(1, -1)
    if counted is None:
        student, teacher = student.flatten(0, -2), teacher.flatten(0, -2)  # (N, K)
    else:
        student, teacher = student[counted], teacher[counted]
    if not len(student):
        return logits.float().sum() * 0
    if kind == "hard":
        return functional.cross_entropy(student, teacher.argmax(dim=1))
    divergence = functional.kl_div(
        torch.log_softmax(student / temperature, dim=1),
        torch.log_softmax(teacher / temperature, dim=1),
        reduction="sum",
        log_target=True,
    )
    return divergence * temperature**2 / student.numel()
