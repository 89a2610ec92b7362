"""The sections of the page, each as HTML."""

import json

from rsmamba.evaluation.result import AccuracyReport, WorstTile
from rsmamba.metrics.area import FACTOR_95
from rsmamba.report.charts import bar_chart, confusion_chart, line_chart, reliability_chart
from rsmamba.report.images import layers
from rsmamba.report.markup import escaped, interval_text, percent, section, swatch, table

_NUMBERS = (
    ("overall accuracy", "overall_accuracy"),
    ("mean IoU", "mean_iou"),
    ("mean F1", "mean_f1"),
    ("kappa", "kappa"),
)


def summary(report: AccuracyReport) -> str:
    """Numbers and protocol stamp.

    Args:
        report: The report.

    Returns:
        HTML.
    """
    boxes = []
    for label, name in _NUMBERS:
        value = getattr(report.scores, name)
        shown = f"{value:.4f}" if name == "kappa" else f"{percent(value)} %"
        ends = None if report.intervals is None else getattr(report.intervals, name)
        text = interval_text(ends, as_percent=name != "kappa")
        boxes.append(
            f'<div class="number"><span class="soft">{label}</span><b>{shown}</b>'
            f'<span class="soft">{text}</span></div>'
        )
    rows = "".join(
        f"<tr><td><b>{escaped(name)}</b></td><td>{escaped(text)}</td></tr>"
        for name, text in report.stamp().items()
    )
    blocks = ""
    if report.intervals is not None:
        blocks = (
            f'<p class="soft">95 % intervals from {report.intervals.resamples:,} resamples of '
            f"{report.intervals.blocks:,} tiles of {report.tile} px (block bootstrap).</p>"
        )
    return (
        f'<section><h1>Accuracy report</h1><div class="numbers">{"".join(boxes)}</div>{blocks}'
        f'<h2>Protocol stamp</h2><table class="stamp" id="stamp">{rows}</table></section>'
    )


def per_class(report: AccuracyReport) -> str:
    """Bars and a table of every class.

    Args:
        report: The report.

    Returns:
        HTML.
    """
    names, colours = report.classes.names, report.classes.colours
    chart = bar_chart(report.scores, names, colours=colours, intervals=report.intervals)
    rows = []
    for index, name in enumerate(names):
        values = report.class_scores(index)
        shares = [percent(float(values[key])) for key in ("precision", "recall", "f1", "iou")]
        pixels = [f"{values[key]:,}" for key in ("reference_pixels", "map_pixels")]
        means = "yes" if values["in_means"] and values["present"] else "no"
        rows.append([swatch(colours[index]) + escaped(name), *shares, *pixels, means])
    header = ["class", "precision", "recall", "F1", "IoU", "reference px", "map px", "in means"]
    return section("Classes", chart + table(header, rows))


def confusion(report: AccuracyReport) -> str:
    """The confusion matrix as a picture and as a table.

    Args:
        report: The report.

    Returns:
        HTML.
    """
    names = [escaped(name) for name in report.classes.names]
    rows = [
        [name, *(f"{count:,}" for count in counts), f"{sum(counts):,}"]
        for name, counts in zip(names, report.counts.tolist(), strict=True)
    ]
    rows.append(
        [
            "all",
            *(f"{count:,}" for count in report.counts.sum(axis=0).tolist()),
            f"{report.tally.counted:,}",
        ]
    )
    text = (
        "<p class='soft'>Rows are reference classes, columns map classes; in the picture, percent "
        "of the row.</p>"
    )
    chart = confusion_chart(report.counts, report.classes.names)
    return section(
        "Confusion matrix", text + chart + table(["reference \\ map", *names, "all"], rows)
    )


def curve(report: AccuracyReport) -> str:
    """Scores by boundary radius.

    Args:
        report: The report.

    Returns:
        HTML; empty without a curve.
    """
    if len(report.curve) < 2:
        return ""
    lines: dict[str, list[float]] = {
        "overall accuracy": [point.overall_accuracy for point in report.curve],
        "mean F1": [point.mean_f1 for point in report.curve],
        "mean IoU": [point.mean_iou for point in report.curve],
    }
    chart = line_chart(
        [point.radius for point in report.curve], dict(lines), x_label="boundary radius, pixels"
    )
    rows = [
        [f"{point.radius} px", *(percent(v[index]) for v in lines.values()), f"{point.pixels:,}"]
        for index, point in enumerate(report.curve)
    ]
    text = (
        "<p class='soft'>Pixels whose disc of this radius holds a second reference class are left "
        "out; radius 0 is the full reference, 3 the ISPRS practice.</p>"
    )
    return section("Boundary erosion", text + chart + table(["radius", *lines, "pixels"], rows))


def calibration(report: AccuracyReport) -> str:
    """The reliability diagram.

    Args:
        report: The report.

    Returns:
        HTML; empty without probabilities.
    """
    found = report.calibration
    if found is None:
        return ""
    text = (
        f"<p>Expected calibration error {found.expected_error:.4f}, largest error of a bin "
        f"{found.largest_error:.4f}. Bars above the dashed line: more often right than the scores "
        "say; below: overconfident.</p>"
    )
    return section("Calibration", text + reliability_chart(found))


def areas(report: AccuracyReport) -> str:
    """Area-adjusted accuracy and class areas.

    Args:
        report: The report.

    Returns:
        HTML.
    """
    found, estimates = report.areas, report.areas.estimates
    note = f"<p class='soft'>{escaped(found.note)}</p>"
    if estimates is None:
        return section("Class areas", note)
    rows = []
    for index, name in enumerate(report.classes.names):
        half = FACTOR_95 * estimates.area_se[index]
        pairs = [
            (estimates.users_accuracy, estimates.users_accuracy_se),
            (estimates.producers_accuracy, estimates.producers_accuracy_se),
        ]
        accuracies = [
            f"{percent(v[index])} ± {percent(FACTOR_95 * error[index])}" for v, error in pairs
        ]
        rows.append(
            [
                swatch(report.classes.colours[index]) + escaped(name),
                f"{estimates.mapped_area[index]:,.2f}",
                f"{estimates.area[index]:,.2f} ± {half:,.2f}",
                *accuracies,
            ]
        )
    overall = (
        f"<p>Area-adjusted overall accuracy {percent(estimates.overall_accuracy)} ± "
        f"{percent(FACTOR_95 * estimates.overall_accuracy_se)} (95 %).</p>"
    )
    unit = found.unit
    header = ["class", f"mapped {unit}", f"estimated {unit}", "user's accuracy", "producer's"]
    return section("Class areas", note + overall + table(header, rows))


def scene_table(report: AccuracyReport) -> str:
    """One row a scene.

    Args:
        report: The report.

    Returns:
        HTML.
    """
    rows = []
    for scene in report.scenes:
        details = escaped("; ".join([scene.grid, *scene.remarks]))
        names = ("overall_accuracy", "mean_f1", "mean_iou", "kappa")
        values = [percent(float(getattr(scene.scores, name))) for name in names[:3]]
        rows.append(
            [
                f"{escaped(scene.name)}<br><span class='soft'>{details}</span>",
                *values,
                f"{scene.scores.kappa:.4f}",
                f"{scene.tally.counted:,}",
                f"{scene.tally.total - scene.tally.counted:,}",
            ]
        )
    header = ["scene", "OA", "mean F1", "mean IoU", "kappa", "scored px", "left out px"]
    return section("Scenes", table(header, rows))


def viewer(report: AccuracyReport) -> str:
    """Swipe view of every scene.

    Args:
        report: The report.

    Returns:
        HTML; empty without pictures.
    """
    if not report.pictures:
        return ""
    encoded = [layers(picture, report.classes) for picture in report.pictures]
    scenes = [
        {
            "name": scene.name,
            "height": scene.height,
            "width": scene.width,
            "factor": picture.factor,
            "layers": found,
        }
        for scene, picture, found in zip(report.scenes, report.pictures, encoded, strict=True)
    ]
    names = list(encoded[0])
    content = json.dumps(scenes).replace("</", "<\\/")
    options = "".join(
        f'<option value="{index}">{escaped(scene.name)}</option>'
        for index, scene in enumerate(report.scenes)
    )
    legend = "".join(
        f"<span>{swatch(colour)}{escaped(name)}</span>"
        for name, colour in zip(report.classes.names, report.classes.colours, strict=True)
    )
    body = f"""<div class="bar"><label>scene <select id="scene">{options}</select></label>
<label>left <select id="left-layer">{_layer_options(names, names[0])}</select></label>
<label>right <select id="right-layer">{_layer_options(names, "errors")}</select></label>
<button id="zoom-in">zoom in</button><button id="zoom-out">zoom out</button>
<button id="zoom-fit">whole scene</button></div>
<div class="stage" id="stage">
<div class="pane" id="left"><img alt="left layer" draggable="false"></div>
<div class="pane" id="right"><img alt="right layer" draggable="false"></div>
<div class="mark" id="mark" hidden></div><div class="divider" id="divider"></div></div>
<input type="range" class="swipe" id="swipe" min="0" max="100" step="0.1" value="50"
 aria-label="swipe between the layers">
<div class="legend">{legend}<span>{swatch((196, 0, 40))}wrong</span>
<span>{swatch((222, 230, 222))}right</span></div>
<script type="application/json" id="scenes">{content}</script>"""
    return section("Where the errors are", body)


def worst_tiles(report: AccuracyReport) -> str:
    """The worst tiles with links to their place.

    Args:
        report: The report.

    Returns:
        HTML; empty if nothing is wrong.
    """
    if not report.worst_tiles:
        return ""
    cards = "".join(_card(report, tile) for tile in report.worst_tiles)
    return section("Worst tiles", f'<div class="tiles">{cards}</div>')


def _card(report: AccuracyReport, tile: WorstTile) -> str:
    window, scene = tile.window, report.scenes[tile.scene]
    place = f"row {window.row}, col {window.col}"
    if report.pictures:
        size = max(window.height, window.width)
        address = f"#scene={tile.scene}&amp;row={window.row}&amp;col={window.col}&amp;size={size}"
        place = f'<a class="place" href="{address}">{place}</a>'
    text = (
        f"<b>{percent(tile.wrong / tile.counted)} % wrong</b> "
        f"({tile.wrong:,} of {tile.counted:,} px) in {escaped(scene.name)}, {place}<br>"
        f"<span class='soft'>most often {escaped(tile.reference_class)} mapped as "
        f"{escaped(tile.map_class)}</span>"
    )
    if tile.picture is None:
        return f'<div class="tile">{text}</div>'
    figures = "".join(
        f'<figure><img src="{address}" alt="{name}">{name}</figure>'
        for name, address in layers(tile.picture, report.classes).items()
    )
    return f'<div class="tile">{text}<div>{figures}</div></div>'


def _layer_options(names: list[str], chosen: str) -> str:
    return "".join(
        f'<option value="{name}"{" selected" if name == chosen else ""}>{name}</option>'
        for name in names
    )
