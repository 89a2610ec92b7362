"""Checks of outputs before work starts, and the folder of unfinished files."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from rsmamba.errors import OptionError, OutputError, OutputExistsError
from rsmamba.geo.output import check_output, check_space
from rsmamba.geo.part_folder import PartFolder

MakeRaster = Callable[..., Path]


def test_good_output_comes_back_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert check_output("mask.tif") == tmp_path / "mask.tif"
    assert check_output("mask") == tmp_path / "mask"


def test_existing_output_needs_leave(tmp_path: Path) -> None:
    path = tmp_path / "mask.tif"
    path.touch()
    with pytest.raises(OutputExistsError, match=r"mask\.tif exists already; .* --overwrite"):
        check_output(path)
    assert check_output(path, overwrite=True) == path


def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real.tif").touch()
    (tmp_path / "link.tif").symlink_to("real.tif")
    assert check_output(tmp_path / "link.tif", overwrite=True) == tmp_path / "real.tif"


def test_absent_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"nowhere does not exist; make it first"):
        check_output(tmp_path / "nowhere" / "mask.tif")


def test_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"file is a file; give another folder"):
        check_output(tmp_path / "file" / "mask.tif")


def test_folder_is_no_output(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"is a folder; give the name of a file"):
        check_output(tmp_path, overwrite=True)


def test_folder_must_be_writable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(OutputError, match=r"is not writable; change its permissions"):
        check_output(tmp_path / "mask.tif")


def test_device_is_no_output() -> None:
    with pytest.raises(OutputError, match=r"is a device, not a file"):
        check_output("/dev/null", overwrite=True)


def test_input_is_no_output(tmp_path: Path) -> None:
    scene = tmp_path / "scene.tif"
    scene.touch()
    (tmp_path / "same.tif").hardlink_to(scene)
    with pytest.raises(OutputError, match=r"same\.tif is also an input; give another name"):
        check_output(tmp_path / "same.tif", overwrite=True, inputs=[scene])


def test_name_of_another_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"mask\.png ends in .png; give a name that ends in .tif"):
        check_output(tmp_path / "mask.png")


def test_publishing_replaces_output_and_stale_sidecars(tmp_path: Path) -> None:
    target = tmp_path / "mask.tif"
    for suffix in ("", ".aux.xml", ".ovr"):
        (tmp_path / f"mask.tif{suffix}").write_text("old")
    folder = PartFolder(target)
    folder.make()
    (folder.path / "mask.tif").write_text("new")
    (folder.path / "mask.tif.aux.xml").write_text("names")
    folder.publish(folder.path / "mask.tif")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mask.tif", "mask.tif.aux.xml"]
    assert target.read_text() == "new"
    assert (tmp_path / "mask.tif.aux.xml").read_text() == "names"


def test_folder_of_a_running_process_is_respected(tmp_path: Path) -> None:
    folder = PartFolder(tmp_path / "mask.tif")
    folder.make()
    with pytest.raises(OutputExistsError, match=f"process {os.getpid()} on .* is writing"):
        PartFolder(tmp_path / "mask.tif").make()
    assert folder.path.exists()


@pytest.mark.parametrize("owner", ["{host} 1 12345.00", "nonsense", ""])
def test_folder_of_a_killed_process_is_taken_over(tmp_path: Path, owner: str) -> None:
    import socket

    folder = PartFolder(tmp_path / "mask.tif")
    folder.path.mkdir()
    (folder.path / "owner").write_text(owner.format(host=socket.gethostname()))
    (folder.path / "scratch.tif").touch()
    folder.make()
    assert [path.name for path in folder.path.iterdir()] == ["owner"]


def test_room_on_the_disk_is_checked(tmp_path: Path) -> None:
    check_space(tmp_path, 1000, target=tmp_path / "mask.tif")
    with pytest.raises(OutputError, match=r"no room to write .*mask\.tif: 1000000000.0 GB more is"):
        check_space(tmp_path, 10**18, target=tmp_path / "mask.tif")
