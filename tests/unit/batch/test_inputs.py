"""Files, folders, globs, lists, tables and STAC all become scenes."""

import json
from pathlib import Path
from typing import Any

import pytest

from rsmamba.batch.inputs import SceneInput, find_scenes
from rsmamba.errors import DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two scenes, one of them deeper, and files that are none."""
    for name in ("b.tif", "a/c.TIF", "a/notes.txt~", ".hidden/d.tif", ".e.tif", "maps/f.tif"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return tmp_path


def found(*inputs: Path | str, folder: Path, **options: Any) -> list[tuple[str, str]]:  # noqa: ANN401 - as find_scenes
    scenes = find_scenes(inputs, leave_out=folder / "maps", **options)
    return [(Path(scene.scene).name, scene.folder) for scene in scenes]


def test_a_folder_is_searched_to_the_bottom(folder: Path) -> None:
    assert found(folder, folder=folder) == [("b.tif", ""), ("c.TIF", "a")]


def test_a_scene_that_is_named_twice_is_taken_once(folder: Path) -> None:
    assert found(folder / "b.tif", folder, folder=folder) == [("b.tif", ""), ("c.TIF", "a")]


def test_a_glob_keeps_the_folders_below_it(folder: Path) -> None:
    assert found(f"{folder}/**/*.[tT]*[fF]", folder=folder) == [
        ("c.TIF", "a"),
        ("b.tif", ""),
        ("f.tif", "maps"),
    ]


def test_a_list_names_scenes_beside_it(folder: Path) -> None:
    (folder / "list.txt").write_text("# scenes\na/c.TIF\n\nb.tif\n")
    assert found(folder / "list.txt", folder=folder) == [("c.TIF", ""), ("b.tif", "")]


def test_a_table_gives_scenes_options(folder: Path) -> None:
    (folder / "t.csv").write_text('scene,bidx,tile\nb.tif,"3,2,1",\na/c.TIF,,64\n')
    scenes = find_scenes([folder / "t.csv"], leave_out=folder)
    assert [dict(scene.options) for scene in scenes] == [{"bidx": "3,2,1"}, {"tile": "64"}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path\nb.tif\n", "has no column 'scene'; its first line must name the columns"),
        ("scene\nb.tif,1\n", "line 2: more cells than columns"),
        ("scene,tile\n,64\n", "line 2: the cell 'scene' is empty"),
    ],
)
def test_a_table_of_another_form_is_refused(text: str, message: str, folder: Path) -> None:
    (folder / "t.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        find_scenes([folder / "t.csv"], leave_out=folder)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent.tif", r"absent.tif does not exist; give rasters, folders"),
        ("*.jp2", r"\*.jp2 holds no scene; give rasters, a folder"),
        ("empty.txt", "empty.txt holds no scene"),
    ],
)
def test_inputs_without_a_scene_are_refused(name: str, message: str, folder: Path) -> None:
    (folder / "empty.txt").touch()
    with pytest.raises(DataError, match=message):
        find_scenes([f"{folder}/{name}"], leave_out=folder)


def test_a_remote_scene_is_taken_as_it_is(folder: Path) -> None:
    address = "https://example.org/scene.tif"
    assert find_scenes([address], leave_out=folder) == [SceneInput(scene=address)]


def item(**assets: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Feature", "stac_version": "1.0.0", "assets": assets}


TIFF = "image/tiff; application=geotiff"


@pytest.mark.parametrize(
    ("assets", "asset", "scene"),
    [
        ({"x": {"href": "b.tif", "type": TIFF}}, None, "b.tif"),
        (
            {
                "x": {"href": "b.tif"},
                "t": {"href": "t.png", "type": "image/png", "roles": ["thumbnail"]},
            },
            None,
            "b.tif",
        ),
        ({"x": {"href": "b.tif", "roles": ["data"]}, "y": {"href": "c.tif"}}, None, "b.tif"),
        ({"visual": {"href": "b.tif"}, "y": {"href": "c.tif"}}, None, "b.tif"),
        ({"x": {"href": "b.tif"}, "y": {"href": "c.tif"}}, "y", "c.tif"),
    ],
)
def test_an_item_names_its_scene(assets: Any, asset: str | None, scene: str, folder: Path) -> None:  # noqa: ANN401 - JSON
    (folder / "item.json").write_text(json.dumps(item(**assets)))
    assert found(folder / "item.json", folder=folder, asset=asset) == [(scene, "")]


@pytest.mark.parametrize(
    ("assets", "reason"),
    [
        ({"x": {"href": "b.tif"}, "y": {"href": "c.tif"}}, "give --asset with one of: x, y"),
        ({"x": {"href": "https://a.b/c.tif"}}, "the asset is not a local file; fetch it first"),
        ({}, "give --asset with one of: none"),
    ],
)
def test_an_item_without_a_scene_has_a_reason(assets: Any, reason: str, folder: Path) -> None:  # noqa: ANN401 - JSON
    (folder / "item.json").write_text(json.dumps(item(**assets)))
    (scene,) = find_scenes([folder / "item.json"], leave_out=folder)
    assert scene.reason is not None
    assert reason in scene.reason


def test_collections_are_followed_to_their_items(folder: Path) -> None:
    links = [
        {"rel": rel, "href": href}
        for rel, href in (
            ("self", "c.json"),
            ("item", "i.json"),
            ("child", "f.json"),
            ("item", "gone.json"),
            ("item", "https://a.b/i"),
        )
    ]
    (folder / "c.json").write_text(json.dumps({"type": "Collection", "links": links}))
    (folder / "i.json").write_text(json.dumps(item(x={"href": "b.tif"})))
    features = {"type": "FeatureCollection", "features": [item(x={"href": "a/c.TIF"}), 7]}
    (folder / "f.json").write_text(json.dumps(features))
    scenes = find_scenes([folder / "c.json"], leave_out=folder)
    assert [Path(scene.scene).name for scene in scenes] == [
        "b.tif",
        "c.TIF",
        "f.json",
        "gone.json",
        "i",
    ]
    assert [scene.reason is None for scene in scenes] == [True, True, False, False, False]


@pytest.mark.parametrize(
    ("text", "message"), [("{", "cannot be read as STAC"), ("[]", "is not STAC; give an item")]
)
def test_json_that_is_not_stac_is_refused(text: str, message: str, folder: Path) -> None:
    (folder / "x.json").write_text(text)
    with pytest.raises(DataError, match=message):
        find_scenes([folder / "x.json"], leave_out=folder)
