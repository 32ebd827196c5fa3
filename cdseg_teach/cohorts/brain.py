"""The brain study of the lecture: gradient echo on a TIM Trio against SWI on a Verio."""

from __future__ import annotations

import dataclasses

import numpy as np

from cdseg_teach.anatomy import Grid, brain_subjects
from cdseg_teach.anatomy.draw import subject_seed
from cdseg_teach.cohorts.simulated import checked_sizes, imaged, simulated_cohort
from cdseg_teach.cohorts.study import Cohort, Study, Subject
from cdseg_teach.problems import Problem, checked_seed
from cdseg_teach.scanners import DATA_SET_1, DATA_SET_2, Scanner, interpolate, render

SIZES = {"train": 32, "validation": 4, "test": 8}
PHYSICS = 1  # raise it with any change of anatomy or scanners that changes a voxel


def brain_study(
    seed: int = 0,
    *,
    shift: float = 1.0,
    source: Scanner = DATA_SET_1,
    target: Scanner = DATA_SET_2,
    sizes: dict[str, int] | None = None,
    grid: Grid | None = None,
) -> Study:
    """Two cohorts of trauma patients: source with labels, target on another scanner without.

    Subjects are new for every seed and never shared between cohorts or splits. Images are rendered
    when a split is first asked for, and kept on disk.

    Parameters
    ----------
    seed
        Of subjects and rendering, at least 0. Seeds 100 to 104 are for development: defaults were
        fixed on them.
    shift
        Position of the dial between the two scanners, 0 to 1; 0 leaves no shift but that of the
        subjects, 1 is the lecture's.
    source, target
        The scanners at 0 and at 1 of the dial.
    sizes
        Subjects a split, in each cohort; 32 to train, 4 to validate, 8 to test.
    grid
        The working grid.

    Raises
    ------
    Problem
        For a seed that is no whole number from 0 up, a shift outside 0..1, or a split without
        subjects.
    """
    seed = checked_seed(seed)
    sizes, grid = checked_sizes(sizes or SIZES), grid or Grid()
    shifted = interpolate(source, target, shift)
    differ = tuple(
        i for i, (a, b) in enumerate(zip(source.channels, target.channels, strict=True)) if a != b
    )
    return Study(
        "brain",
        seed,
        _cohort("source", source, seed, sizes, grid),
        _cohort("target", shifted, seed, sizes, grid),
        shifted_channels=differ,
    )


def _cohort(role: str, scanner: Scanner, seed: int, sizes: dict[str, int], grid: Grid) -> Cohort:
    def draw(name: str) -> Subject:
        """Anatomy comes from one seed, what the scanner adds from another."""
        maps = brain_subjects([subject_seed(seed, name, "anatomy")], grid)
        return imaged(name, maps, render(maps, scanner, [subject_seed(seed, name, "scan")]))

    return simulated_cohort(
        role,
        scanner.name,
        scanner.channels,
        ("lesion",),
        seed=seed,
        sizes=sizes,
        recipe={"physics": PHYSICS, "scanner": repr(scanner), "grid": dataclasses.asdict(grid)},
        draw=draw,
    )


def tissues_of(subject: Subject, seed: int, grid: Grid | None = None) -> dict[str, np.ndarray]:
    """What fills each voxel of a subject of :func:`brain_study`, as no image can tell it.

    The anatomy is drawn once more, from the study's seed and the subject's name.

    Parameters
    ----------
    subject
        Of either cohort and at any shift, since no scanner changes the anatomy.
    seed, grid
        Those of the subject's study.

    Returns
    -------
    Tissue -> the share of each voxel that it fills, float32 [Z, Y, X]; what is left is air.

    Raises
    ------
    Problem
        If the brain that is drawn is not the one in the subject's image.

    Examples
    --------
    veins = tissues_of(person, study.seed)["vein"] > 0.1
    """
    maps = brain_subjects([subject_seed(seed, subject.name, "anatomy")], grid)
    drawn, seen = maps.brain()[0].numpy(), (subject.image != 0).any(axis=0)
    # Two people's brains differ in several hundredths of all voxels, one person's in none.
    if drawn.shape != seen.shape or (drawn != seen).mean() > 0.01:
        raise Problem(
            f"{subject.name} is not of brain_study({seed}) on a grid {drawn.shape}; "
            "give the seed and the grid of its own study"
        )
    return {name: maps.on_working_grid(maps[name])[0].numpy() for name in maps.names}
