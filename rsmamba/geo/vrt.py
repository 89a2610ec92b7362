"""The file names that a VRT holds, read without GDAL.

Source: GDAL 3.10, "VRT -- GDAL Virtual Format" and its schema ``gdalvrt.xsd``. What is not known to
be harmless is refused: a new GDAL may give an old word a new meaning.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree.ElementTree import Element, ParseError, XMLParser

from rsmamba.errors import SceneError
from rsmamba.geo.crs import names_a_place

LARGEST_XML_BYTES = 64 * 2**20

_FILE_ELEMENTS = frozenset({"SourceFilename", "SourceDataset"})
_KNOWN_SUBCLASSES = frozenset(
    {
        "VRTWarpedDataset", "VRTPansharpenedDataset",
        "VRTSourcedRasterBand", "VRTWarpedRasterBand", "VRTPansharpenedRasterBand",
    }
)  # fmt: skip
# Metadata domains through which GDAL is told to open something.
OPENING_DOMAINS = frozenset(
    {"overviews", "proxyoverviewrequest", "geolocation", "vrt_sources", "new_vrt_sources",
     "subdatasets"}
)  # fmt: skip
_KNOWN_ELEMENTS = frozenset(
    """
    VRTDataset SRS GeoTransform GCPList GCP Metadata MDI BlockXSize BlockYSize OverviewList
    VRTRasterBand Description UnitType Offset Scale CategoryNames Category ColorTable Entry
    ColorInterp NoDataValue HideNoDataValue Histograms HistItem HistMin HistMax BucketCount
    IncludeOutOfRange Approximate HistCounts MaskBand Overview SourceBand SourceProperties
    SimpleSource ComplexSource AveragedSource NoDataFromMaskSource KernelFilteredSource
    SrcRect DstRect NODATA ScaleOffset ScaleRatio Exponent SrcMin SrcMax DstMin DstMax Clamp LUT
    ColorTableComponent UseMaskBand MaskValueThreshold RemappedValue Kernel Size Coefs
    GDALWarpOptions WarpMemoryLimit ResampleAlg WorkingDataType Option SourceDataset Transformer
    BandList BandMapping SrcNoDataReal SrcNoDataImag DstNoDataReal DstNoDataImag DstAlphaBand
    SrcAlphaBand Cutline CutlineBlendDist MultiThreading ErrorThreshold
    ApproxTransformer MaxError MaxErrorForward MaxErrorReverse BaseTransformer
    GenImgProjTransformer SrcGeoTransform SrcInvGeoTransform DstGeoTransform DstInvGeoTransform
    ReprojectTransformer ReprojectionTransformer SourceSRS TargetSRS SourceCRS TargetCRS Options
    GCPTransformer SrcGCPTransformer DstGCPTransformer Order Reversed Refine MinimumGcps Tolerance
    TPSTransformer SrcTPSTransformer DstTPSTransformer
    RPCTransformer SrcRPCTransformer DstRPCTransformer HeightOffset HeightScale PixErrThreshold
    HomographyTransformer SrcHomographyTransformer DstHomographyTransformer Homography
    InverseHomography ForwardHomography AreaOfInterest SourceExtraInfo
    PansharpeningOptions Algorithm AlgorithmOptions Weights Resampling NumThreads BitDepth NoData
    SpatialExtentAdjustment PanchroBand SpectralBand dstBand GDALRasterAttributeTable FieldDefn
    Name Type Usage Row F Row0Min BinSize
    """.split()  # noqa: SIM905 - a list of words is easier to compare with the schema
)
_KNOWN_ATTRIBUTES = frozenset(
    """
    rasterXSize rasterYSize subClass dataType band blockXSize blockYSize relativeToVRT relativetoVRT
    shared dataAxisToSRSAxisMapping coordinateEpoch xOff yOff xSize ySize RasterXSize RasterYSize
    DataType BlockXSize BlockYSize domain key format Id Info Pixel Line X Y Z GCPZ Projection
    c1 c2 c3 c4 src dst resampling normalized value name mapping index tableType
    """.split()  # noqa: SIM905 - as above
)
# Warp options that name data sources or are handed to code.
_OPENING_OPTIONS = ("cutline", "filename", "file", "dem", "geoloc", "path", "python")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A file that a raster asks GDAL to open.

    Attributes:
        name: The name as it stands there.
        is_relative: True if it counts from the folder of the file that holds it.
    """

    name: str
    is_relative: bool


def vrt_references(content: bytes, *, path: object) -> list[Reference]:
    """List every file that a VRT names.

    Args:
        content: The VRT.
        path: Where it is, for messages.

    Returns:
        The references.

    Raises:
        SceneError: If it is no XML, or has parts that can run code or open what is not listed.
    """
    root = _parse_xml(content, path=path)
    # GDAL takes the first element of this name anywhere at the top; only one root is allowed.
    if root.tag != "VRTDataset":
        raise SceneError(refusal(path, f"its VRT text is inside an element {root.tag!r}"))
    return list(_walk(root, path=path))


def check_sidecar(content: bytes, *, path: object) -> None:
    """Refuse an ``.aux.xml`` sidecar that asks GDAL to open something.

    Args:
        content: The sidecar.
        path: Where it is, for messages.

    Raises:
        SceneError: If it does, or is no XML.
    """
    for element in _parse_xml(content, path=path).iter():
        if element.tag.lower() == "metadata":
            _check_metadata(element, path=path)
        elif element.tag.lower() == "srs":
            _check_srs(element.text or "", path=path)


def _parse_xml(content: bytes, *, path: object) -> Element:
    """Parse what this parser and GDAL's lenient one surely read alike."""
    if any(mark in content.replace(b"<?xml", b"", 1) for mark in (b"<!D", b"<!E", b"<![", b"<?")):
        raise SceneError(refusal(path, "it has a document type, CDATA or instructions"))
    # GDAL takes every file for UTF-8, whatever its first line says.
    parser = XMLParser(encoding="utf-8")
    try:
        parser.feed(content)
        root: Element = parser.close()
    except (ParseError, ValueError, LookupError) as error:
        raise SceneError(refusal(path, f"it is no well-formed XML ({error})")) from error
    return root


def _walk(element: Element, *, path: object) -> Iterator[Reference]:
    """Check an element and all below; metadata may hold any text, and GDAL only keeps it."""
    _check_attributes(element, path=path)
    if element.tag == "Metadata":
        _check_metadata(element, path=path)
        return
    text = (element.text or "").strip()
    if element.tag in _FILE_ELEMENTS:
        yield Reference(name=text, is_relative=_is_relative(element, path=path))
    elif element.tag not in _KNOWN_ELEMENTS:
        raise SceneError(refusal(path, f"it has an element {element.tag!r}"))
    elif element.tag.endswith(("SRS", "CRS")):
        _check_srs(text, path=path)
    for child in element:
        yield from _walk(child, path=path)


def _check_attributes(element: Element, *, path: object) -> None:
    """GDAL takes an attribute for an element of the same name, so both are limited."""
    unknown = sorted(set(element.attrib) - _KNOWN_ATTRIBUTES)
    if unknown:
        raise SceneError(refusal(path, f"it has an attribute {unknown[0]!r}"))
    subclass = element.get("subClass")
    if subclass is not None and subclass not in _KNOWN_SUBCLASSES:
        raise SceneError(refusal(path, f"it has a {subclass}"))
    name = element.get("name", "").lower() if element.tag == "Option" else ""
    if any(word in name for word in _OPENING_OPTIONS):
        raise SceneError(refusal(path, f"it has the option {name!r}"))


def _is_relative(element: Element, *, path: object) -> bool:
    text = element.get("relativeToVRT", element.get("relativetoVRT", "0"))
    if text not in {"0", "1"}:
        raise SceneError(refusal(path, f"relativeToVRT is {text!r}, not 0 or 1"))
    return text == "1"


def _check_metadata(element: Element, *, path: object) -> None:
    domain = element.get("domain", "").lower()
    if domain in OPENING_DOMAINS and len(element):
        raise SceneError(refusal(path, f"it has metadata of the domain {domain!r}"))


def _check_srs(text: str, *, path: object) -> None:
    """GDAL would fetch a CRS that is an address, and read one that is a file."""
    if names_a_place(text):
        raise SceneError(refusal(path, f"its CRS {text[:60]!r} is an address or a file"))


def refusal(path: object, reason: str) -> str:
    """Make the message for a scene that could reach outside.

    Args:
        path: The file.
        reason: What it has.

    Returns:
        The message.
    """
    return (
        f"{path} is refused, since it could open other files or run code: {reason}; convert it to "
        "GeoTIFF, or trust it with --allow-remote"
    )
