"""Figures that stand still: matplotlib figures of their own, large type, readable without colour.

No function touches pyplot's global state, so they may be called from widget callbacks. Figures
carry their alternative text in `figure.alt`; `png` returns both.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Bbox

from cdseg_teach.slices import BLACK, BLUE, ERRORS, GREEN, PINK, RED, SKY, STRUCTURES, slice_picture

# A notebook draws what it shows with `plots` alone.
from cdseg_teach.slices import errors as errors
from cdseg_teach.slices import slice_of as slice_of
from cdseg_teach.slices import structures_of as structures_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from cdseg_teach.cohorts import Cohort
    from cdseg_teach.experiments.alignment import Line

# Colour, marker and line of each curve; the first is the source's, the second the target's.
SERIES = (
    (BLUE, "o", "-"),
    (RED, "^", "--"),
    (GREEN, "s", "-."),
    (BLACK, "D", ":"),
    (PINK, "v", "-"),
    (SKY, "P", "--"),
)
INK = 14  # points on a figure 10 inches wide
BESIDE = 3  # curves; with more, their names would lie on them


def look(number: int) -> tuple[str, str, str]:
    """Colour, marker and line of the curve with this number: `SERIES`, then other pairs of them."""
    again, first = divmod(number, len(SERIES))
    return SERIES[first][0], *SERIES[(first + again) % len(SERIES)][1:]


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


def curves(
    series: Mapping[str, tuple[Sequence[float], np.ndarray]],
    x_label: str,
    y_label: str,
    title: str = "",
    alpha_axis: bool = False,
) -> Picture:
    """Draw curves with ribbons; percentages run from 0 to 100, so that figures can be compared.

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
    figure = Picture(10, max(5, 0.32 * len(series)))
    axes = figure.subplots()
    looks = map(look, itertools.count())
    for (name, (x, runs)), (colour, marker, line) in zip(series.items(), looks, strict=False):
        runs = np.atleast_2d(runs)
        low, high = runs.min(axis=0), runs.max(axis=0)
        axes.fill_between(x, low, high, color=colour, alpha=0.18, lw=0)
        mean = runs.mean(axis=0)
        axes.plot(x, mean, line, color=colour, marker=marker, ms=8, lw=2.5, label=name)
    if alpha_axis:
        ticks = sorted({float(v) for x, _ in series.values() for v in x})
        axes.set_xscale("symlog", linthresh=min(v for v in ticks if v > 0), linscale=0.5)
        axes.set_xticks(ticks, [f"{v:g}" for v in ticks])
        axes.minorticks_off()
    elif all(float(v).is_integer() for x, _ in series.values() for v in x):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))  # there is no step 2.5
    dress(axes, x_label, y_label, title)
    if y_label.endswith("(%)"):
        axes.set_ylim(-2, 102)
    if len(series) <= BESIDE:
        axes.legend(fontsize=INK, frameon=False)
    else:
        figure.legend(loc="outside right upper", fontsize=INK, frameon=False)
    told = "; ".join(f"{name} {_in_words(x, runs)}" for name, (x, runs) in series.items())
    figure.alt = f"{title or y_label}. {y_label} over {x_label}: {told}."
    return figure


def _in_words(x: Sequence[float], runs: np.ndarray, most: int = 8) -> str:
    """What a curve says, at a few of its points."""
    mean = np.atleast_2d(runs).mean(axis=0)
    told = np.unique(np.linspace(0, len(mean) - 1, min(most, len(mean))).round().astype(int))
    return ", ".join(f"{mean[i]:.0f} at {x[i]:g}" for i in told)


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


def intervals(tables: Mapping[str, pd.DataFrame], x_label: str, title: str = "") -> Picture:
    """Draw differences with their intervals, a line for each row of the tables.

    Parameters
    ----------
    tables
        Name -> columns `difference`, `low` and `high`; rows of one name share a line.
    x_label
        With unit.
    """
    names = list(dict.fromkeys(name for table in tables.values() for name in table.index))
    figure = Picture(10, 1.8 + (0.16 + 0.14 * len(tables)) * len(names))
    axes = figure.subplots()
    axes.axvline(0, color=BLACK, lw=1.5)
    told = []
    for number, (label, table) in enumerate(tables.items()):
        colour, marker, _ = SERIES[number % len(SERIES)]
        at = np.array([names.index(name) for name in table.index])
        at = at + 0.22 * (number - (len(tables) - 1) / 2)
        axes.hlines(at, table.low, table.high, color=colour, lw=3)
        axes.plot(table.difference, at, marker, color=colour, ms=9, label=label)
        lines = zip(table.index, table.difference, table.low, table.high, strict=True)
        each = [
            f"{name} {mean:+.0f} ({low:+.0f} to {high:+.0f})" for name, mean, low, high in lines
        ]
        told.append(f"{label}: {', '.join(each)}")
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    dress(axes, x_label, "")
    axes.grid(axis="x", alpha=0.3)
    # Above the names as well, which may be long.
    figure.suptitle(title, fontsize=INK + 2, x=0.01, ha="left")
    if len(tables) > 1:
        figure.legend(loc="outside lower center", ncols=len(tables), fontsize=INK, frameon=False)
    figure.alt = f"{title or x_label}. {'; '.join(told)}."
    return figure


def gallery(
    pictures: Mapping[str, np.ndarray] | Sequence[tuple[str, np.ndarray]],
    alt: str,
    columns: int = 5,
    legend: bool | Sequence[str] = False,
) -> Picture:
    """Show pictures with their titles, row by row.

    Parameters
    ----------
    pictures
        Title -> uint8 [Y, X] or [Y, X, 3]; or pairs of these.
    alt
        What a person who cannot see them has to know.
    columns
        Pictures in a row.
    legend
        Whether to say what the colours of `errors` mean; or the names of the structures that
        `structures_of` shows.
    """
    pairs = list(pictures.items() if isinstance(pictures, Mapping) else pictures)
    rows = -(-len(pairs) // columns)
    lines = 1 + max(title.count("\n") for title, _ in pairs)
    tallest = max(picture.shape[0] / picture.shape[1] for _, picture in pairs)
    height = rows * (10 / columns * tallest + 0.26 * lines) + 0.45 * bool(legend)  # inches
    figure = Picture(10, height, alt)
    for axes in (places := figure.subplots(rows, columns, squeeze=False).ravel()):
        axes.set_axis_off()
        axes.set_anchor("S")  # what is left over goes to the titles
    for axes, (title, picture) in zip(places, pairs, strict=False):
        axes.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axes.set_title(title, fontsize=INK)
    if legend:
        explain(figure, ERRORS if legend is True else colours_of(legend))
    return figure


def contact_sheet(cohort: Cohort, channel: int = 0, most: int = 15) -> Picture:
    """One slice of each subject of a cohort, the one with most of the label, which is outlined.

    Parameters
    ----------
    cohort
        Its splits are read.
    channel
        Which one to show.
    most
        Subjects at most: of a larger cohort the first ones.
    """
    people = [
        (subject, split)
        for split, those in cohort.splits.items()
        for subject in those.subjects[:most]
    ][:most]
    names = _short([subject.name for subject, _ in people])
    pictures = []
    for name, (subject, split) in zip(names, people, strict=True):
        z = subject.telling_slice()
        truth = None if subject.label is None else subject.label[z]
        # As large as it is shown: of one that is made smaller, the white of the outline is lost.
        picture = slice_picture(
            subject, channel, z, None, truth, structures=len(cohort.structures), scale=2
        )
        told = f"{name}\n{split}" + ", no label" * (truth is None)
        pictures.append((told, picture))
    shown = f"{len(pictures)} of {len(cohort.names)} subjects"
    alt = f"{cohort.name}, {cohort.channels[channel]}, {shown}, labels dashed in white."
    unlabelled = [n for n, (subject, _) in zip(names, people, strict=True) if subject.label is None]
    if unlabelled:
        alt += f" Without a label: {', '.join(unlabelled)}."
    return gallery(pictures, alt, columns=min(5, len(pictures)))


def _short(names: Sequence[str], most: int = 16) -> list[str]:
    """Names that fit above a picture: the end of a long one, numbered where ends agree."""
    ends = [name if len(name) <= most else f"…{name[2 - most :]}" for name in names]
    return [
        end if ends.count(end) == 1 else f"{number}: …{end[6 - most :]}"
        for number, end in enumerate(ends, start=1)
    ]


def colours_of(structures: Sequence[str]) -> dict[str, str]:
    """Structure -> its colour in `structures_of`."""
    return dict(zip(structures, STRUCTURES, strict=False))


def explain(figure: Picture, colours: Mapping[str, str]) -> None:
    """Say below a figure what its colours mean."""
    patches = [Patch(facecolor=c, edgecolor=BLACK, label=name) for name, c in colours.items()]
    figure.legend(
        handles=patches,
        loc="outside lower center",
        ncols=len(patches),
        columnspacing=1.2 if len(patches) > 3 else None,  # seven fit side by side
        fontsize=INK,
        frameon=False,
    )


def alignment(lines: Mapping[str, Line], title: str = "") -> Picture:
    """Show features on a line, S upwards and T downwards, and the threshold learned on S.

    Parameters
    ----------
    lines
        Title -> features, such as `experiments.alignment.lines` gives.
    title
        Of the whole.
    """
    from cdseg_teach.experiments.alignment import bounds, threshold

    rows = -(-len(lines) // 2)
    figure = Picture(10, 2.9 * rows + 1, f"{title}: features on a line.")
    figure.suptitle(title, fontsize=INK + 2)
    places = figure.subplots(rows, 2, sharex=True, sharey=True, squeeze=False).ravel()
    points = np.concatenate([x for line in lines.values() for x in (line.source, line.target)])
    bins = np.linspace(points.min(), points.max(), 50)
    for axes, (name, line) in zip(places, lines.items(), strict=False):
        domains = ((1, line.source, line.source_class), (-1, line.target, line.target_class))
        for up, x, is_1 in domains:
            zeros, both = (up * np.histogram(part, bins)[0] for part in (x[~is_1], x))
            axes.stairs(zeros, bins, fill=True, color=BLUE, label="class 0")
            ones = axes.stairs(both, bins, baseline=zeros, fill=True, label="class 1")
            ones.set(facecolor=RED, edgecolor=BLACK, hatch="//")
        axes.axvline(threshold(line)[0], color=BLACK, ls="--", lw=2, label="learned on S")
        axes.axhline(0, color=BLACK, lw=1)
        told = bounds(line)
        said = f"A-distance {told['a_distance']:.1f}, error on T {100 * told['error_target']:.0f} %"
        dress(axes, "", "", f"{name}\n{said}")
        axes.set_yticks([-len(line.target) / 20, len(line.source) / 20], ["T", "S"])
        figure.alt += f" {name}: {said}, on S {100 * told['error_source']:.0f} %,"
        figure.alt += f" lambda {told['lambda']:.2f}."
    handles, names = places[0].get_legend_handles_labels()
    entries = dict(
        sorted(zip(names, handles, strict=True), key=lambda entry: entry[0])
    )  # those of S and of T are the same
    figure.legend(
        entries.values(), entries, loc="outside lower center", ncols=3, fontsize=INK, frameon=False
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

    from cdseg_teach.evaluation import RATIOS, mean_std

    lines = []
    for name, rows in rows_of.items():
        if name == subjects_of:
            percent = (100 * rows[list(RATIOS)]).map("{:.1f}".format)
            lines += [list(line) for line in zip(rows.subject, *percent.T.values, strict=True)]
        # One subject has no spread.
        means = [mean_std(rows[m]).removesuffix(" (0.0)" * (len(rows) == 1)) for m in RATIOS]
        lines.append([name, *means])
    return table(pd.DataFrame(lines, columns=["", "DSC", "recall", "precision"]), title)
