"""What methods.csv says of a run besides its scores: the domain gap, calibration, what changed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cdseg_teach.cohorts.study import Study, Subject
from cdseg_teach.evaluation import a_distance, calibration_error
from cdseg_teach.methods import Learner

NEAR_MM = 10.0  # calibration "near the foreground": within this distance of it
LAST_STEPS = 50  # of which the discriminator's accuracy is the mean


def facts_of(
    learner: Learner,
    study: Study,
    source: Learner | None = None,
    reports: Sequence[dict[str, float]] = (),
) -> dict[str, float | str]:
    """Facts of a trained learner, by their column's name.

    Parameters
    ----------
    learner, study
        The study with the channels that the learner knows.
    source
        The source learner it began with, None when it began from scratch.
    reports
        Of its steps.
    """
    return {
        "predicts_with": learner.predict_with,
        "a_distance": domain_gap(learner, study),
        "discriminator_accuracy": _discriminator_accuracy(reports),
        **calibration(learner, study.target.test),
        "parameters": sum(value.numel() for value in learner.averaged.parameters()),
        "parameters_changed": _changed(learner, source),
    }


def domain_gap(learner: Learner, study: Study) -> float:
    """Proxy A-distance of the test subjects' features; NaN with one subject in a domain."""
    if min(len(study.source.test), len(study.target.test)) < 2:
        return float("nan")
    source, target = (
        [learner.features(subject.image) for subject in cohort.test]
        for cohort in (study.source, study.target)
    )
    return a_distance(source, target)


def calibration(learner: Learner, subjects: Sequence[Subject]) -> dict[str, float]:
    """Calibration error on T, the mean over subjects: everywhere, and near the foreground."""
    errors = []
    for subject in subjects:
        assert subject.label is not None  # evaluate() has asked for it
        p = learner.predict_probabilities(subject.image)
        near = calibration_error(p, subject.label, near_mm=NEAR_MM, spacing_mm=subject.spacing_mm)
        errors.append((calibration_error(p, subject.label), near))
    means = pd.DataFrame(errors, columns=["ece", "ece_near"], dtype=float).mean()
    return {str(name): float(value) for name, value in means.items()}


def _discriminator_accuracy(reports: Sequence[dict[str, float]]) -> float:
    """Mean of the last steps; NaN for a method without a discriminator."""
    last = [report.get("discriminator_accuracy", np.nan) for report in reports[-LAST_STEPS:]]
    return float(np.mean(last)) if last else float("nan")


def _changed(learner: Learner, source: Learner | None) -> int:
    """How many weights differ from the source learner's; all, when it began from scratch."""
    own = [value.detach() for value in learner.averaged.parameters()]
    if source is None:
        return sum(value.numel() for value in own)
    pairs = zip(own, source.averaged.parameters(), strict=True)
    return sum(int((a != b.detach()).sum()) for a, b in pairs)
