"""How well: overlap and surface distances per subject, the gap between domains, calibration.

Ratios are in 0..1, distances in mm. Where a structure is missing from both the reference and the
prediction, ratios are 1 and distances 0 (the prediction is right); where it is missing from one of
them, ratios are 0 and distances NaN (no surface to measure to).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd
from scipy import ndimage

from cdseg_teach.problems import Problem

if TYPE_CHECKING:
    from cdseg_teach.cohorts.study import Subject

Spacing = tuple[float, float, float]
RATIOS = ("dsc", "recall", "precision")


class Predictor(Protocol):
    """Whatever segments a volume: a learner, a test-time method, a function in a class."""

    def predict(self, volume: np.ndarray) -> np.ndarray:
        """Class indices [Z, Y, X] of an image [C, Z, Y, X]."""


def evaluate(
    learner: Predictor, subjects: Sequence[Subject], structures: Sequence[str] = ("lesion",)
) -> pd.DataFrame:
    """Segment subjects and compare with their labels: one row for each subject and structure.

    Parameters
    ----------
    learner
        Anything with `predict`.
    subjects
        Subjects with labels.
    structures
        Names of label 1, 2, ...

    Returns
    -------
    Columns subject, structure, dsc, recall, precision, hd95_mm, assd_mm.

    Raises
    ------
    Problem
        If a subject has no label, or labels that `structures` does not name.
    """
    rows = []
    for subject in subjects:
        label = _checked_label(subject, structures)
        predicted = learner.predict(subject.image)
        for number, structure in enumerate(structures, start=1):
            names = {"subject": subject.name, "structure": structure}
            rows.append(names | scores(predicted == number, label == number, subject.spacing_mm))
    metrics = [*RATIOS, "hd95_mm", "assd_mm"]
    table = pd.DataFrame(rows, columns=["subject", "structure", *metrics])
    return table.astype(dict.fromkeys(metrics, float))  # also where nobody is tested


def scores(predicted: np.ndarray, truth: np.ndarray, spacing_mm: Spacing) -> dict[str, float]:
    """All metrics of one structure, by their column's name; masks are boolean [Z, Y, X]."""
    there, back = _surface_distances(predicted, truth, spacing_mm)
    return {
        "dsc": dsc(predicted, truth),
        "recall": recall(predicted, truth),
        "precision": precision(predicted, truth),
        "hd95_mm": _hd95(there, back),
        "assd_mm": _assd(there, back),
    }


def dsc(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Dice similarity coefficient, 2 |P and T| / (|P| + |T|)."""
    return _ratio(predicted, truth, 2 * _overlap(predicted, truth), predicted.sum() + truth.sum())


def recall(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Share of the reference that was found, |P and T| / |T|."""
    return _ratio(predicted, truth, _overlap(predicted, truth), truth.sum())


def precision(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Share of the prediction that is right, |P and T| / |P|."""
    return _ratio(predicted, truth, _overlap(predicted, truth), predicted.sum())


def hd95(predicted: np.ndarray, truth: np.ndarray, spacing_mm: Spacing) -> float:
    """95th percentile Hausdorff distance in mm, the larger of the two directions."""
    return _hd95(*_surface_distances(predicted, truth, spacing_mm))


def assd(predicted: np.ndarray, truth: np.ndarray, spacing_mm: Spacing) -> float:
    """Average symmetric surface distance in mm, the mean over the voxels of both surfaces."""
    return _assd(*_surface_distances(predicted, truth, spacing_mm))


def mean_std(values: Sequence[float] | np.ndarray | pd.Series, scale: float = 100.0) -> str:
    """`mean (std)` as on the slide, one decimal, in percent; undefined values are left out.

    Examples
    --------
    >>> mean_std([0.5, 0.7])
    '60.0 (14.1)'
    """
    known = pd.Series(values, dtype=float).dropna() * scale
    if known.empty:
        return "undefined"
    return f"{known.mean():.1f} ({known.std() if len(known) > 1 else 0.0:.1f})"


def a_distance(source: Sequence[np.ndarray], target: Sequence[np.ndarray], seed: int = 0) -> float:
    """Proxy A-distance 2 (1 - 2 error), clipped to 0..2: 0 cannot tell the domains apart.

    A fresh probe (logistic regression) learns to tell the domains apart on half of the subjects
    of each; `error` is its mean error over the two domains on the other half.

    Parameters
    ----------
    source, target
        Features of each subject, one array [slices, D] per subject, such as `learner.features`
        gives; at least two subjects of each domain.
    seed
        Of the split.

    References
    ----------
    Ben-David et al. 2007, "Analysis of representations for domain adaptation".
    """
    # A second to import, which a lab that opens would wait for.
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(seed)
    (fit_s, held_s), (fit_t, held_t) = _halves(source, rng), _halves(target, rng)
    probe = make_pipeline(
        StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000)
    )
    probe.fit(np.concatenate([fit_s, fit_t]), [0] * len(fit_s) + [1] * len(fit_t))
    error = (np.mean(probe.predict(held_s) != 0) + np.mean(probe.predict(held_t) != 1)) / 2
    return float(np.clip(2 * (1 - 2 * error), 0, 2))


def calibration_error(
    probabilities: np.ndarray,
    label: np.ndarray,
    *,
    bins: int = 15,
    near_mm: float | None = None,
    spacing_mm: Spacing = (1.0, 1.0, 1.0),
) -> float:
    """Expected calibration error: mean gap between confidence and accuracy, weighted by voxels.

    Parameters
    ----------
    probabilities
        [K, Z, Y, X].
    label
        Class indices [Z, Y, X].
    bins
        Equal bins of confidence (the largest probability) in 0..1.
    near_mm
        Only voxels within this distance of the reference foreground count; NaN if there is none.
        Far background is easy and hides what happens at the lesion.
    spacing_mm
        Voxel size (z, y, x), for `near_mm`.

    References
    ----------
    Guo et al. 2017, "On calibration of modern neural networks", equation 3.
    """
    confidence, right = probabilities.max(axis=0), probabilities.argmax(axis=0) == label
    if near_mm is not None:
        if not label.any():
            return float("nan")
        near = ndimage.distance_transform_edt(label == 0, sampling=spacing_mm) <= near_mm
        confidence, right = confidence[near], right[near]
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1).ravel()
    gaps = np.bincount(bin_of, weights=(confidence - right).ravel().astype(float), minlength=bins)
    return float(np.abs(gaps).sum() / confidence.size)


def _overlap(predicted: np.ndarray, truth: np.ndarray) -> float:
    if predicted.shape != truth.shape:
        raise Problem(f"prediction of shape {predicted.shape}, reference of shape {truth.shape}")
    return float(np.logical_and(predicted, truth).sum())


def _ratio(predicted: np.ndarray, truth: np.ndarray, part: float, whole: float) -> float:
    if not predicted.any() and not truth.any():
        return 1.0
    return float(part / whole) if whole else 0.0


def _hd95(there: np.ndarray, back: np.ndarray) -> float:
    return float(max(np.percentile(there, 95), np.percentile(back, 95)))


def _assd(there: np.ndarray, back: np.ndarray) -> float:
    return float(np.concatenate([there, back]).mean())


def _surface_distances(
    predicted: np.ndarray, truth: np.ndarray, spacing_mm: Spacing
) -> tuple[np.ndarray, np.ndarray]:
    """Distances in mm from each surface voxel of one mask to the other's surface, both ways."""
    predicted, truth = predicted.astype(bool), truth.astype(bool)
    if not predicted.any() or not truth.any():
        undefined = 0.0 if predicted.any() == truth.any() else np.nan
        return np.array([undefined]), np.array([undefined])
    box = ndimage.find_objects((predicted | truth).astype(np.uint8))[0]
    surface_p, surface_t = _surface(predicted[box]), _surface(truth[box])
    to_t = ndimage.distance_transform_edt(~surface_t, sampling=spacing_mm)
    to_p = ndimage.distance_transform_edt(~surface_p, sampling=spacing_mm)
    return to_t[surface_p], to_p[surface_t]


def _surface(mask: np.ndarray) -> np.ndarray:
    """Voxels of the mask with a face to the outside; beyond the box is outside."""
    surface: np.ndarray = mask & ~ndimage.binary_erosion(mask)
    return surface


def _halves(
    subjects: Sequence[np.ndarray], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Slices for fitting and held-out ones; no subject gives to both."""
    if len(subjects) < 2:
        raise Problem("the A-distance needs at least two subjects of each domain")
    order = rng.permutation(len(subjects))
    half = len(order) // 2
    return tuple(
        np.concatenate([subjects[i] for i in part]) for part in (order[:half], order[half:])
    )  # type: ignore[return-value]


def _checked_label(subject: Subject, structures: Sequence[str]) -> np.ndarray:
    label = subject.label
    if label is None:
        raise Problem(f"{subject.name}: has no label to compare a prediction with")
    if label.max(initial=0) > len(structures):
        raise Problem(
            f"{subject.name}: label {label.max()} has no name; structures are"
            f" {', '.join(structures)}"
        )
    return label
