"""``rsmamba evaluate MODEL CONFIG``: the accuracy of a model on the scenes of a configuration."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rsmamba.errors import OptionError

from .console import Advance

if TYPE_CHECKING:
    from rsmamba.evaluation import AccuracyReport

_CONFIGURATIONS = (".yaml", ".yml", ".json")
# What options that say how files are read have where they are not given.
_UNGIVEN = (None, False, "auto", "fail", "class")


def is_model(prediction: str, reference: str | None) -> bool:
    """Say whether a model is to be evaluated, and not a map.

    Args:
        prediction: First argument of the command.
        reference: Second argument.

    Returns:
        True where the first is a model file or names a bundled model, or the second is a
        configuration. A file ``.json`` may be one, or labels in GeoJSON; with a model it is one.
    """
    from rsmamba.models.model_header import BUNDLED_MODELS

    endings = Path(prediction).suffix.lower(), Path(reference or "").suffix.lower()
    if prediction in BUNDLED_MODELS:
        # A folder of maps may have that name.
        return endings[1] in _CONFIGURATIONS or not Path(prediction).exists()
    return endings[0] == ".safetensors" or endings[1] in {".yaml", ".yml"}


def refuse_model_options(*, split: str, overrides: Sequence[str] | None) -> None:
    """Refuse the options of models where maps are evaluated.

    Args:
        split: Value of --split.
        overrides: Values of --set.

    Raises:
        OptionError: If one is given.
    """
    if split != "test" or overrides:
        given = "--set" if overrides else "--split"
        msg = f"{given} is for a model and the configuration of its data; leave it out for maps"
        raise OptionError(msg)


def evaluate_model_file(
    model: str,
    config: str | None,
    *,
    overrides: Sequence[str],
    reading: Mapping[str, object],
    progress: Advance,
    **options: Any,  # noqa: ANN401 - those of the library's function
) -> "AccuracyReport":
    """Predict the scenes of a split and evaluate the maps.

    Args:
        model: Model file, or the name of a bundled model.
        config: Configuration of a run.
        overrides: Changes of its values.
        reading: Options that say how files are read, which the configuration says here.
        progress: Told finished and total pixels.
        **options: Split, and what is counted.

    Returns:
        The report.

    Raises:
        OptionError: If there is no configuration, or an option of maps is given.
    """
    if config is None or Path(config).suffix.lower() not in _CONFIGURATIONS:
        msg = (
            f"{model} is a model, and {config or 'nothing'} is given as the configuration of its "
            "data; give a YAML file of configs/train, or the config.json of its run"
        )
        raise OptionError(msg)
    given = [name for name, value in reading.items() if value not in _UNGIVEN]
    if given:
        msg = (
            f"--{given[0].replace('_', '-')} is for maps; the configuration of a model's data "
            "says how they are read, and --set changes it"
        )
        raise OptionError(msg)
    from rsmamba.config import load_config
    from rsmamba.train import TrainConfig

    run = load_config(config, TrainConfig, overrides=overrides)
    from rsmamba.train.accuracy import evaluate_model

    return evaluate_model(model, run, progress=progress, **options)
