"""Rows as in results.csv, from numbers that a test chooses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike


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
