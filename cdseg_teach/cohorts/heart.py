"""The heart study of the lecture: the same seven structures in MR and in CT."""

from __future__ import annotations

import dataclasses

from cdseg_teach.anatomy import HEART_GRID, Grid, heart_subjects
from cdseg_teach.anatomy.draw import subject_seed
from cdseg_teach.anatomy.heart import STRUCTURES
from cdseg_teach.cohorts.simulated import checked_sizes, imaged, simulated_cohort
from cdseg_teach.cohorts.study import Cohort, Study, Subject
from cdseg_teach.problems import Problem, checked_seed
from cdseg_teach.scanners import HEART_CT, HEART_MR, CtScanner, Scanner, render, window

# Ten to test: with nine or more, ten paired comparisons can still be significant after Holm.
SIZES = {"train": 32, "validation": 4, "test": 10}
PHYSICS = 1  # raise it with any change of anatomy or scanners that changes a voxel
DIRECTIONS = ("mr_to_ct", "ct_to_mr")
ONE_HEART = "every subject is a warp of one real heart in a modelled thorax"


def heart_study(
    seed: int = 0,
    *,
    direction: str = "mr_to_ct",
    mr: Scanner = HEART_MR,
    ct: CtScanner = HEART_CT,
    sizes: dict[str, int] | None = None,
    grid: Grid | None = None,
) -> Study:
    """Two cohorts of chests: source with labels in one modality, target without in the other.

    Subjects are new for every seed and never shared between cohorts or splits. Both modalities are
    normalised in one way, CT within its window. Images are rendered when a split is first asked
    for, and kept on disk.

    Parameters
    ----------
    seed
        Of subjects and rendering, at least 0. Seeds 100 to 104 are for development: defaults were
        fixed on them.
    direction
        "mr_to_ct" or "ct_to_mr"; source_to_target.
    mr, ct
        The scanners.
    sizes
        Subjects a split, in each cohort; 32 to train, 4 to validate, 10 to test.
    grid
        The working grid.

    Raises
    ------
    Problem
        For a seed that is no whole number from 0 up, another direction, or a split without
        subjects.
    """
    seed = checked_seed(seed)
    sizes, grid = checked_sizes(sizes or SIZES), grid or HEART_GRID
    if direction not in DIRECTIONS:
        raise Problem(f"direction {direction!r}: choose {' or '.join(DIRECTIONS)}")
    source, target = (mr, ct) if direction == "mr_to_ct" else (ct, mr)
    return Study(
        "heart",
        seed,
        _cohort("source", source, seed, sizes, grid),
        _cohort("target", target, seed, sizes, grid),
        shifted_channels=(0,),
        notes=(ONE_HEART,),
    )


def _cohort(
    role: str, scanner: Scanner | CtScanner, seed: int, sizes: dict[str, int], grid: Grid
) -> Cohort:
    def draw(name: str) -> Subject:
        """Anatomy comes from one seed, what the scanner adds from another."""
        maps = heart_subjects([subject_seed(seed, name, "anatomy")], grid)
        image = render(maps, scanner, [subject_seed(seed, name, "scan")])
        if isinstance(scanner, CtScanner):
            image = window(image, scanner.level_hu, scanner.width_hu)
        return imaged(name, maps, image)

    recipe = {
        "task": "heart",
        "physics": PHYSICS,
        "scanner": repr(scanner),
        "grid": dataclasses.asdict(grid),
    }
    return simulated_cohort(
        role,
        scanner.name,
        scanner.channels,
        STRUCTURES,
        seed=seed,
        sizes=sizes,
        recipe=recipe,
        draw=draw,
    )
