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
from cdseg_teach.experiments.comparisons import per_subject, scale_of
from cdseg_teach.experiments.pack import lecture_pack
from cdseg_teach.experiments.recipes import METHODS
from cdseg_teach.experiments.summaries import gains, scores
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
#: What is compared at first in a long table: a row of each kind, between floor and ceiling.
OPENING = ("source", "adversarial", "augmentation", "synthesis", "tent", "oracle")
ALL = "all"
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
        self._rows: dict[str, pd.DataFrame] = {}
        self._gains: dict[tuple[str, ...], pd.DataFrame] = {}  # thousands of resamples each
        direction = settings.pop("direction", None) or self._first()
        self.settings = Settings(direction, self._opening(direction))
        self.choose(**settings)

    @classmethod
    def from_csv(cls, path: str | Path, **settings: Any) -> ResultsExplorer:
        """One's own results.csv, as `cdseg-teach table` writes it; it has no curves or pictures."""
        return cls(_File(Path(path)), **settings)

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
        known = {name: METHODS[name].sees for name in self.methods if name in METHODS}
        sees = pd.Series(known, name="may see", dtype=object).replace(_SEES, regex=True)
        table = pd.concat([scores(rows, metric), sees, self._gains[key]], axis=1)
        return table.reindex(self.settings.methods).fillna("-").rename_axis("method")

    def dots(self) -> pd.DataFrame:
        """Return the metric on T of each subject, a row a seed and subject, a column a method."""
        return per_subject(self._chosen(self.rows), self.settings.metric)[[*self.settings.methods]]

    def over_shift(self) -> Curves:
        """Return the metric on T over shift strength, a curve a chosen method.

        Raises
        ------
        Problem
            If the pack has no such runs of this table or of these methods.
        """
        rows = self._swept(self.pack.shift())
        if 1 not in set(rows["shift"]):  # which is the table's own: a pack need not hold it twice
            table = self._chosen(self.rows)
            rows = pd.concat([rows, table[table.seed.isin(rows.seed)].assign(shift=1.0)])
        on_t = rows[rows.domain == "target"]
        return self._curves({n: on_t[on_t.method == n] for n in self.settings.methods}, "shift")

    def over_alpha(self) -> Curves:
        """Return the metric of adversarial learning over alpha, on S and on T.

        Raises
        ------
        Problem
            If the pack has no such runs of this table.
        """
        rows = self._swept(self.pack.sweep())
        domains = {"on S": "source", "on T": "target"}
        return self._curves({n: rows[rows.domain == key] for n, key in domains.items()}, "alpha")

    def cases(self) -> list[Any]:
        """Return the worst case of each chosen method.

        Raises
        ------
        Problem
            If the pack has none of them.
        """
        cases = {case.method: case for case in self.pack.worst(self.settings.direction)}
        found = [cases[name] for name in self.settings.methods if name in cases]
        if not found:
            raise Problem("there is no worst case of these methods; choose others")
        return found

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
        """Say how much the numbers rest on, and what of it is undefined."""
        target = self._chosen(self.rows[self.rows.domain == "target"])
        target = target[target.method.isin(self.settings.methods)]
        undefined = int(target[self.settings.metric].isna().sum())
        seeds, subjects = target.seed.nunique(), len(target[["seed", "subject"]].drop_duplicates())
        text = f"{subjects} test subjects of {seeds} seed" + "s" * (seeds != 1)
        lost = f"; {undefined} of {len(target)} distances undefined (nothing found) and left out"
        return text + lost * (undefined > 0)

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
        if direction not in self._rows:
            self._rows[direction] = self.pack.everything(direction)
        return self._rows[direction]

    def _opening(self, direction: str) -> tuple[str, ...]:
        every = tuple(self._of(direction).method.drop_duplicates())
        few = tuple(name for name in every if name in OPENING)
        return few if few and len(every) > len(OPENING) else every

    def _chosen(self, rows: pd.DataFrame) -> pd.DataFrame:
        structure = self.settings.structure
        return rows if structure == ALL else rows[rows.structure == structure]

    def _swept(self, rows: pd.DataFrame) -> pd.DataFrame:
        return self._chosen(rows[rows.direction == self.settings.direction])

    def _curves(self, parts: Mapping[str, pd.DataFrame], x: str) -> Curves:
        """The mean over the subjects of each seed, over x; seeds that lack a point are left out."""
        metric, found = self.settings.metric, {}
        for name, rows in parts.items():
            runs = rows.groupby(["seed", x])[metric].mean().unstack(x).dropna() * scale_of(metric)
            if runs.size:
                found[name] = [float(value) for value in runs.columns], runs.to_numpy()
        if not found:
            where = self.tables[self.settings.direction]
            raise Problem(f"{where} has no such runs over {x}; choose a table or methods that have")
        return found

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
        """Draw the chosen view; what the pack lacks is said instead."""
        from cdseg_teach.labs.results_still import drawn

        return drawn(self)

    def in_words(self) -> str:
        """Say what is shown; a table speaks for itself."""
        if self.settings.view == "table":
            return f"{self.title}: {self.counted()}."
        return self.picture().alt


class _File:
    """A results.csv as a pack that has nothing else.

    Raises
    ------
    Problem
        If it cannot be read, is no such table, or has several rows of one subject.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            rows = pd.read_csv(path)
        except (OSError, ValueError) as error:
            raise Problem(f"{path}: is no table ({error}); give a results.csv") from error
        key = ["direction", "method", "seed", "domain", "subject", "structure"]
        if lacking := [name for name in (*key, *METRICS) if name not in rows]:
            raise Problem(f"{path}: lacks {', '.join(lacking)}; give a results.csv")
        if rows.duplicated(key).any():
            raise Problem(f"{path}: has a subject twice; give a results.csv of one alpha")
        self.rows = rows
        self.tables = {name: TABLES.get(name, name) for name in rows.direction.unique()}

    def everything(self, direction: str) -> pd.DataFrame:
        """Rows of one direction."""
        return self.rows[self.rows.direction == direction]

    def _nothing(self, *_: Any) -> Any:
        raise Problem(f"{self.path.name} has numbers alone; the lecture pack has more")

    worst = shift = sweep = _nothing


#: What a method may see, in a table's few letters.
_SEES = {
    "source data": "S",
    "target images": "images of T",
    "target labels": "labels",
    "the image at hand": "image at hand",
}


def _check(what: str, values: Iterable[Any], known: Iterable[Any]) -> None:
    known = list(known)
    for value in values:
        if value not in known:
            raise Problem(f"no {what} {value!r}; choose {', '.join(map(str, known))}")


def _in_order(rows: pd.DataFrame, methods: Iterable[str]) -> tuple[str, ...]:
    """Those of the methods that the rows have, in their order."""
    wanted = set(methods)
    return tuple(name for name in rows.method.drop_duplicates() if name in wanted)
