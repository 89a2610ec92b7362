"""The distillation objective against loops, and teachers against what they say."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rsmamba.errors import ModelFileError, OptionError
from rsmamba.models.model_file import save_model
from rsmamba.models.registry import create_model, describe_architecture
from rsmamba.models.scene_model import SceneModel
from rsmamba.train import DistillationConfig
from rsmamba.train.distillation import distillation_loss
from rsmamba.train.teachers import ImageTeacher, SegmentationTeacher, make_teacher

timm = pytest.importorskip("timm")

MEAN, STD = [100.0, 110.0, 120.0], [30.0, 40.0, 50.0]
TINY: dict[str, Any] = {
    "block": "vss", "fusion": "add", "dim": 8, "d_state": 1,
    "encoder_depths": [1] * 4, "decoder_depths": [1] * 4,
}  # fmt: skip


def logits(*shape: int, seed: int = 0) -> Tensor:
    return 3 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def softmax(values: np.ndarray) -> np.ndarray:
    exponentials = np.exp(values - values.max())
    return np.asarray(exponentials / exponentials.sum())


def a_student(*, classes: tuple[str, ...] = ("a", "b"), **facts: Any) -> SceneModel:  # noqa: ANN401
    network = create_model("cvmh_unet", num_classes=len(classes), **TINY)
    architecture = describe_architecture("cvmh_unet", **TINY)
    facts = {"mean": MEAN, "std": STD, "input_dtype": "uint8", "in_channels": 3, **facts}
    return SceneModel(network, classes=classes, architecture=architecture, **facts)


def test_hard_is_the_cross_entropy_with_the_teachers_class() -> None:
    student, teacher = logits(5, 4), logits(5, 4, seed=1)
    expected = np.mean(
        [
            -np.log(softmax(s)[t.argmax()])
            for s, t in zip(student.numpy(), teacher.numpy(), strict=True)
        ]
    )
    assert float(distillation_loss(student, teacher)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_soft_is_the_divergence_over_the_number_of_logits(temperature: float) -> None:
    student, teacher = logits(5, 4), logits(5, 4, seed=1)
    total = 0.0
    for own, answer in zip(student.numpy(), teacher.numpy(), strict=True):
        p, q = softmax(answer / temperature), softmax(own / temperature)
        total += float((p * (np.log(p) - np.log(q))).sum())
    loss = distillation_loss(student, teacher, kind="soft", temperature=temperature)
    assert float(loss) == pytest.approx(total * temperature**2 / student.numel(), rel=1e-5)


@pytest.mark.parametrize("kind", ["hard", "soft"])
def test_pixels_are_a_batch_of_images(kind: Literal["hard", "soft"]) -> None:
    student, teacher = logits(2, 4, 3, 5), logits(2, 4, 3, 5, seed=1)
    flat = [values.movedim(1, -1).reshape(-1, 4) for values in (student, teacher)]
    expected = distillation_loss(*flat, kind=kind)
    assert torch.allclose(distillation_loss(student, teacher, kind=kind), expected)


@pytest.mark.parametrize("kind", ["hard", "soft"])
def test_pixels_that_do_not_count_have_no_influence(kind: Literal["hard", "soft"]) -> None:
    student, teacher = logits(2, 4, 3, 5).requires_grad_(), logits(2, 4, 3, 5, seed=1)
    counted = torch.zeros(2, 3, 5, dtype=torch.bool)
    counted[:, 1] = True
    loss = distillation_loss(student, teacher, kind=kind, counted=counted)
    expected = distillation_loss(student[:, :, 1], teacher[:, :, 1], kind=kind)
    assert torch.allclose(loss, expected)
    (gradient,) = torch.autograd.grad(loss, student)
    assert (gradient[:, :, 0] == 0).all()
    nothing = distillation_loss(student, teacher, kind=kind, counted=counted & False)
    assert float(nothing.detach()) == 0
    assert (torch.autograd.grad(nothing, student)[0] == 0).all()


def test_a_student_that_agrees_costs_nothing_softly() -> None:
    same = logits(2, 4, 3, 5)
    assert float(distillation_loss(same, same + 7, kind="soft")) == pytest.approx(0, abs=1e-6)


def test_a_segmentation_teacher_answers_as_its_model_does(tmp_path: Path) -> None:
    model = a_student().eval()
    save_model(model, tmp_path / "teacher.safetensors")
    config = DistillationConfig(model=str(tmp_path / "teacher.safetensors"))
    teacher = make_teacher(config, a_student())
    assert isinstance(teacher, SegmentationTeacher)
    pixels = torch.rand(2, 3, 40, 33) * 255
    valid = torch.rand(2, 40, 33) > 0.2
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        answers = teacher(pixels, valid)
    with torch.no_grad():
        assert torch.equal(answers, model(pixels, valid))
    assert not any(parameter.requires_grad for parameter in teacher.network.parameters())


@pytest.mark.parametrize(
    ("student", "match"),
    [
        ({"classes": ("b", "a")}, r"has classes .'a', 'b'. and the student .'b', 'a'.; give a mod"),
        ({"input_dtype": "uint16"}, "has pixels of type uint8 and the student uint16"),
        ({"band_names": ["nir", "red", "green"]}, "has band names .*'blue'.* student .*'nir'"),
    ],
)
def test_a_teacher_of_something_else_is_refused(student: dict[str, Any], match: str) -> None:
    teacher = a_student(band_names=["red", "green", "blue"])
    with pytest.raises(OptionError, match=match):
        SegmentationTeacher(teacher, a_student(**student))


def test_a_teacher_of_other_bands_is_refused() -> None:
    network = nn.Conv2d(1, 2, 1)
    other = SceneModel(network, classes=["a", "b"], in_channels=1)
    with pytest.raises(OptionError, match="has bands 1 and the student 3; give a model of the"):
        SegmentationTeacher(other, a_student())


@pytest.fixture(scope="module")
def classifier_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of timm's smallest network, as timm stores them."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("timm") / "classifier.pth"
    torch.save(timm.create_model("test_resnet").state_dict(), path)
    return path


@pytest.mark.parametrize("bands", [3, 4])
def test_a_classifier_sees_pixels_as_in_its_own_training(classifier_file: Path, bands: int) -> None:
    statistics: dict[str, Any] = {
        "mean": [100.0] * bands,
        "std": [20.0] * bands,
        "in_channels": bands,
    }
    student = SceneModel(
        nn.Conv2d(bands, 2, 1), classes=["a", "b"], input_dtype="uint8", **statistics
    )
    config = DistillationConfig(classifier="test_resnet", classifier_weights=str(classifier_file))
    teacher = make_teacher(config, student)
    assert isinstance(teacher, ImageTeacher)
    assert teacher.num_classes == 1000
    pixels = torch.rand(2, bands, 64, 64) * 255
    valid = torch.ones(2, 64, 64, dtype=torch.bool)
    # Three bands of bytes as ImageNet's, (x / 255 - 0.5) / 0.5; others by the band statistics.
    seen = (pixels / 255 - 0.5) / 0.5 if bands == 3 else (pixels - 100) / 20
    with torch.no_grad():
        assert torch.allclose(teacher(pixels, valid), teacher.network(seen), atol=1e-4)
    if bands == 3:
        stored = torch.load(classifier_file, weights_only=True)
        assert torch.equal(stored["fc.weight"], teacher.network.state_dict()["fc.weight"])


def test_a_classifier_of_fixed_size_sees_the_whole_chip(tmp_path: Path) -> None:
    torch.manual_seed(0)
    torch.save(timm.create_model("test_vit").state_dict(), tmp_path / "vit.pth")
    config = DistillationConfig(classifier="test_vit", classifier_weights=str(tmp_path / "vit.pth"))
    teacher = make_teacher(config, a_student())
    assert teacher is not None
    answers = teacher(torch.rand(1, 3, 48, 80) * 255, torch.ones(1, 48, 80, dtype=torch.bool))
    assert answers.shape == (1, 1000)


@pytest.mark.parametrize(
    ("values", "error", "match"),
    [
        (
            {"classifier": "resnett"},
            OptionError,
            "is 'resnett', which timm does not know; give a n",
        ),
        (
            {"classifier": "rsmamba_vssd_tiny"},
            OptionError,
            "rsmamba_vssd_tiny has no weights to download; give the file",
        ),
        (
            {"classifier": "test_resnet", "classifier_weights": "absent.pth"},
            ModelFileError,
            "weights of the teacher test_resnet cannot be read .FileNotFoundError.*; give a file",
        ),
        ({"model": "absent.safetensors"}, ModelFileError, "no model file at .*absent.safetensors"),
        ({"model": "~/absent.safetensors"}, ModelFileError, "no model file at [^~]*absent.safe"),
        ({"model": "default"}, OptionError, "the teacher of distillation.model has classes"),
    ],
)
def test_teachers_that_cannot_be_had(
    values: dict[str, Any], error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        make_teacher(DistillationConfig(**values), a_student())


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"model": "a", "classifier": "b"}, "model is 'a' and classifier 'b'; give one teacher"),
        ({"classifier_weights": "a"}, "classifier_weights is 'a'; give classifier as well"),
        ({"classifier": "a", "unlabelled": True}, "unlabelled is true, which needs a teacher that"),
        ({"weight": 0.0}, "weight is 0.0 and temperature 1.0; give a share above 0, up to 1"),
        ({"temperature": float("nan")}, "temperature nan"),
    ],
)
def test_wrong_sections_are_refused(values: dict[str, Any], match: str) -> None:
    with pytest.raises(OptionError, match=match):
        DistillationConfig(**values)
