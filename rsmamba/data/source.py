"""Where the scenes and labels of a training run come from, and how labels are written."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

from rsmamba.classes import ISPRS_CLASSES, ISPRS_UNDEFINED, ClassScheme, Colour
from rsmamba.data.isprs.tiles import (
    BAND_NAMES,
    BANDS_OF,
    GSD_M,
    IsprsBands,
    IsprsDataset,
    IsprsSplit,
)
from rsmamba.errors import OptionError
from rsmamba.geo.painted import UnknownColour

SourceKind = Literal["folders", "table", "isprs"]
LabelForm = Literal["index", "colour", "vector"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceConfig:
    """Scenes, labels and classes; the rest of the data section is about chips.

    Of kind "folders", an image and its labels have the same file name without extension, apart from
    `mask_suffix`. Of kind "table", a CSV file lists them. Of kind "isprs", `root` is a folder of
    the ISPRS benchmark. Relative folders count from `root`, and `root` from the working directory.

    Attributes:
        root: Folder of the data; "~" stands for the home folder.
        kind: How images and labels are found.
        images: Folder of the images below root, for kind folders.
        masks: Folder of the labels below root, for kind folders; may be the same folder.
        mask_suffix: Ending of the mask's stem that the image's stem lacks, such as "_labels".
        table: CSV file below root with the columns image, mask and, if it names the splits, split;
            for kind table. Several rasters of one scene are joined by ";" in the image column.
        dataset: Data set of kind isprs.
        split: Whose tile lists to use, for kind isprs.
        bands: Bands of kind isprs; None takes irrg for Vaihingen and rgb for Potsdam.
        ndsm: Add the normalised surface model as the last band, for kind isprs.
        eroded_training: Train on the labels without boundary pixels, for kind isprs.
        eroded_validation: Validate on the labels without boundary pixels, for kind isprs.
        train: Glob patterns of image stems to train on, such as "tile1_*"; kind isprs has its
            split instead.
        validation: Glob patterns of image stems (kind isprs: of tile names, such as "2_1?") to
            validate on; give these or `validation_share`.
        validation_share: Share of the rows of each train scene, at its bottom, to validate on
            instead, 0 to below 1. Pixels on both sides of the cut are alike, so that scenes of
            their own tell more.
        classes: Names and colours of the classes, and the ignore index; kind isprs has six.
        labels: What label files hold: class indices, colours of the classes, or polygons; None is
            colour for kind isprs and index otherwise.
        label_map: Label value in the files to class index or ignore index, for values that
            differ; others stay as they are. Colours and polygons are class indices by then.
        ignored_colours: Colours of labels that mean nothing, for colour labels.
        unknown: What to do with a colour that is neither a class nor ignored.
        attribute: Field of the polygons that holds the class index or name, for vector labels.
        background: Class index of pixels outside all polygons; None ignores them.
        bidx: Bands of the images to use, 1-based; None takes all but an alpha band.
        band_names: One name a band for the model file; None leaves them unnamed.
        gsd_m: Ground sample distance of the images for the model file, metres per pixel.
    """

    root: Path
    kind: SourceKind = "folders"
    images: str = "images"
    masks: str = "masks"
    mask_suffix: str = ""
    table: str = "pairs.csv"
    dataset: IsprsDataset | None = None
    split: IsprsSplit | None = None
    bands: IsprsBands | None = None
    ndsm: bool = False
    eroded_training: bool = False
    eroded_validation: bool = False
    train: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()
    validation_share: float = 0.0
    # Kind isprs fills it in and the other kinds refuse its absence, so that it is never None.
    classes: ClassScheme = cast(ClassScheme, None)  # noqa: RUF009 - no call at all
    labels: LabelForm | None = None
    label_map: dict[int, int] = field(default_factory=dict)
    ignored_colours: tuple[Colour, ...] = ()
    unknown: UnknownColour = "fail"
    attribute: str | None = None
    background: int | None = None
    bidx: tuple[int, ...] | None = None
    band_names: tuple[str, ...] | None = None
    gsd_m: float | None = None

    def __post_init__(self) -> None:
        """Fill in what the kind implies and check the fields against each other.

        Raises:
            OptionError: If a field is missing or belongs to another kind, a split is empty or given
                twice, or a label is mapped to something that is neither a class index nor the
                ignore index.
        """
        object.__setattr__(self, "root", self.root.expanduser())
        if self.kind == "isprs":
            self._fill_isprs()
        else:
            self._refuse_isprs_fields()
        if self.labels is None:
            object.__setattr__(self, "labels", "index")
        self._check_splits()
        self._check_labels()
        if self.gsd_m is not None and not self.gsd_m > 0:
            msg = f"gsd_m is {self.gsd_m}; give metres a pixel above 0, or leave it out"
            raise OptionError(msg)

    @property
    def provenance(self) -> dict[str, object]:
        """What a model file says about where its training data came from."""
        values: dict[str, object] = {"train": list(self.train), "validation": list(self.validation)}
        if self.validation_share:
            values = {"validation_share": self.validation_share, **values}
        if self.kind == "isprs":
            names = ("dataset", "split", "bands", "ndsm", "eroded_training", "eroded_validation")
            values |= {name: getattr(self, name) for name in names}
        return values

    def _fill_isprs(self) -> None:
        """Names, colours, bands and pixel size of the benchmark."""
        if self.dataset is None or self.split is None:
            msg = (
                "kind isprs needs dataset (vaihingen or potsdam) and split (ssrs, geoseg or "
                "official); give both"
            )
            raise OptionError(msg)
        if self.train or self.bidx is not None:
            given = "train" if self.train else "bidx"
            instead = "split names the train tiles" if self.train else "bands chooses the bands"
            msg = f"{given} is given with kind isprs, where {instead}; leave {given} out"
            raise OptionError(msg)
        allowed = BANDS_OF[self.dataset]
        bands = self.bands or allowed[0]
        if bands not in allowed:
            msg = f"bands is {bands} and {self.dataset} has {', '.join(allowed)}; give one of those"
            raise OptionError(msg)
        names = (*BAND_NAMES[bands], *(("ndsm",) if self.ndsm else ()))
        implied = {
            "bands": bands,
            "classes": ISPRS_CLASSES,
            "labels": "colour",
            "ignored_colours": (ISPRS_UNDEFINED,),
            "band_names": names,
            "gsd_m": GSD_M[self.dataset],
        }
        for name, value in implied.items():
            if not getattr(self, name):
                object.__setattr__(self, name, value)

    def _refuse_isprs_fields(self) -> None:
        """Say which field has no meaning for the kind."""
        names = ("dataset", "split", "bands", "ndsm", "eroded_training", "eroded_validation")
        stray = [name for name in names if getattr(self, name)]
        if stray:
            msg = f"{stray[0]} is given with kind {self.kind}; set kind to isprs, or leave it out"
            raise OptionError(msg)
        if self.classes is None:
            msg = "classes is missing; give the names and colours of the classes"
            raise OptionError(msg)

    def _check_splits(self) -> None:
        """Refuse to train or to validate on nothing."""
        if self.kind == "folders" and not self.train:
            msg = "train is empty; give at least one glob pattern of image names"
            raise OptionError(msg)
        both = bool(self.validation) and bool(self.validation_share)
        neither = not self.validation and not self.validation_share
        # A table or a split of tiles may name the validation scenes by itself.
        if not 0 <= self.validation_share < 1 or both or (neither and self.kind == "folders"):
            msg = (
                f"validation is {list(self.validation)} and validation_share "
                f"{self.validation_share}; give either glob patterns of image names, or a share "
                "above 0 and below 1 of the train scenes"
            )
            raise OptionError(msg)

    def _check_labels(self) -> None:
        """Refuse values that are no classes, and polygons without a field."""
        allowed = {*range(self.classes.num_classes), self.classes.ignore_index}
        for value, target in self.label_map.items():
            if target not in allowed:
                msg = (
                    f"label_map sends {value} to {target}; allowed are the class indices 0 to "
                    f"{self.classes.num_classes - 1} and the ignore index "
                    f"{self.classes.ignore_index}"
                )
                raise OptionError(msg)
        if (self.labels == "vector") != (self.attribute is not None):
            msg = (
                f"labels is {self.labels} and attribute {self.attribute!r}; vector labels need the "
                "field of the polygons that holds the class, and no others have one"
            )
            raise OptionError(msg)
        if self.background is not None and self.background not in allowed:
            msg = (
                f"background is {self.background}; give a class index from 0 to "
                f"{self.classes.num_classes - 1}, or leave it out to ignore such pixels"
            )
            raise OptionError(msg)
