"""The choice of the library that multiplies matrices."""

import pytest
import torch

from rsmamba.ops import matmul
from rsmamba.ops.matmul import MatmulChoice, choose_matmul, fastest_matmul


@pytest.mark.parametrize(
    ("speed_up", "difference", "library", "reason"),
    [
        (2.0, 1e-7, "onednn", "2.0 times as fast as MKL"),
        (1.25, 0.0, "mkl", "takes 0.80 times as long"),
        (0.5, 0.0, "mkl", "takes 2.00 times as long"),
        (3.0, 1e-3, "mkl", "rounds more: 1.0e-03 of the largest value"),
    ],
)
def test_onednn_is_taken_only_where_faster_and_equal(
    speed_up: float, difference: float, library: str, reason: str
) -> None:
    choice = matmul._decide(speed_up, difference=difference)
    assert choice.library == library
    assert reason in choice.reason


def test_both_are_measured_once_and_agree() -> None:
    choice = choose_matmul()
    assert choice is choose_matmul()
    assert choice.speed_up > 0
    assert choice.library in {"mkl", "onednn"}


@pytest.mark.parametrize(
    ("library", "device", "inside"),
    [("onednn", "cpu", "medium"), ("mkl", "cpu", "highest"), ("onednn", "meta", "highest")],
)
def test_the_precision_is_changed_only_inside(
    library: str, device: str, inside: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    choice = MatmulChoice(library=library, speed_up=2.0, difference=0.0, reason="")
    monkeypatch.setattr(matmul, "choose_matmul", lambda: choice)
    with fastest_matmul(torch.device(device)):
        assert torch.get_float32_matmul_precision() == inside
    assert torch.get_float32_matmul_precision() == "highest"


def test_an_error_inside_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    choice = MatmulChoice(library="onednn", speed_up=2.0, difference=0.0, reason="")
    monkeypatch.setattr(matmul, "choose_matmul", lambda: choice)
    with pytest.raises(KeyError, match="wrong"):
        fail_inside()
    assert torch.get_float32_matmul_precision() == "highest"


def fail_inside() -> None:
    """Raise while the precision is changed."""
    with fastest_matmul(torch.device("cpu")):
        message = "wrong"
        raise KeyError(message)
