"""The results explorer where nothing moves: each of its views as a picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from cdseg_teach import plots, slices
from cdseg_teach.evaluation import mean_std
from cdseg_teach.problems import Problem
from cdseg_teach.slices import BLACK

if TYPE_CHECKING:
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
    except Problem as problem:
        return _note(f"{lab.title}: {problem}.")


def lane(k: int, seeds: int) -> float:
    """Return how far below the middle of its method's row the k-th seed's dots are."""
    return 0.7 * ((k + 0.5) / seeds - 0.5)


def case_picture(case: Any) -> np.ndarray:
    """Return uint8 [Y, X, 3]: the slice with the outlines of prediction and truth."""
    return slices.slice_picture(case.subject, 0, 0, case.prediction[0], case.subject.label[0])


def case_lines(case: Any) -> tuple[str, str, str]:
    """Return method, subject with its seed, and slice with the DSC of the whole volume."""
    who = f"{case.subject.name}, seed {case.seed}"
    return case.method, who, f"DSC {100 * case.dsc:.0f} %, slice {case.slice}"


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
            y = np.full(len(own), row + lane(k, len(seeds)))
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
    return plots.curves(lab.over_shift(), "shift strength", lab.metric, f"{lab.title} on T")


def _over_alpha(lab: ResultsExplorer) -> plots.Picture:
    title = f"{lab.title}, adversarial"
    return plots.curves(lab.over_alpha(), "α", lab.metric, title, alpha_axis=True)


def _cases(lab: ResultsExplorer) -> plots.Picture:
    cases = lab.cases()
    pictures = {"\n".join(case_lines(case)): case_picture(case) for case in cases}
    told = "; ".join(", ".join(case_lines(case)) for case in cases)
    alt = f"The test subject of T that each method does worst on: {told}. "
    return plots.gallery(pictures, alt + "Outlines: prediction full, truth dashed.", columns=3)


def _note(text: str) -> plots.Picture:
    """Say something where a picture would stand."""
    figure = plots.Picture(10, 1.2, text)
    figure.text(0.01, 0.5, text, fontsize=plots.INK, va="center", wrap=True)
    return figure
