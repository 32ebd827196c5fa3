"""What simulated studies share: subjects that are drawn and scanned when somebody asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from torch import Tensor
from tqdm.auto import tqdm

from cdseg_teach import __version__
from cdseg_teach.anatomy import BrainMaps, HeartMaps
from cdseg_teach.cohorts.cache import cached_subjects
from cdseg_teach.cohorts.normalise import normalise
from cdseg_teach.cohorts.study import Cohort, Split, Subject
from cdseg_teach.problems import Problem

SPLITS = ("train", "validation", "test")


def checked_sizes(sizes: dict[str, int]) -> dict[str, int]:
    """The sizes of the three splits; a Problem unless each has a subject."""
    if set(sizes) != set(SPLITS) or min(sizes.values()) < 1:
        raise Problem(f"sizes {sizes}: give train, validation and test at least one subject each")
    return sizes


def simulated_cohort(
    role: str,
    scanner: str,
    channels: Sequence[str],
    structures: Sequence[str],
    *,
    seed: int,
    sizes: dict[str, int],
    recipe: dict[str, Any],
    draw: Callable[[str], Subject],
) -> Cohort:
    """A cohort of subjects that nobody else has, rendered when first asked for and kept on disk.

    Parameters
    ----------
    role
        "source", whose labels may be learned from, or "target".
    scanner, channels, structures
        What the cohort is called by, its image's channels, its label's structures.
    seed
        The study's.
    sizes
        Subjects a split.
    recipe
        What an image depends on besides role, split, seed, number and version, for the cache.
    draw
        Makes the subject of a name.
    """

    def split(part: str, count: int) -> Split:
        names = tuple(f"sub-{role}{seed}{part}{number:02d}" for number in range(count))
        whole = recipe | {
            "version": __version__,
            "role": role,
            "split": part,
            "seed": seed,
            "count": count,
        }
        return Split(names, lambda: cached_subjects(whole, lambda: _draw(names, draw)))

    return Cohort(
        f"{role}: {scanner}",
        channels,
        structures,
        labels_for_training=role == "source",
        **{part: split(part, count) for part, count in sizes.items()},
    )


def _draw(names: tuple[str, ...], draw: Callable[[str], Subject]) -> Iterator[Subject]:
    """Subjects one by one."""
    few = len(names) < 5  # a second or so
    for name in tqdm(names, desc="rendering", unit="subject", leave=False, disable=few):
        yield draw(name)


def imaged(name: str, maps: BrainMaps | HeartMaps, image: Tensor) -> Subject:
    """One subject from its maps and its image [1, C, Z, Y, X], normalised where it is not air."""
    return Subject(
        name=name,
        image=normalise(image[0].numpy(), maps.filled()[0].numpy()),
        label=np.ascontiguousarray(maps.label()[0].numpy()),
        spacing_mm=maps.grid.spacing_mm,
        affine=maps.grid.affine,
    )
