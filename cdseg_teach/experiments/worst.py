"""The worst case of each method: the test subject of T that it does worst on, as a picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from cdseg_teach.cohorts.study import Study, Subject
from cdseg_teach.experiments.facts import Remembering
from cdseg_teach.problems import Problem


@dataclass(frozen=True, eq=False)
class WorstCase:
    """Where one method fails.

    Parameters
    ----------
    method, seed
        Which run.
    dsc
        Of the whole volume, mean over structures, 0..1.
    slice
        The one with most wrong pixels.
    subject
        That slice of the subject alone, in the channel that shifts: image [1, 1, Y, X].
    prediction
        Class indices, uint8 [1, Y, X].
    """

    method: str
    seed: int
    dsc: float
    slice: int
    subject: Subject
    prediction: np.ndarray


def worst_case(
    predictor: Remembering, study: Study, seen: Study, scores: pd.DataFrame, method: str
) -> WorstCase:
    """The test subject of T with the lowest mean DSC.

    Parameters
    ----------
    predictor
        Of the channels of `seen`.
    study, seen
        The study with all of its channels, for the picture, and as the method sees it.
    scores
        Of `evaluate` on T.
    method
        The row's name.
    """
    each = scores.groupby("subject", sort=False).dsc.mean()
    index = [subject.name for subject in seen.target.test].index(str(each.idxmin()))
    shown = study.target.test[index]
    assert shown.label is not None  # evaluate() has asked for it
    prediction = predictor.predict(seen.target.test[index].image)
    z = int((prediction != shown.label).sum(axis=(1, 2)).argmax())
    channel = (*study.shifted_channels, 0)[0]
    # Copies: a view would keep the whole volume, and take it along to other processes.
    cut = replace(
        shown,
        image=shown.image[channel : channel + 1, z : z + 1].copy(),
        label=shown.label[z : z + 1].copy(),
    )
    return WorstCase(method, study.seed, float(each.min()), z, cut, prediction[z : z + 1].copy())


def worst_of_all(cases: Iterable[WorstCase]) -> list[WorstCase]:
    """Of each method the case with the lowest DSC, in the order in which methods come."""
    worst: dict[str, WorstCase] = {}
    for case in cases:
        known = worst.setdefault(case.method, case)
        if case.dsc < known.dsc:
            worst[case.method] = case
    return list(worst.values())


def save_cases(cases: Sequence[WorstCase], path: Path) -> None:
    """Write one compressed file."""
    subjects = [case.subject for case in cases]
    np.savez_compressed(
        path,
        method=[case.method for case in cases],
        seed=[case.seed for case in cases],
        dsc=[case.dsc for case in cases],
        slice=[case.slice for case in cases],
        prediction=[case.prediction for case in cases],
        name=[subject.name for subject in subjects],
        image=np.array([subject.image for subject in subjects], np.float16),
        label=np.array([subject.label for subject in subjects]),
        spacing_mm=[subject.spacing_mm for subject in subjects],
        affine=[subject.affine for subject in subjects],
    )


def load_cases(path: Path) -> list[WorstCase]:
    """Read what `save_cases` wrote; a file that is broken is a `Problem`."""
    try:
        with np.load(path, allow_pickle=False) as file:
            columns = {name: file[name] for name in file.files}
        return [
            _case({name: values[i] for name, values in columns.items()})
            for i in range(len(columns["method"]))
        ]
    except Exception as problem:  # zip, key and I/O errors alike mean: not such a file
        raise Problem(
            f"{path}: no worst cases ({problem}); build the lecture pack again"
        ) from problem


def _case(of: dict[str, np.ndarray]) -> WorstCase:
    z, y, x = map(float, of["spacing_mm"])
    subject = Subject(
        str(of["name"]), of["image"].astype(np.float32), of["label"], (z, y, x), of["affine"]
    )
    return WorstCase(
        str(of["method"]),
        int(of["seed"]),
        float(of["dsc"]),
        int(of["slice"]),
        subject,
        of["prediction"],
    )
