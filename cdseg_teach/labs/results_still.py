"""The results explorer where nothing moves: each of its views as a picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from cdseg_teach import plots, slices
from cdseg_teach.evaluation import mean_std
from cdseg_teach.problems import Problem
from cdseg_teach.slices import BLACK

if TYPE_CHECKING:
    from cdseg_teach.experiments.worst import WorstCase
    from cdseg_teach.labs.results import ResultsExplorer

_COLUMNS = ["T", "± seeds", "S", "difference", "95 % interval"]


def drawn(lab: ResultsExplorer) -> plots.Picture:
    """Draw the chosen view; what the pack lacks is said instead."""
    draw: dict[str, Callable[[ResultsExplorer], plots.Picture]] = {
        "table": _table,
        "subjects": _dots,
        "over shift": _over_shift,
        "over α": _over_alpha,
        "worst cases": _cases,
    }
    try:
        return draw[lab.settings.view](lab)
    except Problem:
        return _note(lab.in_words())


def _table(lab: ResultsExplorer) -> plots.Picture:
    figure = plots.table(lab.table()[_COLUMNS].reset_index(), lab.title)
    figure.alt += f" Difference: to the control of each method; {lab.counted()}."
    return figure


def _dots(lab: ResultsExplorer) -> plots.Picture:
    dots, methods = lab.dots(), lab.settings.methods
    figure = plots.Picture(10, 1.6 + 0.42 * len(methods))
    axes = figure.subplots()
    seeds = dots.index.unique("seed")
    for k, seed in enumerate(seeds):
        own = dots.loc[seed]
        colour, marker, _ = plots.look(k)
        for row, name in enumerate(methods):
            label = f"seed {seed}" if row == 0 else None
            y = np.full(len(own), row + 0.7 * ((k + 0.5) / len(seeds) - 0.5))
            axes.plot(own[name], y, marker, color=colour, ms=6, alpha=0.8, label=label)
    axes.plot(dots.mean(), range(len(methods)), "|", color=BLACK, ms=26, mew=4)
    axes.set_yticks(range(len(methods)), methods)
    axes.invert_yaxis()
    plots.dress(axes, f"{lab.metric} on T; bar: mean", "", lab.title)
    axes.grid(axis="x", alpha=0.3)
    figure.legend(loc="outside lower center", ncols=8, fontsize=plots.INK, frameon=False)
    means = ", ".join(f"{name} {mean_std(dots[name], 1)}" for name in methods)
    figure.alt = f"{lab.title}. A dot a test subject of T; mean (std): {means}; {lab.counted()}."
    return figure


def _over_shift(lab: ResultsExplorer) -> plots.Picture:
    found, _ = lab.over_shift()
    figure = plots.curves(found, "shift strength", lab.metric, f"{lab.title} on T")
    return _with_count(figure, lab)


def _over_alpha(lab: ResultsExplorer) -> plots.Picture:
    found, _ = lab.over_alpha()
    title = f"{lab.title}, adversarial"
    figure = plots.curves(found, "α", lab.metric, title, alpha_axis=True)
    return _with_count(figure, lab)


def _with_count(figure: plots.Picture, lab: ResultsExplorer) -> plots.Picture:
    figure.alt += f" Line: mean over seeds; ribbon: from lowest to highest; {lab.counted()}."
    return figure


def _cases(lab: ResultsExplorer) -> plots.Picture:
    cases, _ = lab.cases()
    structures = lab.structures
    several = len(structures) > 1
    pictures = {"\n".join(_lines(case)): case_picture(case, len(structures)) for case in cases}
    told = "; ".join(", ".join(_lines(case)) for case in cases)
    alt = (
        f"{lab.title}. The test subject of T that each method does worst on, over all seeds, on "
        f"its slice with most wrong pixels; DSC of the whole volume: {told}. Prediction "
        f"{'in colour' if several else 'full line'}, truth dashed; {lab.counted()}."
    )
    return plots.gallery(pictures, alt, columns=4, legend=structures if several else False)


def case_picture(case: WorstCase, structures: int) -> np.ndarray:
    """Return uint8 [Y, X, 3]: the slice with prediction and truth."""
    label = case.subject.label
    assert label is not None  # a case is found by it
    return slices.slice_picture(
        case.subject, 0, 0, case.prediction[0], label[0], structures=structures
    )


def _lines(case: WorstCase) -> tuple[str, ...]:
    """Method, subject, and where the slice is, in lines that fit above a picture."""
    where = f"seed {case.seed}, slice {case.slice}", f"DSC {100 * case.dsc:.0f} %"
    return case.method, case.subject.name, *where


def _note(text: str) -> plots.Picture:
    """Say something where a picture would stand."""
    figure = plots.Picture(10, 1.2, text)
    figure.text(0.01, 0.5, text, fontsize=plots.INK, va="center", wrap=True)
    return figure
