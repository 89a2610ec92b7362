"""What ``rsmamba evaluate`` takes for a model and its data."""

from pathlib import Path

import pytest

from rsmamba.cli.app import run
from rsmamba.cli.model_accuracy import is_model


@pytest.mark.parametrize(
    ("prediction", "reference", "expected"),
    [
        ("default", "run/config.json", True),
        ("default", "config.yaml", True),
        ("default", "labels.tif", True),
        ("default", None, True),
        ("best.safetensors", "config.json", True),
        ("map.tif", "config.yml", True),
        ("map.tif", "labels.json", False),
        ("map.tif", None, False),
    ],
)
def test_a_model_is_known_by_its_name_or_its_configuration(
    prediction: str, reference: str | None, expected: bool
) -> None:
    assert is_model(prediction, reference) is expected


def test_a_folder_of_maps_may_be_called_as_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "default").mkdir()
    monkeypatch.chdir(tmp_path)
    assert not is_model("default", "labels")
    assert is_model("default", "config.json")


def test_a_json_beside_a_bundled_model_is_read_as_a_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.json"
    config.write_text('{"nonsense": 1}')
    assert run(["evaluate", "default", str(config)]) == 2
    assert "nonsense" in capsys.readouterr().err
    assert run(["evaluate", "default", "labels.tif"]) == 2
    assert "default is a model, and labels.tif is given as the conf" in capsys.readouterr().err
