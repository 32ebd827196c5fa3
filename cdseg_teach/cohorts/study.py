"""Who is in the study: subjects, cohorts split by subject, and a study of two cohorts.

The labels of the target are for evaluation: a target cohort's `train` hands out subjects without
them, and `labelled_train` is the one way to them, so that whoever uses them has to say so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from cdseg_teach.problems import Problem


@dataclass(frozen=True, eq=False)
class Subject:
    """One person's images on one grid.

    Parameters
    ----------
    name
        Unique within a study.
    image
        float32 [C, Z, Y, X], normalised per channel: zero mean and unit deviation over the
        foreground, 0 outside.
    label
        uint8 [Z, Y, X], 0 is background and k is structure k; None where it is not known or not to
        be seen.
    spacing_mm
        (z, y, x), size of a voxel in mm.
    affine
        4x4, voxel (x, y, z) to mm, RAS+, as in NIfTI.
    scan
        The file that it was read from, whose grid may be another; None where there is none.

    Raises
    ------
    Problem
        When the shapes do not belong together.
    """

    name: str
    image: np.ndarray
    label: np.ndarray | None
    spacing_mm: tuple[float, float, float]
    affine: np.ndarray
    scan: Path | None = None

    def __post_init__(self) -> None:
        if self.image.ndim != 4 or self.image.dtype != np.float32:
            raise Problem(
                f"{self.name}: image is {self.image.dtype} {self.image.shape}; "
                "give float32 [C, Z, Y, X]"
            )
        if self.label is None:
            return
        if self.label.shape != self.image.shape[1:] or self.label.dtype != np.uint8:
            raise Problem(
                f"{self.name}: label is {self.label.dtype} {self.label.shape}; "
                f"give uint8 {self.image.shape[1:]}"
            )

    def without_label(self) -> Subject:
        """The same subject as a method sees it that may not use its label."""
        return replace(self, label=None)

    def telling_slice(self) -> int:
        """The slice with most foreground; the middle one where there is no label."""
        if self.label is None:
            return self.image.shape[1] // 2
        return int((self.label > 0).sum(axis=(1, 2)).argmax())

    def with_channels(self, kept: Sequence[int]) -> Subject:
        """The same subject with only these channels, in this order."""
        kept = list(kept)
        in_a_row = kept == list(range(kept[0], kept[-1] + 1))
        # A slice is a view: no second copy in memory.
        channels = slice(kept[0], kept[-1] + 1) if in_a_row else kept
        return replace(self, image=self.image[channels])


@dataclass(frozen=True, eq=False)
class Split:
    """Subjects whose names are known at once, whose images are rendered or read when asked for.

    Parameters
    ----------
    names
        The subjects' names, in the order in which `read` gives them.
    read
        Renders or reads the subjects; called at most once.

    Examples
    --------
    >>> nobody = Split((), tuple)
    >>> nobody.subjects
    ()
    """

    names: tuple[str, ...]
    read: Callable[[], Iterable[Subject]]

    @cached_property
    def subjects(self) -> tuple[Subject, ...]:
        """The subjects themselves.

        Raises
        ------
        Problem
            When `read` gives other subjects than `names` says.
        """
        subjects = tuple(self.read())
        given = tuple(subject.name for subject in subjects)
        if given != self.names:
            raise Problem(
                f"split of {list(self.names)} was read as {list(given)}; "
                "name the subjects in reading order"
            )
        return subjects

    @classmethod
    def of(cls, subjects: Iterable[Subject]) -> Split:
        """A split of subjects that are already in memory."""
        kept = tuple(subjects)
        return cls(tuple(subject.name for subject in kept), lambda: kept)


class Cohort:
    """The subjects of one scanner or hospital, split by subject into train, validation and test.

    Parameters
    ----------
    name
        How tables and plots call it.
    channels
        Names of the image's channels, in order.
    structures
        Names of label 1..K.
    train, validation, test
        The three splits; they never share a subject.
    labels_for_training
        False in a target cohort, whose `train` then hands out subjects without label.

    Raises
    ------
    Problem
        When a subject is in two splits, or twice in one.
    """

    def __init__(
        self,
        name: str,
        channels: Sequence[str],
        structures: Sequence[str],
        *,
        train: Split,
        validation: Split,
        test: Split,
        labels_for_training: bool,
    ) -> None:
        self.name = name
        self.channels = tuple(channels)
        self.structures = tuple(structures)
        self.labels_for_training = labels_for_training
        self.splits = {"train": train, "validation": validation, "test": test}
        twice = _repeated(self.names)
        if twice:
            raise Problem(
                f"cohort {name}: {', '.join(twice)} in it more than once; "
                "put each subject into one split"
            )

    @property
    def names(self) -> tuple[str, ...]:
        """Every subject's name, known without rendering or reading an image."""
        return tuple(name for split in self.splits.values() for name in split.names)

    @cached_property
    def train(self) -> tuple[Subject, ...]:
        """What a method may learn from: with labels in the source, without them in the target."""
        if self.labels_for_training:
            return self.labelled_train
        return tuple(subject.without_label() for subject in self.labelled_train)

    @property
    def labelled_train(self) -> tuple[Subject, ...]:
        """The training subjects with their labels: in a target cohort, for the oracle only."""
        return self.splits["train"].subjects

    @property
    def validation(self) -> tuple[Subject, ...]:
        """Subjects to watch a training with."""
        return self.splits["validation"].subjects

    @property
    def test(self) -> tuple[Subject, ...]:
        """Subjects of the table, which nothing was chosen on."""
        return self.splits["test"].subjects

    def with_channels(self, kept: Sequence[int]) -> Cohort:
        """The same cohort with only these channels, in this order."""
        return Cohort(
            self.name,
            [self.channels[index] for index in kept],
            self.structures,
            labels_for_training=self.labels_for_training,
            **{key: _with_channels(split, kept) for key, split in self.splits.items()},
        )

    def __repr__(self) -> str:
        sizes = ", ".join(f"{len(split.names)} {key}" for key, split in self.splits.items())
        return f"Cohort {self.name}: {'/'.join(self.channels)}; {sizes}"


@dataclass(frozen=True, eq=False)
class Study:
    """A source cohort with labels, and a target cohort whose labels are for evaluation.

    Parameters
    ----------
    name
        The task, such as "brain".
    seed
        Of the subjects and their images.
    source, target
        The two cohorts.
    shifted_channels
        Indices of the channels that differ between them; brain: (4,), GE against SWI.
    notes
        What a reader of the results must know, one sentence each, such as a split with one subject.

    Raises
    ------
    Problem
        When structures or number of channels disagree, a channel does not exist, or a subject is in
        both cohorts.
    """

    name: str
    seed: int
    source: Cohort
    target: Cohort
    shifted_channels: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        source, target = self.source, self.target
        if source.structures != target.structures:
            raise Problem(
                f"study {self.name}: source has structures {list(source.structures)}, "
                f"target {list(target.structures)}; give both the same, in the same order"
            )
        if len(source.channels) != len(target.channels):
            raise Problem(
                f"study {self.name}: source has channels {list(source.channels)}, "
                f"target {list(target.channels)}; pair each with one of the other"
            )
        self._check_channels(self.shifted_channels)
        shared = sorted(set(source.names) & set(target.names))
        if shared:
            raise Problem(
                f"study {self.name}: {', '.join(shared)} in source and in target; "
                "split the study by subject"
            )
        if not source.labels_for_training or target.labels_for_training:
            raise Problem(
                f"study {self.name}: only the source has labels for training; "
                "set labels_for_training so"
            )

    def _check_channels(self, indices: Sequence[int]) -> None:
        count = len(self.source.channels)
        wrong = [index for index in indices if not 0 <= index < count]
        if wrong:
            raise Problem(
                f"study {self.name}: no channel {wrong[0]}; the channels are 0 to {count - 1}"
            )

    def load(self) -> Study:
        """Render or read every split now, instead of when it is first asked for."""
        for cohort in (self.source, self.target):
            for split in cohort.splits.values():
                _ = split.subjects
        return self

    def without_channels(self, indices: Iterable[int]) -> Study:
        """The same study without these channels, in both cohorts.

        Parameters
        ----------
        indices
            Channels to leave out, each in 0..C-1.

        Raises
        ------
        Problem
            When a channel does not exist or none would be left.
        """
        left_out = set(indices)
        self._check_channels(sorted(left_out))
        kept = [index for index in range(len(self.source.channels)) if index not in left_out]
        if not kept:
            raise Problem(
                f"study {self.name}: no channel is left without {sorted(left_out)}; keep one"
            )
        return replace(
            self,
            source=self.source.with_channels(kept),
            target=self.target.with_channels(kept),
            shifted_channels=tuple(kept.index(i) for i in self.shifted_channels if i in kept),
        )

    def __repr__(self) -> str:
        lines = [
            f"Study {self.name}, seed {self.seed}",
            f"  source {self.source!r}",
            f"  target {self.target!r}",
        ]
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])


def _with_channels(split: Split, kept: Sequence[int]) -> Split:
    return Split(split.names, lambda: [subject.with_channels(kept) for subject in split.subjects])


def _repeated(names: Sequence[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})
