"""Pictures that stand still: matplotlib figures of their own, large type, readable without colour.

No function touches pyplot's global state, so they may be called from widget callbacks. Figures
carry their alternative text in `figure.alt`; `png` returns both.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.transforms import Bbox
from PIL import Image

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from .cohorts.study import Subject

# Okabe and Ito 2008, "Color universal design": told apart with every common kind of colour
# blindness.
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, RED, PINK = (
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#F0E442",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
)
COLOUR = {"source": BLUE, "target": RED, "prediction": ORANGE, "truth": "#FFFFFF"}
MARKER = {"source": "o", "target": "^"}
SERIES = tuple(
    zip(
        (BLUE, RED, GREEN, BLACK, PINK, SKY),
        "o^sDvP",
        ("-", "--", "-.", ":", "-", "--"),
        strict=True,
    )
)
INK = 14  # points on a figure 10 inches wide


class Picture(Figure):
    """A figure with alternative text and the type size of this lecture."""

    alt: str = ""

    def __init__(self, width: float = 10, height: float = 4, alt: str = "") -> None:
        super().__init__(figsize=(width, height), layout="constrained", facecolor="white")
        FigureCanvasAgg(self)
        self.alt = alt

    def _repr_mimebundle_(
        self, include: Any = None, exclude: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        data, alt = png(self)
        return {"image/png": data, "text/plain": alt}, {"image/png": {"alt": alt}}


def png(figure: Picture, dpi: int = 100) -> tuple[bytes, str]:
    """Return a figure as PNG bytes and its alternative text."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=dpi)
    return file.getvalue(), figure.alt


def upright(plane: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Turn a slice [Y, X] as radiologists hang it: front up, the patient's right on the left.

    Parameters
    ----------
    plane
        A slice of an array [Z, Y, X]; further axes may follow.
    affine
        4x4, from voxel (x, y, z) to mm (RAS+); only the signs of x and y are read.
    """
    if affine[1, 1] > 0:  # y grows towards the front, rows of a picture grow downwards
        plane = plane[::-1]
    return plane[:, ::-1] if affine[0, 0] > 0 else plane


def grey(plane: np.ndarray, low: float = -2.5, high: float = 3.0) -> np.ndarray:
    """Return a slice as uint8: `low` black, `high` white, and 0, the outside, black."""
    return (np.clip((plane - low) / (high - low), 0, 1) * 255).astype(np.uint8) * (plane != 0)


def outlined(
    plane: np.ndarray,
    prediction: np.ndarray | None = None,
    truth: np.ndarray | None = None,
    scale: int = 4,
) -> np.ndarray:
    """Enlarge a grey slice and draw outlines: prediction full and orange, truth dashed and white.

    Parameters
    ----------
    plane
        uint8 [Y, X].
    prediction, truth
        Class indices [Y, X], 0 = background; every structure is outlined.
    scale
        Enlargement, a whole number.

    Returns
    -------
    uint8 [scale * Y, scale * X, 3].
    """
    size = (plane.shape[1] * scale, plane.shape[0] * scale)
    big = np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BICUBIC))
    picture = np.repeat(big[..., None], 3, axis=2)
    row, column = np.ogrid[: size[1], : size[0]]
    for mask, name in ((truth, "truth"), (prediction, "prediction")):
        if mask is None:
            continue
        edge = _edge(np.kron(mask, np.ones((scale, scale), mask.dtype)))
        if name == "truth":
            picture[_thick(edge)] = (
                0  # a dark rim, so that white stands out from bright lesions, too
            )
            edge = edge & ((row + column) // (2 * scale) % 3 < 2)
        picture[_thick(edge) if name == "prediction" else edge] = _rgb(COLOUR[name])
    return picture


def slice_picture(
    subject: Subject,
    channel: int,
    z: int,
    prediction: np.ndarray | None = None,
    truth: np.ndarray | None = None,
) -> np.ndarray:
    """Return one slice with outlines, uint8 [Y, X, 3], as radiologists hang it.

    Parameters
    ----------
    prediction, truth
        Class indices [Y, X] of this slice.
    """
    plane, *masks = (
        None if plane is None else upright(plane, subject.affine)
        for plane in (subject.image[channel, z], prediction, truth)
    )
    assert plane is not None
    return outlined(grey(plane), masks[0], masks[1])


def encoded(picture: np.ndarray) -> bytes:
    """Return an array uint8 [Y, X] or [Y, X, 3] as PNG bytes, quickly."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="png", compress_level=1)
    return file.getvalue()


def _edge(mask: np.ndarray) -> np.ndarray:
    """Mark the pixels whose neighbour to the right or below belongs to another class."""
    edge = np.zeros(mask.shape, bool)
    edge[:-1] |= mask[:-1] != mask[1:]
    edge[:, :-1] |= mask[:, :-1] != mask[:, 1:]
    return edge


def _thick(edge: np.ndarray) -> np.ndarray:
    """Let a line grow by one pixel to each side."""
    thick = edge.copy()
    thick[1:] |= edge[:-1]
    thick[:, 1:] |= edge[:, :-1]
    thick[:-1] |= edge[1:]
    thick[:, :-1] |= edge[:, 1:]
    return thick


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour[1:]))


def telling_slice(subject: Subject) -> int:
    """Return the slice with the largest structure; the middle one where there is no label."""
    if subject.label is None:
        return subject.image.shape[1] // 2
    return int(np.argmax((subject.label > 0).sum(axis=(1, 2))))


def contact_sheet(subject: Subject, channels: Sequence[str], z: int | None = None) -> Picture:
    """Show one slice of every channel side by side, as radiologists hang it.

    Parameters
    ----------
    subject
        A `Subject`.
    channels
        Names of its channels.
    z
        The slice; without it the one with the largest structure, or the middle one.
    """
    z = telling_slice(subject) if z is None else z
    figure = Picture(2.6 * len(channels), 3.1)
    for index, (name, axes) in enumerate(
        zip(channels, np.atleast_1d(figure.subplots(1, len(channels))), strict=True)
    ):
        plane = grey(upright(subject.image[index, z], subject.affine))
        axes.imshow(
            plane,
            cmap="gray",
            vmin=0,
            vmax=255,
            aspect=subject.spacing_mm[1] / subject.spacing_mm[2],
        )
        axes.set_title(name, fontsize=INK + 2)
        axes.set_axis_off()
    figure.alt = f"Slice {z} of subject {subject.name}: channels {', '.join(channels)}."
    return figure


def overlay(
    subject: Subject,
    prediction: np.ndarray | None = None,
    channel: int = 0,
    z: int | None = None,
    title: str = "",
) -> Picture:
    """Show one slice with the outlines of prediction (full, orange) and truth (dashed, white).

    Parameters
    ----------
    subject
        A `Subject`; its label, if any, is the truth.
    prediction
        Class indices [Z, Y, X].
    channel, z
        What is shown; without z the slice with the largest structure, or the middle one.
    """
    z = telling_slice(subject) if z is None else z
    masks = [None if volume is None else volume[z] for volume in (prediction, subject.label)]
    picture = slice_picture(subject, channel, z, masks[0], masks[1])
    figure = Picture(5, 5.4)
    axes = figure.subplots()
    axes.imshow(picture, aspect=subject.spacing_mm[1] / subject.spacing_mm[2])
    axes.set_axis_off()
    axes.set_title(title or f"{subject.name}, slice {z}", fontsize=INK)
    figure.alt = (
        f"Slice {z} of subject {subject.name}, outlines of prediction (full) and truth (dashed)."
    )
    return figure


def ribbon(
    axes: Axes,
    x: Sequence[float],
    runs: np.ndarray,
    label: str,
    which: int = 0,
    markers: bool = True,
) -> None:
    """Draw the mean of several runs [runs, points] over x, their range as a ribbon.

    `which` picks colour, marker and line.
    """
    colour, marker, line = SERIES[which % len(SERIES)]
    axes.fill_between(x, np.min(runs, axis=0), np.max(runs, axis=0), color=colour, alpha=0.18, lw=0)
    axes.plot(
        x,
        np.mean(runs, axis=0),
        line,
        color=colour,
        marker=marker if markers else "",
        ms=8,
        lw=2.5,
        label=label,
    )


def curves(
    series: Mapping[str, tuple[Sequence[float], np.ndarray]],
    x_label: str,
    y_label: str,
    title: str = "",
    alpha_axis: bool = False,
) -> Picture:
    """Draw curves with ribbons.

    Parameters
    ----------
    series
        Name -> (x [points], runs [runs, points]): the mean is the line, the range over runs the
        ribbon.
    x_label, y_label
        With units.
    alpha_axis
        Logarithmic from the smallest positive x on, with 0 as its own place on the left.
    """
    figure = Picture(10, 5)
    axes = figure.subplots()
    for which, (name, (x, runs)) in enumerate(series.items()):
        ribbon(axes, x, np.atleast_2d(runs), name, which)
    if alpha_axis:
        ticks = sorted({float(v) for x, _ in series.values() for v in x})
        axes.set_xscale("symlog", linthresh=min(v for v in ticks if v > 0), linscale=0.5)
        axes.set_xticks(ticks, [f"{v:g}" for v in ticks])
        axes.minorticks_off()
    dress(axes, x_label, y_label, title)
    axes.legend(fontsize=INK, frameon=False)
    figure.alt = f"{title or y_label} over {x_label}: {', '.join(series)}."
    return figure


def dress(axes: Axes, x_label: str, y_label: str, title: str = "") -> None:
    """Give axes their labels, large, and take away what is not read."""
    axes.set_xlabel(x_label, fontsize=INK)
    axes.set_ylabel(y_label, fontsize=INK)
    axes.set_title(title, fontsize=INK + 2, loc="left")
    axes.tick_params(labelsize=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.3)


def table(frame: pd.DataFrame, title: str = "") -> Picture:
    """Show a small table as a picture; its cells are printed as they are, so format them first."""
    rows = [[str(cell) for cell in row] for row in frame.itertuples(index=False)]
    figure = Picture(10, 0.45 * (len(rows) + 2))
    axes = figure.subplots()
    axes.set_axis_off()
    axes.set_title(title, fontsize=INK + 2, loc="left")
    drawn = axes.table(
        rows, colLabels=[str(c) for c in frame.columns], cellLoc="center", bbox=Bbox.unit()
    )
    drawn.auto_set_font_size(False)
    drawn.set_fontsize(INK)
    drawn.auto_set_column_width(range(len(frame.columns)))
    for (row, column), cell in drawn.get_celld().items():
        cell.visible_edges = "B" if row else "BT"
        cell.set_text_props(
            weight="bold" if row == 0 else "normal", ha="left" if column == 0 else "center"
        )
    lines = [", ".join(row) for row in rows]
    figure.alt = f"Table {title}: {', '.join(map(str, frame.columns))}. {'; '.join(lines)}."
    return figure


# Light and dark differ as well as the hue, so that a print in grey still tells the three apart.
ERRORS = {"hit": BLUE, "false alarm": ORANGE, "missed": YELLOW}


def errors(
    prediction: np.ndarray, truth: np.ndarray, plane: np.ndarray | None = None
) -> np.ndarray:
    """Colour what a prediction got right and wrong: uint8 [Y, X, 3].

    Parameters
    ----------
    prediction, truth
        Boolean or class indices [Y, X]; above 0 is foreground.
    plane
        uint8 [Y, X], what lies beneath; black without it.
    """
    beneath = np.zeros(truth.shape, np.uint8) if plane is None else plane
    picture = np.repeat(beneath[..., None], 3, axis=2)
    predicted, there = prediction > 0, truth > 0
    masks = (predicted & there, predicted & ~there, there & ~predicted)
    for mask, colour in zip(masks, ERRORS.values(), strict=True):
        picture[mask] = _rgb(colour)
    return picture


def slice_of(
    subject: Subject, z: int, channel: int = 0, prediction: np.ndarray | None = None
) -> np.ndarray:
    """One slice as radiologists hang it: grey [Y, X], or with the errors of a prediction [Y, X, 3].

    Parameters
    ----------
    subject
        A `Subject`, with a label where a prediction is given.
    z, channel
        What is shown.
    prediction
        Class indices [Z, Y, X].
    """
    plane = grey(upright(subject.image[channel, z], subject.affine))
    if prediction is None:
        return plane
    assert subject.label is not None
    predicted, truth = (upright(v[z], subject.affine) for v in (prediction, subject.label))
    return errors(predicted, truth, plane)


def gallery(
    pictures: Mapping[str, np.ndarray], alt: str, columns: int = 5, legend: bool = False
) -> Picture:
    """Show pictures with their titles, row by row.

    Parameters
    ----------
    pictures
        Title -> uint8 [Y, X] or [Y, X, 3].
    alt
        What a person who cannot see them has to know.
    columns
        Pictures in a row.
    legend
        Whether to say what the colours of `errors` mean.
    """
    rows = -(-len(pictures) // columns)
    lines = 1 + max(title.count("\n") for title in pictures)
    height = rows * (10 / columns + 0.26 * lines) + 0.45 * legend  # inches
    figure = Picture(10, height, alt)
    for axes in (places := figure.subplots(rows, columns, squeeze=False).ravel()):
        axes.set_axis_off()
        axes.set_anchor("S")  # what is left over goes to the titles
    for axes, (title, picture) in zip(places, pictures.items(), strict=False):
        axes.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axes.set_title(title, fontsize=INK)
    if legend:
        patches = [Patch(facecolor=c, edgecolor=BLACK, label=name) for name, c in ERRORS.items()]
        figure.legend(
            handles=patches, loc="outside lower center", ncols=3, fontsize=INK, frameon=False
        )
    return figure


def score_table(
    rows_of: Mapping[str, pd.DataFrame], title: str = "", subjects_of: str = ""
) -> Picture:
    """Show DSC, recall and precision in percent: mean (std) of each entry.

    Parameters
    ----------
    rows_of
        Name -> what `evaluate` gives.
    title
        Of the table.
    subjects_of
        The entry whose subjects have a line each, above its mean.
    """
    import pandas as pd

    from .evaluation import RATIOS, mean_std

    lines = []
    for name, rows in rows_of.items():
        if name == subjects_of:
            percent = (100 * rows[list(RATIOS)]).map("{:.1f}".format)
            lines += [list(line) for line in zip(rows.subject, *percent.T.values, strict=True)]
        # One subject has no spread.
        means = [mean_std(rows[m]).removesuffix(" (0.0)" * (len(rows) == 1)) for m in RATIOS]
        lines.append([name, *means])
    return table(pd.DataFrame(lines, columns=["", "DSC", "recall", "precision"]), title)
