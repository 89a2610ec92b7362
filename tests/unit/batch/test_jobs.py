"""Every scene gets its own output, and the options that a table says."""

from pathlib import Path

import pytest

from rsmamba.batch.inputs import SceneInput
from rsmamba.batch.jobs import SceneJob, make_jobs
from rsmamba.errors import OptionError
from rsmamba.prediction.config import PredictConfig

OUT = Path("/maps")


def job(*, name: str = "{folder}/{stem}.tif", **options: str) -> SceneJob:
    scene = SceneInput(scene="/imagery/north/s1.jp2", folder="north", options=options)
    return make_jobs([scene], OUT, config=PredictConfig(tile=64, overlap=8), name=name)[0]


@pytest.mark.parametrize(
    ("name", "out"),
    [
        ("{folder}/{stem}.tif", "/maps/north/s1.tif"),
        ("{stem}_{suffix}_{number}.tif", "/maps/s1_jp2_1.tif"),
    ],
)
def test_names_are_made_from_the_scene(name: str, out: str) -> None:
    assert job(name=name).out == Path(out)


def test_an_unknown_field_of_a_name_is_told() -> None:
    with pytest.raises(
        OptionError, match=r"unknown field \{date\}; it may have \{folder\}, \{stem\}"
    ):
        job(name="{date}.tif")


def test_a_table_changes_the_options_of_a_scene() -> None:
    config = job(
        bidx="4,3,2", overlap="16", resample="yes", bounds="1;2;3;4", src_nodata="-1"
    ).config
    assert (config.tile, config.overlap, config.bidx) == (64, 16, (4, 3, 2))
    assert (config.resample, config.bounds, config.src_nodata) == (True, (1, 2, 3, 4), -1)


def test_a_table_may_let_the_content_decide_how_many_tokens_stay() -> None:
    assert job(prune="auto").config.prune == "auto"
    assert job(prune="0.6").config.prune == 0.6


def test_a_table_may_name_the_output() -> None:
    assert job(out="x/y.tif").out == OUT / "x/y.tif"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"tiles": "64"}, "column 'tiles' of the table is not an option of a scene; it may be out"),
        ({"tile": "big"}, "column 'tile' of the table holds 'big', which has another form"),
        ({"amp": "maybe"}, "column 'amp' of the table holds 'maybe'"),
        ({"overlap": "64"}, "overlap 64 does not fit a tile of 64"),
        ({"out": "../y.tif"}, "lies outside /maps"),
    ],
)
def test_a_wrong_cell_is_the_reason_of_one_scene(options: dict[str, str], reason: str) -> None:
    assert reason in (job(**options).reason or "")


def test_two_scenes_cannot_become_one_output() -> None:
    scenes = [SceneInput(scene=f"/imagery/s.{suffix}") for suffix in ("tif", "jp2")]
    with pytest.raises(
        OptionError, match=r"s.tif and .*s.jp2 would both become /maps/s.tif; give a"
    ):
        make_jobs(scenes, OUT, config=PredictConfig())


def test_other_outputs_lie_beside_the_map() -> None:
    scene = SceneInput(scene="/imagery/s.tif")
    extra = ["probabilities", "confidence", "quicklook", "vectors.parquet"]
    config = make_jobs([scene], OUT, config=PredictConfig(), extra=extra)[0].config
    assert config.probabilities == OUT / "s_probabilities.tif"
    assert (config.confidence, config.quicklook) == (OUT / "s_confidence.tif", OUT / "s.png")
    assert config.vectors == OUT / "s.parquet"
    with pytest.raises(OptionError, match=r"output 'vectors\.shp' is not known; give probab"):
        make_jobs([scene], OUT, config=PredictConfig(), extra=["vectors.shp"])
