"""Batches of slices, drawn with generators of their own."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

import numpy as np
import torch
from torch import Tensor

from cdseg_teach.problems import Problem, checked_seed

if TYPE_CHECKING:
    from cdseg_teach.cohorts.study import Subject
    from cdseg_teach.methods.augmentation import Transform


def seed_for(purpose: str, seed: int) -> int:
    """A seed for one purpose ("weights", "source batches", ...), so that no two share a stream."""
    words = np.random.SeedSequence(
        [checked_seed(seed), zlib.crc32(purpose.encode())]
    ).generate_state(2)
    return int(words[0]) << 31 | int(words[1]) >> 1


class SliceBatches:
    """All slices of some subjects, stacked once on the device, and seeded batches of them.

    Parameters
    ----------
    subjects
        Subjects whose slices all have one size.
    batch_size
        Slices in a batch, drawn uniformly and with replacement.
    seed
        Seed of this stream.
    device
        Where the slices stay.
    labelled
        False leaves the subjects' labels alone: they are not even looked at.

    Attributes
    ----------
    augment
        What `draw` changes its images with; None leaves them. It has a generator of its own, so
        that the slices drawn are the same with and without.
    """

    def __init__(
        self,
        subjects: Sequence[Subject],
        batch_size: int,
        seed: int,
        device: torch.device,
        labelled: bool = True,
    ) -> None:
        if not subjects:
            raise Problem("no subjects to learn from; give at least one")
        if batch_size < 1:
            raise Problem(f"batch_size {batch_size} holds no slice; use 1 or more")
        for subject in subjects:
            _check_image(subject, like=subjects[0])
        self._stack = _stacked_images(subjects, device)
        self.images = self._stack.slices
        self.labels = _stacked_labels(subjects).to(device) if labelled else None
        self.batch_size = batch_size
        self.generator = torch.Generator().manual_seed(seed)
        self.augment: Transform | None = None
        self.augment_generator = torch.Generator().manual_seed(seed_for("augmentation", seed))

    def draw(self) -> tuple[Tensor, Tensor]:
        """Images [N, C, H, W] and their class indices [N, H, W]."""
        if self.labels is None:
            raise Problem("these batches have no labels; build them with labelled=True")
        chosen = self._choose()
        images, labels = self._images(chosen), self.labels[chosen].long()
        if self.augment is not None:
            # In place: in another memory layout a network's last digits would differ.
            images.copy_(self.augment(images, self.augment_generator, labels))
        return images, labels

    def draw_images(self) -> Tensor:
        """Images [N, C, H, W] alone."""
        return self._images(self._choose())

    def _choose(self) -> Tensor:
        chosen = torch.randint(len(self.images), (self.batch_size,), generator=self.generator)
        return chosen.to(self.images.device)

    def _images(self, chosen: Tensor) -> Tensor:
        return self.images[chosen].contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True, eq=False)
class _Stack:
    """Slices [N, C, H, W] on a device, and the volumes they are copies of."""

    slices: Tensor
    volumes: tuple[np.ndarray, ...]


# Several learners of one study share one stack: in a notebook they would otherwise fill the memory
# with copies. A stack keeps its volumes alive, so that an id in a key cannot come to mean another.
_stacks: WeakValueDictionary[tuple[object, ...], _Stack] = WeakValueDictionary()


def _stacked_images(subjects: Sequence[Subject], device: torch.device) -> _Stack:
    volumes = tuple(subject.image for subject in subjects)
    key = (str(device), *map(id, volumes))
    stack = _stacks.get(key)
    if stack is None:
        channels, _, height, width = volumes[0].shape
        count = sum(volume.shape[1] for volume in volumes)
        slices = torch.empty(
            (count, channels, height, width), memory_format=torch.channels_last, device=device
        )
        first = 0
        for volume in volumes:
            part = torch.from_numpy(np.moveaxis(volume, 1, 0).astype(np.float32))
            slices[first : first + len(part)] = part.to(device)
            first += len(part)
        stack = _stacks[key] = _Stack(slices, volumes)
    return stack


def _check_image(subject: Subject, like: Subject) -> None:
    image, expected = subject.image, like.image
    if image.ndim != 4:
        raise Problem(f"{subject.name}: image of shape {image.shape}; expected [C, Z, Y, X]")
    if image.shape[0] != expected.shape[0] or image.shape[2:] != expected.shape[2:]:
        raise Problem(
            f"{subject.name}: image of shape {image.shape}, but {like.name} has {expected.shape};"
            " channels and slice size must agree"
        )
    if not np.isfinite(image).all():
        raise Problem(f"{subject.name}: image has values that are not finite; mend or leave it out")


def _stacked_labels(subjects: Sequence[Subject]) -> Tensor:
    labels = []
    for subject in subjects:
        label = subject.label
        if label is None:
            raise Problem(f"{subject.name}: has no label, which supervised learning needs")
        if label.shape != subject.image.shape[1:]:
            raise Problem(
                f"{subject.name}: label of shape {label.shape} on an image of"
                f" shape {subject.image.shape[1:]}; they must agree"
            )
        labels.append(label)
    return torch.from_numpy(np.concatenate(labels).astype(np.uint8, copy=False))
