"""Rows as in results.csv, from numbers that a test chooses; a lecture pack of drawn numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from toy import toy_subject

from cdseg_teach.experiments.recipes import METHODS
from cdseg_teach.experiments.worst import WorstCase
from cdseg_teach.problems import Problem


def rows_of(
    dsc: Mapping[str, ArrayLike],
    structures: Sequence[str] = ("lesion",),
    *,
    task: str = "brain",
    direction: str = "ge_to_swi",
    alpha: float = 1.0,
) -> pd.DataFrame:
    """Rows of both domains: method -> DSC [seeds, subjects] or [seeds, subjects, structures].

    Recall and precision equal the DSC, HD95 is 10 mm times what the DSC lacks, ASSD a tenth of it.
    """
    rows = []
    for method, values in dsc.items():
        each = np.asarray(values, float)
        each = each[..., None] if each.ndim == 2 else each
        for (seed, subject, k), value in np.ndenumerate(each):
            for domain in ("source", "target"):
                run = {"task": task, "direction": direction, "method": method, "seed": seed}
                name = f"sub-{domain}{seed}test{subject:02d}"
                where = {"alpha": alpha, "domain": domain, "subject": name}
                metrics = {"dsc": value, "recall": value, "precision": value}
                far = {"hd95_mm": 10 * (1 - value), "assd_mm": 1 - value, "seconds": 60.0}
                rows.append(run | where | {"structure": structures[k]} | metrics | far)
    return pd.DataFrame(rows)


def methods_of(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows as in methods.csv, one a run of `rows`."""
    runs = rows[["method", "seed"]].drop_duplicates()
    took = {"sees": "source data", "steps": 500, "seconds": 60.0, "a_distance": 1.5}
    return runs.assign(**took, ece=0.05, ece_near=0.1, parameters_changed=121_160)


class ToyPack:
    """What the lecture pack answers, from drawn numbers; it has no table `ct_to_mr`."""

    METHODS: ClassVar = dict(zip(METHODS, np.linspace(0.2, 0.9, len(METHODS)), strict=True))
    HEART = ("LV", "RV", "LA", "RA", "MYO", "AO", "PA")

    def everything(self, direction: str) -> pd.DataFrame:
        if direction == "ct_to_mr":
            raise Problem("the lecture pack lacks 'ct_to_mr'; run `cdseg-teach pack build`")
        brain = direction == "ge_to_swi"
        structures = ("lesion",) if brain else self.HEART
        names = [name for name in self.METHODS if brain or "without" not in name]
        task = "brain" if brain else "heart"
        return rows_of(
            self._drawn(names, len(structures)), structures, task=task, direction=direction
        )

    def shift(self) -> pd.DataFrame:
        at = {0: 1.5, 0.5: 1.2, 1.0: 1, 1.5: 0.8}
        return pd.concat(
            [rows_of(self._drawn(self.METHODS, 1, by)).assign(shift=x) for x, by in at.items()]
        ).query("domain == 'target'")

    def sweep(self) -> pd.DataFrame:
        at = {0: 0.3, 0.1: 0.6, 1: 1.0, 10: 0.9, 100: 0.4}
        drawn = {x: self._drawn(["adversarial"], 1, by) for x, by in at.items()}
        return pd.concat([rows_of(values, alpha=float(x)) for x, values in drawn.items()])

    def worst(self, direction: str) -> list[WorstCase]:
        if direction != "ge_to_swi":
            raise Problem("the lecture pack has no worst cases of hearts")
        subject = toy_subject("sub-target3test05", grid=(1, 96, 96), shifted=True)
        assert subject.label is not None
        shown = np.roll(subject.label, 6, axis=2)
        return [
            WorstCase(name, 3, dsc / 2, 11, subject, shown) for name, dsc in self.METHODS.items()
        ]

    def _drawn(self, names: Iterable[str], structures: int, by: float = 1) -> dict[str, np.ndarray]:
        """DSC [3 seeds, 6 subjects, structures] about each method's mean times `by`."""
        rng = np.random.default_rng(0)
        size = (3, 6, structures)
        return {
            name: np.clip(by * self.METHODS[name] + rng.normal(0, 0.08, size), 0, 1)
            for name in names
        }
