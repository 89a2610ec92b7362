"""What a scene refers to, checked before GDAL opens it.

A scene is followed into its sidecars and sources as GDAL would follow it. Everything must be a
plain raster inside the folder of the scene, after symbolic links.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError

from rsmamba.errors import SceneError
from rsmamba.geo.environment import first_cause, no_georeference_warning, quiet_gdal
from rsmamba.geo.limits import check_raster
from rsmamba.geo.trust import TRUSTED_DRIVERS, driver_of
from rsmamba.geo.vrt import (
    LARGEST_XML_BYTES,
    OPENING_DOMAINS,
    check_sidecar,
    refusal,
    vrt_references,
)

_RASTER_SIDECARS = (".ovr", ".msk")
_MOST_LEVELS = 8


def check_references(path: Path, driver: str) -> None:
    """Check that a scene reads nothing outside its folder.

    Args:
        path: The scene, an existing file.
        driver: Its format, by ``trust.driver_of``.

    Raises:
        SceneError: If it would read something else.
    """
    _Walk(path).check(path, driver, level=0)


class _Walk:
    """One walk through all files of a scene."""

    def __init__(self, scene: Path) -> None:
        self._scene = scene
        # A link that the user names may be followed; what lies beside its target belongs to it.
        self._folders = {scene.absolute().parent.resolve(), scene.resolve().parent}
        self._seen: set[Path] = set()

    def check(self, path: Path, driver: str, *, level: int) -> None:
        """Check one file, its sidecars and its sources."""
        if path.resolve() in self._seen:
            return
        self._seen.add(path.resolve())
        if level > _MOST_LEVELS:
            message = f"VRTs are nested more than {_MOST_LEVELS} deep"
            raise SceneError(refusal(self._scene, message))
        self._check_sidecars(path, level=level)
        if driver == "VRT":
            self._check_sources(path, level=level)
        elif level:
            _check_content(path, driver)

    def _check_sources(self, path: Path, *, level: int) -> None:
        for reference in vrt_references(_small_text(path), path=path):
            bases = {path.absolute().parent, path.resolve().parent}
            for base in bases if reference.is_relative else {Path.cwd()}:
                source = self._inside(base, reference.name)
                if source.is_dir():
                    raise SceneError(refusal(path, f"its source {reference.name!r} is a folder"))
                # GDAL itself says best what is missing.
                if source.is_file():
                    self._check_part(source, level=level + 1)

    def _check_part(self, path: Path, *, level: int) -> None:
        driver = driver_of(path)
        if driver is None:
            message = f"{path.name}, which belongs to it, is none of {', '.join(TRUSTED_DRIVERS)}"
            raise SceneError(refusal(self._scene, message))
        self.check(path, driver, level=level)

    def _inside(self, base: Path, name: str) -> Path:
        """Return where a name leads, if that is inside the folder."""
        is_plain = (
            name and not (set(name) & set('<>:|"\0\n')) and not name.startswith(("/vsi", "\\"))
        )
        target = (base / name).resolve() if is_plain else None
        if target is None or not self._holds(target):
            message = f"it refers to {name[:200]!r}, which is not a file in its folder"
            raise SceneError(refusal(self._scene, message))
        return target

    def _holds(self, target: Path) -> bool:
        return any(target.is_relative_to(folder) for folder in self._folders)

    def _check_sidecars(self, path: Path, *, level: int) -> None:
        for sidecar in _sidecars(path):
            # It was found by its name, which may therefore have any signs.
            if not self._holds(sidecar.resolve()):
                message = f"its sidecar {sidecar.name!r} leads to a file that is not in its folder"
                raise SceneError(refusal(self._scene, message))
            suffix = sidecar.suffix.lower()
            if suffix in _RASTER_SIDECARS:
                self._check_part(sidecar, level=level + 1)
            elif suffix == ".xml":
                check_sidecar(_small_text(sidecar), path=sidecar)
            elif _starts_with(sidecar, b"EHFA_HEADER_TAG"):
                message = f"its sidecar {sidecar.name} is an Imagine file"
                raise SceneError(refusal(self._scene, message))


def check_tags(dataset: rasterio.io.DatasetReader, path: Path) -> None:
    """Refuse metadata inside a raster through which GDAL opens something.

    Args:
        dataset: The open raster.
        path: Where it is.

    Raises:
        SceneError: If there are some.
    """
    if dataset.driver == "VRT":
        return
    stated = {name.lower(): name for name in dataset.tag_namespaces()}
    for domain in OPENING_DOMAINS - {"subdatasets"}:
        if domain in stated or dataset.tags(ns=domain.upper()):
            raise SceneError(refusal(path, f"it has metadata of the domain {domain!r}"))
    if dataset.tags(ns="ProxyOverviewRequest"):
        raise SceneError(refusal(path, "it has metadata of the domain 'proxyoverviewrequest'"))


def _check_content(path: Path, driver: str) -> None:
    try:
        with (
            quiet_gdal(),
            no_georeference_warning(),
            rasterio.open(path.absolute(), driver=driver) as dataset,
        ):
            check_tags(dataset, path)
            check_raster(dataset, path)
    except (RasterioError, CPLE_BaseError, ValueError) as error:
        if isinstance(error, SceneError):
            raise
        message = f"scene {path} cannot be opened: {first_cause(error)}; copy it again"
        raise SceneError(message) from error


def _sidecars(path: Path) -> Iterator[Path]:
    """Files beside a raster that GDAL opens with it, whatever the case of their names."""
    name, stem = path.name.lower(), path.stem.lower()
    ending = (*_RASTER_SIDECARS, ".aux.xml", ".aux")
    expected = {f"{name}{suffix}" for suffix in ending} | {f"{stem}{suffix}" for suffix in ending}
    # A link's own folder and that of its target may both have some.
    for folder in {path.absolute().parent, path.resolve().parent}:
        with suppress(PermissionError):
            yield from (
                found
                for found in folder.iterdir()
                if found.name.lower() in expected and found.name != path.name and found.is_file()
            )


def _small_text(path: Path) -> bytes:
    size = path.stat().st_size
    if size > LARGEST_XML_BYTES:
        message = (
            f"{path} is a text of {size:,} bytes; at most {LARGEST_XML_BYTES:,} are read: cut it "
            "into smaller mosaics"
        )
        raise SceneError(message)
    return path.read_bytes()


def _starts_with(path: Path, magic: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(magic)) == magic
