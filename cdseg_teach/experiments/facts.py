"""What methods.csv says of a run besides its scores: the domain gap, calibration, what changed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import pandas as pd

from cdseg_teach.cohorts.study import Study, Subject
from cdseg_teach.evaluation import a_distance, calibration_error
from cdseg_teach.methods import Learner
from cdseg_teach.methods.test_time.base import Adaptation

NEAR_MM = 10.0  # calibration "near the foreground": within this distance of it
LAST_STEPS = 50  # of which the discriminator's accuracy is the mean


class Probable(Protocol):
    """What gives probabilities: a learner, or a method that adapts one at test time."""

    def predict_probabilities(self, volume: np.ndarray) -> np.ndarray:
        """Softmax probabilities [K, Z, Y, X] of an image [C, Z, Y, X]."""


class Remembering:
    """Predicts each volume once, for all who ask: a test-time method adapts for seconds."""

    def __init__(self, predictor: Probable) -> None:
        self.seconds = 0.0  # that predictions took
        self._predictor = predictor
        self._known: list[tuple[np.ndarray, np.ndarray]] = []

    def predict_probabilities(self, volume: np.ndarray) -> np.ndarray:
        """Softmax probabilities [K, Z, Y, X] of an image [C, Z, Y, X]."""
        for seen, probabilities in self._known:
            if seen is volume:
                return probabilities
        began = time.process_time()
        self._known.append((volume, self._predictor.predict_probabilities(volume)))
        self.seconds += time.process_time() - began
        return self._known[-1][1]

    def predict(self, volume: np.ndarray) -> np.ndarray:
        """Class indices, uint8 [Z, Y, X]."""
        return self.predict_probabilities(volume).argmax(axis=0).astype(np.uint8)


def facts_of(
    learner: Learner | Adaptation,
    study: Study,
    begun: Learner | None = None,
    reports: Sequence[dict[str, float]] = (),
    predictor: Probable | None = None,
) -> dict[str, float | str]:
    """Facts of a trained learner, or of a method that adapts one, by their column's name.

    Parameters
    ----------
    learner, study
        The study with the channels that the learner knows.
    begun
        The learner it began with, None when it began from scratch.
    reports
        Of its steps.
    predictor
        What has predicted the test subjects already.
    """
    calibrated = calibration(predictor or learner, study.target.test)
    if isinstance(learner, Adaptation):
        # Each subject has a network of its own: there is no one domain gap.
        return {
            "predicts_with": learner.learner.predict_with,
            "a_distance": float("nan"),
            "discriminator_accuracy": float("nan"),
            **calibrated,
            "parameters": _size(learner.learner),
            "parameters_changed": learner.begin(study.target.test[0].image).moving,
        }
    return {
        "predicts_with": learner.predict_with,
        "a_distance": domain_gap(learner, study),
        "discriminator_accuracy": _discriminator_accuracy(reports),
        **calibrated,
        "parameters": _size(learner),
        "parameters_changed": _changed(learner, begun),
    }


def _size(learner: Learner) -> int:
    return sum(value.numel() for value in learner.averaged.parameters())


def domain_gap(learner: Learner, study: Study) -> float:
    """Proxy A-distance of the test subjects' features; NaN with one subject in a domain."""
    if min(len(study.source.test), len(study.target.test)) < 2:
        return float("nan")
    source, target = (
        [learner.features(subject.image) for subject in cohort.test]
        for cohort in (study.source, study.target)
    )
    return a_distance(source, target)


def calibration(learner: Probable, subjects: Sequence[Subject]) -> dict[str, float]:
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


def _changed(learner: Learner, begun: Learner | None) -> int:
    """How many weights differ from those it began with; all, when it began from scratch."""
    own = [value.detach() for value in learner.averaged.parameters()]
    if begun is None:
        return _size(learner)
    pairs = zip(own, begun.averaged.parameters(), strict=True)
    return sum(int((a != b.detach()).sum()) for a, b in pairs)
