"""A study that renders in milliseconds and trains in a second: bright blobs on noise."""

from __future__ import annotations

import numpy as np

from cdseg_teach.cohorts.study import Cohort, Split, Study, Subject

SPACING_MM = (4.0, 2.0, 2.0)


def toy_study(seed: int = 0, subjects: int = 3, slices: int = 8, size: int = 32) -> Study:
    """Two channels that both show the blobs in S; in T the second shows them dark, and ghosts."""
    grid = (slices, size, size)
    return Study(
        name="toy",
        seed=seed,
        source=_cohort("S", ("one", "two"), seed, subjects, grid, shifted=False),
        target=_cohort("T", ("one", "other"), seed + 1000, subjects, grid, shifted=True),
        shifted_channels=(1,),
    )


def toy_subject(
    name: str = "toy",
    seed: int = 0,
    grid: tuple[int, int, int] = (8, 32, 32),
    shifted: bool = False,
) -> Subject:
    rng = np.random.default_rng(seed)
    blobs, ghosts = _blobs(rng, grid), _blobs(rng, grid)
    one = 2.0 * blobs
    two = -1.0 * blobs + 2.0 * ghosts if shifted else 2.0 * blobs
    image = np.stack([one, two]) + rng.normal(0, 0.5, (2, *grid))
    return Subject(
        name=name,
        image=image.astype(np.float32),
        label=blobs.astype(np.uint8),
        spacing_mm=SPACING_MM,
        affine=np.diag([*SPACING_MM[::-1], 1.0]),
    )


def _blobs(rng: np.random.Generator, grid: tuple[int, int, int]) -> np.ndarray:
    z, y, x = np.indices(grid)
    blobs = np.zeros(grid, dtype=bool)
    for _ in range(2):
        centre = [rng.uniform(0.25 * n, 0.75 * n) for n in grid]
        inside = ((z - centre[0]) / 3) ** 2 + ((y - centre[1]) / 5) ** 2
        blobs |= inside + ((x - centre[2]) / 5) ** 2 <= 1
    return blobs


def _cohort(
    name: str,
    channels: tuple[str, ...],
    seed: int,
    subjects: int,
    grid: tuple[int, int, int],
    shifted: bool,
) -> Cohort:
    def split(part: str, first: int, count: int) -> Split:
        return Split.of(
            toy_subject(f"{name}-{part}-{i}", seed + first + i, grid, shifted) for i in range(count)
        )

    return Cohort(
        name,
        channels,
        ("blob",),
        train=split("train", 0, subjects),
        validation=split("validation", 100, 1),
        test=split("test", 200, 2),
        labels_for_training=not shifted,
    )
