"""Nothing half-written is ever seen: failures of every kind leave the folder as it was."""

import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from rsmamba.classes import ClassScheme
from rsmamba.errors import OutputError, OutputExistsError, ShapeError
from rsmamba.geo import kinds
from rsmamba.geo.grid import GeoGrid
from rsmamba.geo.writer import RasterSink, publish_together

GRID = GeoGrid(height=600, width=600)
ZEROS = np.zeros((600, 600), np.uint8)
# Runs alone, since the limit cannot be lifted again; the limit acts like a full disk or a quota.
LIMITED_RUN = textwrap.dedent(
    """
    import resource, sys
    import numpy as np
    from rsmamba.classes import ClassScheme
    from rsmamba.errors import OutputError
    from rsmamba.geo import kinds
    from rsmamba.geo.grid import GeoGrid
    from rsmamba.geo.writer import RasterSink, publish_together

    limit = int(sys.argv[2])
    noise = np.random.default_rng(0).integers(0, 6, (700, 900), dtype=np.uint8)
    kind = kinds.class_map(ClassScheme.from_names(list("abcdef")))
    grid = GeoGrid(height=700, width=900)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        with RasterSink(sys.argv[1], grid=grid, kind=kind) as sink:
            sink.write(noise, row=0)
            publish_together([sink])
    except OutputError as error:
        print(error)
    """
)


@pytest.fixture
def kind(classes: ClassScheme) -> kinds.RasterKind:
    """A class map of three classes."""
    return kinds.class_map(classes)


def test_nothing_is_seen_before_publishing(tmp_path: Path, kind: kinds.RasterKind) -> None:
    with RasterSink(tmp_path / "mask.tif", grid=GRID, kind=kind) as sink:
        sink.write(ZEROS, row=0)
        sink.prepare()
        assert [path.name for path in tmp_path.iterdir()] == [".mask.tif.rsmamba-part"]
        sink.publish()
    assert {path.name for path in tmp_path.iterdir()} == {"mask.tif", "mask.tif.aux.xml"}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_interrupted_run_leaves_nothing(
    tmp_path: Path, kind: kinds.RasterKind, error: type[BaseException]
) -> None:
    def run() -> None:
        with RasterSink(tmp_path / "mask.tif", grid=GRID, kind=kind) as sink:
            sink.write(ZEROS[:100], row=0)
            raise error

    with pytest.raises(error):
        run()
    assert list(tmp_path.iterdir()) == []


def test_failed_run_keeps_the_old_output(tmp_path: Path, kind: kinds.RasterKind) -> None:
    path = tmp_path / "mask.tif"
    path.write_text("old")
    with RasterSink(path, grid=GRID, kind=kind, overwrite=True) as sink:
        sink.write(ZEROS, row=0)
        sink.prepare()
    assert [path.name for path in tmp_path.iterdir()] == ["mask.tif"]
    assert path.read_text() == "old"


def test_existing_output_is_refused_at_once(tmp_path: Path, kind: kinds.RasterKind) -> None:
    (tmp_path / "mask.tif").touch()
    with pytest.raises(OutputExistsError, match=r"mask\.tif exists already"):
        RasterSink(tmp_path / "mask.tif", grid=GRID, kind=kind)
    assert [path.name for path in tmp_path.iterdir()] == ["mask.tif"]


def test_two_runs_cannot_write_one_output(tmp_path: Path, kind: kinds.RasterKind) -> None:
    with RasterSink(tmp_path / "mask.tif", grid=GRID, kind=kind) as first:
        with pytest.raises(OutputExistsError, match=r"is writing .*mask\.tif now"):
            RasterSink(tmp_path / "mask.tif", grid=GRID, kind=kind)
        first.write(ZEROS, row=0)
        publish_together([first])
    assert (tmp_path / "mask.tif").exists()


def test_several_outputs_appear_together_or_not_at_all(
    tmp_path: Path, kind: kinds.RasterKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        message = "no"
        raise OutputError(message)

    def run() -> None:
        with (
            RasterSink(tmp_path / "mask.tif", grid=GRID, kind=kind) as first,
            RasterSink(tmp_path / "sure.tif", grid=GRID, kind=kinds.confidence()) as second,
        ):
            monkeypatch.setattr(second, "prepare", fail)
            publish_together([first, second])

    with pytest.raises(OutputError, match="no"):
        run()
    assert list(tmp_path.iterdir()) == []


def test_full_disk_is_told_before_gdal_meets_it(
    tmp_path: Path, kind: kinds.RasterKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run() -> None:
        with RasterSink(tmp_path / "mask.tif", grid=GRID, kind=kind) as sink:
            sink.write(ZEROS[:100], row=0)
            monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1_050_000))
            sink.write(ZEROS[100:], row=100)

    with pytest.raises(OutputError, match=r"mask.tif: 1.1 MB more is needed and 1.1 MB is free"):
        run()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("limit", [10, 30_000, 280_000])
def test_write_that_fails_half_way_is_one_line(tmp_path: Path, limit: int) -> None:
    result = subprocess.run(
        [sys.executable, "-c", LIMITED_RUN, str(tmp_path / "mask.tif"), str(limit)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.startswith("cannot write ")
    assert result.stdout.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_pixels_that_do_not_fit_are_refused(tmp_path: Path, kind: kinds.RasterKind) -> None:
    with RasterSink(tmp_path / "mask.tif", grid=GRID, kind=kind) as sink:
        with pytest.raises(ShapeError, match=r"\(1, 600, 600\) at row 1, column 0 do not fit mask"):
            sink.write(ZEROS, row=1)
        with pytest.raises(ShapeError, match="which has 1 bands of 600 rows and 600 columns"):
            sink.write(np.zeros((2, 5, 5), np.uint8), row=0)


def test_unfinished_output_cannot_be_published(tmp_path: Path, kind: kinds.RasterKind) -> None:
    with (
        RasterSink(tmp_path / "mask.tif", grid=GRID, kind=kind) as sink,
        pytest.raises(OutputError, match="is not finished; call prepare before publish"),
    ):
        sink.publish()
