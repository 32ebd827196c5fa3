"""What a network does on a few fixed slices while it learns, small enough to ship."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cdseg_teach.cohorts.study import Cohort, Study
from cdseg_teach.evaluation import dsc
from cdseg_teach.methods import Learner
from cdseg_teach.methods.learner import checked_taps
from cdseg_teach.networks import forward_with_taps
from cdseg_teach.problems import Problem

FORMAT = 1


@dataclass(frozen=True, eq=False)
class RecordedRun:
    """One run as it was seen: numbers of every step, pictures and features of every few steps.

    Parameters
    ----------
    settings
        What was run (task, seed, alpha, ...) and what was looked at; anything that JSON can hold.
    metrics
        Name -> float32 [steps]; `step` is among them, and whatever else the learner reported.
    frame_steps
        int32 [frames], increasing: the steps after which pictures were kept.
    dsc_source, dsc_target
        float32 [frames], 0..1, on the fixed slices.
    masks
        uint8 [frames, Y, X]: the prediction on the target slice that is shown.
    points
        float16 [frames, slices, 2]: features of the fixed slices, projected.
    domains
        uint8 [slices]: 0 for a slice of the source, 1 for one of the target.
    mean, axes
        float32 [features], [2, features]: the projection is ``(features - mean) @ axes.T``.
    """

    settings: Mapping[str, Any]
    metrics: Mapping[str, np.ndarray]
    frame_steps: np.ndarray
    dsc_source: np.ndarray
    dsc_target: np.ndarray
    masks: np.ndarray
    points: np.ndarray
    domains: np.ndarray
    mean: np.ndarray
    axes: np.ndarray

    @property
    def reports(self) -> list[dict[str, float]]:
        """The numbers step by step, as the learner reported them."""
        names, rows = list(self.metrics), np.stack(list(self.metrics.values()), axis=1)
        return [dict(zip(names, map(float, row), strict=True)) for row in rows]

    @property
    def frames(self) -> list[Frame]:
        """What was seen, frame by frame."""
        scores = self.dsc_source.tolist(), self.dsc_target.tolist()
        seen = zip(self.frame_steps.tolist(), self.masks, self.points, *scores, strict=True)
        return [Frame(*one) for one in seen]

    def to_npz(self, path: str | os.PathLike[str]) -> None:
        """Write one compressed file, which appears under its name only when it is whole."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        arrays |= {f"metrics/{name}": values for name, values in self.metrics.items()}
        settings = json.dumps({"format": FORMAT, **self.settings})
        part = Path(f"{path}.part")
        with part.open("wb") as file:
            np.savez_compressed(file, settings=np.array(settings), **arrays)
        part.replace(path)

    @classmethod
    def from_npz(cls, path: str | os.PathLike[str]) -> RecordedRun:
        """Read a run; a file that is broken or of another format is a `Problem`."""
        try:
            with np.load(path, allow_pickle=False) as file:
                content = {name: file[name] for name in file.files}
            settings = json.loads(str(content.pop("settings")))
            metrics = {
                name.removeprefix("metrics/"): content[name] for name in content if "/" in name
            }
            arrays = {name: content[name] for name in _ARRAYS}
        except Exception as problem:  # zip, JSON, key and I/O errors alike mean: not a recording
            raise Problem(
                f"{path}: not a recorded run ({problem}); build the lecture pack again"
            ) from problem
        if settings.pop("format", None) != FORMAT:
            raise Problem(f"{path}: recorded by another version; build the lecture pack again")
        return cls(settings, metrics, **arrays)


_ARRAYS = ("frame_steps", "dsc_source", "dsc_target", "masks", "points", "domains", "mean", "axes")


@dataclass(frozen=True, eq=False)
class Frame:
    """What was seen after one step.

    `mask` [Y, X], `points` [slices, 2] (projected features), and the DSC (0..1) of both domains.
    """

    step: int
    mask: np.ndarray
    points: np.ndarray
    dsc_source: float
    dsc_target: float


@dataclass
class Recorder:
    """Looks at a learner every few steps, always on the same slices of the same test subjects.

    The target's labels are read for the DSC and for the choice of the slice that is shown; nothing
    here reaches the learner.

    Parameters
    ----------
    study
        Whose test subjects are looked at.
    every
        Steps between two looks.
    subjects, slices
        How many test subjects of each domain, and how many evenly spaced slices of each of them.
    keep
        Most frames that are kept; beyond it every second one goes and looks become half as
        frequent.
    """

    study: Study
    every: int = 10
    subjects: int = 2
    slices: int = 6
    keep: int = 240
    frames: list[Frame] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._source = self._fixed_slices(self.study.source)
        self._target = self._fixed_slices(self.study.target)
        self.subject = self.study.target.test[0]
        self.slice = self.subject.telling_slice()
        self.domains = np.repeat(
            np.arange(2, dtype=np.uint8), [len(self._source[1]), len(self._target[1])]
        )
        self.mean = self.axes = np.zeros(0, np.float32)

    def _fixed_slices(self, cohort: Cohort) -> tuple[np.ndarray, np.ndarray]:
        """Return images [C, N, Y, X] and labels [N, Y, X] of slices, evenly spaced."""
        if not cohort.test:
            raise Problem(
                f"cohort {cohort.name} has no test subject to look at; add one with label"
            )
        images, labels = [], []
        for subject in list(cohort.test)[: self.subjects]:
            if subject.label is None:
                raise Problem(f"{subject.name}: has no label to compare with; leave it out")
            seen = np.flatnonzero(subject.image.any(axis=(0, 2, 3)))
            chosen = seen[np.linspace(0, len(seen) - 1, self.slices + 2).round().astype(int)[1:-1]]
            images.append(subject.image[:, chosen])
            labels.append(subject.label[chosen])
        return np.concatenate(images, axis=1), np.concatenate(labels)

    def begin(self, learner: Learner) -> None:
        """Forget what was seen, fit the projection to this learner's features, and look."""
        self.frames = []
        features = self._features(learner)
        self.mean = features.mean(axis=0)
        self.axes = np.linalg.svd(features - self.mean, full_matrices=False)[2][:2].astype(
            np.float32
        )
        self._keep(self._look(learner, features))

    def resume(self, run: RecordedRun, step: int) -> None:
        """Go on where a recorded run was after a step, with its projection."""
        self.mean, self.axes = run.mean, run.axes
        self.frames = [frame for frame in run.frames if frame.step <= step]

    def after_step(self, learner: Learner) -> None:
        """Look at the learner when it is time."""
        if learner.steps_done % self.every == 0:
            self._keep(self._look(learner, self._features(learner)))

    def recording(self, history: Iterable[Mapping[str, float]], **settings: Any) -> RecordedRun:
        """Return what was seen until now together with the learner's reports, one a step."""
        reports = list(history)
        names = dict.fromkeys(name for report in reports for name in report) or {"step": None}
        metrics = {n: np.array([r.get(n, np.nan) for r in reports], np.float32) for n in names}
        looked_at = {"subject": self.subject.name, "slice": self.slice, "every": self.every}
        return RecordedRun(
            {"task": self.study.name, "study_seed": self.study.seed, **looked_at, **settings},
            metrics,
            frame_steps=np.array([f.step for f in self.frames], np.int32),
            dsc_source=np.array([f.dsc_source for f in self.frames], np.float32),
            dsc_target=np.array([f.dsc_target for f in self.frames], np.float32),
            masks=np.stack([f.mask for f in self.frames]),
            points=np.stack([f.points for f in self.frames]),
            domains=self.domains,
            mean=self.mean,
            axes=self.axes,
        )

    def _keep(self, frame: Frame) -> None:
        self.frames.append(frame)
        if len(self.frames) > self.keep:
            self.frames = self.frames[::2]
            self.every *= 2

    def _look(self, learner: Learner, features: np.ndarray) -> Frame:
        (image_s, label_s), (image_t, label_t) = self._source, self._target
        shown = self.subject.image[:, self.slice : self.slice + 1]
        on_target = learner.predict(np.concatenate([image_t, shown], axis=1))
        return Frame(
            step=learner.steps_done,
            mask=on_target[-1].astype(np.uint8),
            points=((features - self.mean) @ self.axes.T).clip(-6e4, 6e4).astype(np.float16),
            dsc_source=_pooled_dsc(learner.predict(image_s), label_s),
            dsc_target=_pooled_dsc(on_target[:-1], label_t),
        )

    def _features(self, learner: Learner) -> np.ndarray:
        """Return [slices, features]: every tap averaged over the pixels that are not empty."""
        network = learner.averaged
        device = next(network.parameters()).device
        training = network.training
        network.eval()
        pooled = []
        with torch.no_grad():
            for image, _ in (self._source, self._target):
                x = torch.as_tensor(np.moveaxis(image, 0, 1).copy(), device=device)
                seen = x.ne(0).any(dim=1, keepdim=True).float()
                taps = forward_with_taps(network, x, checked_taps(network, None))[1]
                pooled.append(torch.cat([_mean_inside(tap, seen) for tap in taps], dim=1))
        network.train(training)
        return np.nan_to_num(torch.cat(pooled).float().cpu().numpy())


def _mean_inside(tap: Tensor, seen: Tensor) -> Tensor:
    """Return [N, C]: the mean of a tap [N, C, h, w] where `seen` [N, 1, H, W] is 1."""
    height, width = tap.shape[-2:]
    weight = F.adaptive_avg_pool2d(seen, (height, width))
    return (tap * weight).sum(dim=(2, 3)) / weight.sum(dim=(2, 3)).clamp_min(1e-6)


def _pooled_dsc(prediction: np.ndarray, label: np.ndarray) -> float:
    """Return the mean over structures of the DSC of all slices together."""
    structures = range(1, max(int(label.max()), 1) + 1)
    return float(np.mean([dsc(prediction == k, label == k) for k in structures]))


def watch(learner: Learner, n: int, recorder: Recorder, history: list[dict[str, float]]) -> None:
    """Let a learner do n steps; its reports go to the history, what is seen to the recorder."""
    for _ in range(n):
        alpha = float(getattr(learner, "alpha", 0.0))
        report = learner.step()
        history.append({"step": learner.steps_done, "alpha_asked": alpha, **report})
        recorder.after_step(learner)


def record(study: Study, learner: Learner, n: int, every: int = 10, **settings: Any) -> RecordedRun:
    """Let a learner do n steps and return what was seen, as the α lab would record it."""
    recorder, history = Recorder(study, every=every), list[dict[str, float]]()
    recorder.begin(learner)
    watch(learner, n, recorder, history)
    return recorder.recording(history, **settings)
