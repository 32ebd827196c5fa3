"""The results explorer: the table of everything, its subjects, curves and worst cases.

This module is the lab without its controls; `results_view` draws it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cdseg_teach import plots
from cdseg_teach.experiments import recipes
from cdseg_teach.experiments.comparisons import per_subject, scale_of
from cdseg_teach.experiments.pack import lecture_pack
from cdseg_teach.experiments.summaries import gains, scores
from cdseg_teach.experiments.worst import WorstCase
from cdseg_teach.labs.display import Shown
from cdseg_teach.problems import Problem

TABLES = {
    "ge_to_swi": "brain, GE to SWI",
    "mr_to_ct": "heart, MR to CT",
    "ct_to_mr": "heart, CT to MR",
}
METRICS = {
    "dsc": "DSC (%)",
    "recall": "recall (%)",
    "precision": "precision (%)",
    "hd95_mm": "HD95 (mm)",
    "assd_mm": "ASSD (mm)",
}
VIEWS = ("table", "subjects", "over shift", "over α", "worst cases")
_SWEPT = {"over shift": "shift", "over α": "alpha"}
#: What is compared at first in a long table: a row of each kind, between floor and ceiling.
OPENING = ("source", "adversarial", "augmentation", "synthesis", "tent", "oracle")
ALL = "all"
_DOMAINS = {"source": "on S", "target": "on T"}
#: What a method may see, in a table's few letters.
_IN_SHORT = {
    recipes.SOURCE: "S",
    recipes.TARGET_IMAGES: "images of T",
    recipes.TARGET_LABELS: "labels of T",
    recipes.NETWORK: "network",
    recipes.AT_HAND: "image at hand",
}
#: Name of a curve -> x [points], and its runs [seeds, points].
Curves = dict[str, tuple[list[float], np.ndarray]]


@dataclass(frozen=True)
class Settings:
    """What is shown: one of `TABLES`, `METRICS` and `VIEWS`, methods, one structure or `ALL`."""

    direction: str
    methods: tuple[str, ...]
    metric: str = "dsc"
    structure: str = ALL
    view: str = "table"


class ResultsExplorer(Shown):
    """Recorded results, to be looked at from all sides.

    Parameters
    ----------
    pack
        Where the results are, with a `Problem` for what it lacks; the lecture pack that ships
        without it.
    settings
        What to begin with, as `choose` takes it.

    Raises
    ------
    Problem
        If the pack has no table at all, or a setting is none.

    Examples
    --------
    ResultsExplorer(); ResultsExplorer(direction="mr_to_ct", view="subjects")
    ResultsExplorer.from_csv("results.csv")
    """

    def __init__(self, pack: Any = None, **settings: Any) -> None:
        self.pack: Any = pack or lecture_pack()
        self.tables: Mapping[str, str] = getattr(self.pack, "tables", TABLES)
        self._answers: dict[tuple[str, ...], Any] = {}
        self._drawn: tuple[Settings, plots.Picture] | None = None
        self._gains: dict[tuple[str, ...], pd.DataFrame] = {}  # thousands of resamples each
        direction = settings.pop("direction", None) or self._first()
        self.settings = Settings(direction, self._opening(direction))
        self.choose(**settings)

    @classmethod
    def from_csv(cls, path: str | Path, **settings: Any) -> ResultsExplorer:
        """One's own results.csv, as `cdseg-teach table` writes it; it has no curves or pictures."""
        return cls(_Rows(_results(Path(path))), **settings)

    @property
    def methods(self) -> tuple[str, ...]:
        """All methods of the table, in its order."""
        return tuple(self.rows.method.drop_duplicates())

    @property
    def structures(self) -> tuple[str, ...]:
        """All structures of the table."""
        return tuple(self.rows.structure.drop_duplicates())

    @property
    def rows(self) -> pd.DataFrame:
        """The rows of the chosen table, of all its methods and structures."""
        return self._of(self.settings.direction)

    def choose(self, **settings: Any) -> None:
        """Show something else: any of `Settings`; what is not named stays, as far as it can.

        Raises
        ------
        Problem
            If there is no such thing, or the pack lacks it; then nothing is changed.
        """
        old, chosen = self.settings, replace(self.settings, **settings)
        if chosen.direction != old.direction:
            rows = self._of(chosen.direction)
            kept = tuple(name for name in chosen.methods if name in set(rows.method))
            chosen = replace(chosen, methods=kept or self._opening(chosen.direction))
            if chosen.structure not in set(rows.structure):
                chosen = replace(chosen, structure=ALL)
        rows = self._of(chosen.direction)
        _check("view", [chosen.view], VIEWS)
        _check("metric", [chosen.metric], METRICS)
        _check("structure", [chosen.structure], (ALL, *rows.structure.unique()))
        _check("method", chosen.methods, rows.method.unique())
        if not chosen.methods:
            raise Problem("nothing is left to compare; choose a method")
        self.settings = replace(chosen, methods=_in_order(rows, chosen.methods))

    def table(self) -> pd.DataFrame:
        """Return a line for each chosen method, as text.

        Holm's correction is over all rows of the table, chosen or not.
        """
        rows, metric = self._chosen(self.rows), self.settings.metric
        key = (self.settings.direction, metric, self.settings.structure)
        if key not in self._gains:
            self._gains[key] = gains(rows, metric)
        known = {
            name: _in_short(recipes.METHODS[name].sees)
            for name in self.methods
            if name in recipes.METHODS
        }
        sees = pd.Series(known, name="may see", dtype=object)
        table = pd.concat([scores(rows, metric), sees, self._gains[key]], axis=1)
        return table.reindex(self.settings.methods).fillna("-").rename_axis("method")

    def dots(self) -> pd.DataFrame:
        """Return the metric on T of each subject, a row a seed and subject, a column a method."""
        return per_subject(self._chosen(self.rows), self.settings.metric)[[*self.settings.methods]]

    def over_shift(self) -> tuple[Curves, str]:
        """Return the metric on T over shift strength, a curve a chosen method.

        Returns
        -------
        The curves, of complete runs, and in words which runs are not: "" if all are.

        Raises
        ------
        Problem
            If the pack has no such runs of this table or of these methods.
        """
        return self._curves("shift", self.settings.methods)

    def over_alpha(self) -> tuple[Curves, str]:
        """Return the metric of adversarial learning over alpha, on S and on T; as `over_shift`."""
        return self._curves("alpha", tuple(_DOMAINS.values()))

    def cases(self) -> tuple[list[WorstCase], str]:
        """Return the worst case of each chosen method, and in words who has none.

        Raises
        ------
        Problem
            If the pack has none of them.
        """
        cases = {case.method: case for case in self._asked("worst", self.settings.direction)}
        found = [cases[name] for name in self.settings.methods if name in cases]
        if not found:
            raise Problem("there is no worst case of these methods; choose others")
        lost = [name for name in self.settings.methods if name not in cases]
        return found, f"left out, without a case: {', '.join(lost)}" * bool(lost)

    @property
    def metric(self) -> str:
        """The chosen metric's name, with its unit."""
        return METRICS[self.settings.metric]

    @property
    def title(self) -> str:
        """What is shown, as a headline."""
        structure = self.settings.structure
        of = "" if structure == ALL else f" of {structure}"
        return f"{self.tables[self.settings.direction]}: {self.metric}{of}"

    def counted(self) -> str:
        """Say how much the numbers of the view rest on, and what of it is undefined or left out."""
        rows, view = self._shown(), self.settings.view
        undefined = int(rows[self.settings.metric].isna().sum())
        seeds, subjects = rows.seed.nunique(), len(rows[["seed", "subject"]].drop_duplicates())
        text = f"{subjects} test subjects of {seeds} seed" + "s" * (seeds != 1)
        if undefined:
            text += f"; {undefined} of {len(rows)} distances undefined (nothing found) and left out"
        look = {"over shift": self.over_shift, "over α": self.over_alpha, "worst cases": self.cases}
        lost = look[view]()[1] if view in look else ""
        return f"{text}; {lost}" if lost else text

    def _first(self) -> str:
        """The first table that the pack has."""
        problems = []
        for direction in self.tables:
            try:
                self._of(direction)
            except Problem as problem:
                problems.append(problem)
            else:
                return direction
        raise problems[0] if problems else Problem("there is no table to show; give one with rows")

    def _of(self, direction: str) -> pd.DataFrame:
        _check("table", [direction], self.tables)
        rows: pd.DataFrame = self._asked("everything", direction)
        return rows

    def _asked(self, what: str, *of: str) -> Any:
        """What the pack answers to a question, which it is asked once."""
        if (what, *of) not in self._answers:
            self._answers[what, *of] = getattr(self.pack, what)(*of)
        return self._answers[what, *of]

    def _opening(self, direction: str) -> tuple[str, ...]:
        every = tuple(self._of(direction).method.drop_duplicates())
        few = tuple(name for name in every if name in OPENING)
        return few if few and len(every) > len(OPENING) else every

    def _chosen(self, rows: pd.DataFrame) -> pd.DataFrame:
        structure = self.settings.structure
        return rows if structure == ALL else rows[rows.structure == structure]

    def _shown(self) -> pd.DataFrame:
        """The rows that the view rests on."""
        if self.settings.view in _SWEPT:
            return self._swept(_SWEPT[self.settings.view])
        rows = self._chosen(self.rows)
        return rows[(rows.domain == "target") & rows.method.isin(self.settings.methods)]

    def _swept(self, x: str) -> pd.DataFrame:
        """Rows of the runs over x, with the name of the `curve` that each belongs to."""
        rows = self._asked({"shift": "shift", "alpha": "sweep"}[x])
        rows = self._chosen(rows[rows.direction == self.settings.direction])
        if x == "alpha":
            return rows.assign(curve=rows.domain.map(_DOMAINS))
        rows = rows[(rows.domain == "target") & rows.method.isin(self.settings.methods)]
        return rows.assign(curve=rows.method)

    def _curves(self, x: str, names: tuple[str, ...]) -> tuple[Curves, str]:
        """The mean over the subjects of each run, over x, and who lacks a point of it."""
        rows, metric = self._swept(x), self.settings.metric
        runs = rows.groupby(["curve", "seed", x])[metric].mean().unstack(x) * scale_of(metric)
        seeds = sorted(rows.seed.unique())
        runs = runs.reindex(pd.MultiIndex.from_product([names, seeds]))
        points, found, lost = [float(value) for value in runs.columns], {}, []
        for name in names:
            own = runs.loc[name] if seeds else runs
            whole = own.dropna()
            if len(whole):
                found[name] = points, whole.to_numpy()
            if gone := sorted(set(own.index) - set(whole.index)):
                lost.append(f"{name} of seed {', '.join(map(str, gone))}" if len(whole) else name)
        if not found:
            where = self.tables[self.settings.direction]
            raise Problem(f"{where} has no such runs over {x}; choose a table or methods that have")
        return found, f"left out, as a point is missing: {'; '.join(lost)}" * bool(lost)

    def __repr__(self) -> str:
        methods = ", ".join(self.settings.methods)
        return f"ResultsExplorer({self.title}, {self.settings.view}: {methods})"

    def build(self) -> Any:
        """Return the widget: controls, and the chosen view."""
        from cdseg_teach.labs.results_view import ResultsView

        return ResultsView(self).widget

    def still(self) -> tuple[bytes, str]:
        """Return `picture` as a PNG, and its alternative text."""
        return plots.png(self.picture())

    def picture(self) -> plots.Picture:
        """Draw the chosen view, once; what the pack lacks is said instead."""
        from cdseg_teach.labs.results_still import drawn

        if self._drawn is None or self._drawn[0] != self.settings:
            self._drawn = self.settings, drawn(self)
        return self._drawn[1]

    def in_words(self) -> str:
        """Say in a line what is shown and what it rests on, or what the pack lacks."""
        try:
            return f"{self.title}, {self.settings.view}: {self.counted()}."
        except Problem as problem:
            return f"{self.title}: {problem}."


class _Rows:
    """Rows of results.csv as a pack that has nothing else."""

    def __init__(self, rows: pd.DataFrame) -> None:
        self.rows = rows
        self.tables = {name: TABLES.get(name, name) for name in rows.direction.unique()}

    def everything(self, direction: str) -> pd.DataFrame:
        """Rows of one direction."""
        return self.rows[self.rows.direction == direction]

    def _nothing(self, *_: Any) -> Any:
        raise Problem("a results.csv has numbers alone; the lecture pack has more")

    worst = shift = sweep = _nothing


def _results(path: Path) -> pd.DataFrame:
    """Read a results.csv; a Problem if it is none, or has several rows of one subject."""
    try:
        rows = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise Problem(f"{path}: is no table ({error}); give a results.csv") from error
    key = ["direction", "method", "seed", "domain", "subject", "structure"]
    if lacking := [name for name in (*key, *METRICS) if name not in rows]:
        raise Problem(f"{path}: lacks {', '.join(lacking)}; give a results.csv")
    if rows.duplicated(key).any():
        raise Problem(f"{path}: has a subject twice; give a results.csv of one alpha")
    return rows


def _in_short(sees: str) -> str:
    for said, shorter in _IN_SHORT.items():
        sees = sees.replace(said, shorter)
    return sees


def _check(what: str, values: Iterable[Any], known: Iterable[Any]) -> None:
    known = list(known)
    for value in values:
        if value not in known:
            raise Problem(f"no {what} {value!r}; choose {', '.join(map(str, known))}")


def _in_order(rows: pd.DataFrame, methods: Iterable[str]) -> tuple[str, ...]:
    """Those of the methods that the rows have, in their order."""
    wanted = set(methods)
    return tuple(name for name in rows.method.drop_duplicates() if name in wanted)
