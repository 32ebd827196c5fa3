"""Brains of others for our scanners: label maps on which patients are drawn, and then scanned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from cdseg_teach.anatomy.brain import patients
from cdseg_teach.anatomy.draw import subject_seed
from cdseg_teach.anatomy.label_maps import healthy_brain, tissues_of
from cdseg_teach.cohorts.brain import PHYSICS
from cdseg_teach.cohorts.checks import file_problems
from cdseg_teach.cohorts.layout import SubjectFiles
from cdseg_teach.cohorts.simulated import imaged
from cdseg_teach.cohorts.study import Subject
from cdseg_teach.cohorts.volumes import Scan, read_integers
from cdseg_teach.datasets.build import Plan
from cdseg_teach.problems import Problem
from cdseg_teach.scanners import Scanner, render

ANATOMY = "anatomy"  # what a column map calls the label map


@dataclass(frozen=True)
class Anatomies(Plan):
    """What is made of label maps of brains: one patient on each, in one of the two scanners.

    Parameters
    ----------
    tissues
        The labels of each tissue (:func:`~cdseg_teach.anatomy.label_maps.tissues_of`).
    scanners
        By domain; its channels are the domain's.
    physics
        What a voxel depends on besides: with another number, a folder is another one.
    """

    tissues: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    scanners: Mapping[str, Scanner] = field(default_factory=dict)
    physics: int = PHYSICS

    def problems(self, files: SubjectFiles, key: str) -> Iterator[Problem]:
        """What is wrong with a label map, by its header."""
        yield from file_problems(files, (ANATOMY,), None, headers_only=True)

    def read(self, files: SubjectFiles, key: str) -> Subject:
        """A patient with this brain, scanned; the same whoever else is."""
        healthy = self._healthy(files.channels[ANATOMY])
        maps = patients(healthy[None], [subject_seed(0, files.name, "anatomy")])
        seed = subject_seed(0, files.name, "scan")
        return imaged(files.name, maps, render(maps, self.scanners[key], [seed]))

    def _healthy(self, scan: Scan) -> Tensor:
        which, affine = self._tissues(scan)
        try:
            return healthy_brain(which, affine)
        except Problem as problem:
            raise Problem(f"{scan}: {problem}") from None

    def _tissues(self, scan: Scan) -> tuple[np.ndarray, np.ndarray]:
        # By itself, so that the labels, four bytes a voxel, are gone when a lattice is filled.
        labels = read_integers(scan)
        return tissues_of(np.asarray(labels.dataobj), self.tissues), labels.affine
