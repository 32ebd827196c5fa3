"""What the lecture pack is made of: its entries, and the settings that each of them depends on."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from cdseg_teach.anatomy import (
    HEART_GRID,
    BrainMaps,
    Grid,
    HeartMaps,
    brain_subjects,
    heart_subjects,
)
from cdseg_teach.cohorts import brain, brain_study, heart, heart_study
from cdseg_teach.cohorts.heart import DIRECTIONS
from cdseg_teach.cohorts.normalise import normalise
from cdseg_teach.experiments import recipes
from cdseg_teach.experiments.jobs import Studies
from cdseg_teach.methods import Adversarial, Learner, OutputAdversarial
from cdseg_teach.methods.augmentation import Fourier, Transform
from cdseg_teach.methods.test_time import (
    BatchStatistics,
    ClassPrior,
    DenoisingPrior,
    Tent,
    train_denoiser,
)
from cdseg_teach.methods.test_time.base import Adaptation
from cdseg_teach.networks import Discriminator, UNet
from cdseg_teach.scanners import DATA_SET_1, DATA_SET_2, HEART_CT, HEART_MR, render, window

SEED = 0  # of the checkpoints and of the recorded runs

_FROM_SCRATCH = ("SOURCE_STEPS", "SUPERVISED")
_GAME = (*_FROM_SCRATCH, "ADAPTATION_STEPS", "ADAPTATION", "ADVERSARIAL", "ALPHA")
_STACKS = ("ORDINARY", "RANDOM_NETWORKS", "SYNTHETIC")
_NETWORKS = (Learner, Adversarial, UNet, Discriminator)
_AT_TEST_TIME = (Adaptation, BatchStatistics, ClassPrior, DenoisingPrior, Tent, train_denoiser)


@dataclass(frozen=True)
class Entry:
    """One thing that the pack holds, and what it depends on.

    Parameters
    ----------
    files
        Their names.
    constants
        Of `recipes`.
    kinds
        Classes and functions whose defaults matter.
    plan
        Fields of `Plan`.
    seeds
        The field of `Plan` with its seeds; None is the one seed `SEED`.
    task
        "brain" or "heart": whose rendering.
    """

    files: tuple[str, ...]
    constants: tuple[str, ...] = _GAME
    kinds: tuple[Callable[..., Any], ...] = _NETWORKS
    plan: tuple[str, ...] = ()
    seeds: str | None = None
    task: str = "brain"


def _checkpoint(name: str, stacks: tuple[str, ...] = (), task: str = "brain") -> Entry:
    return Entry((f"{name}.pt",), (*_FROM_SCRATCH, *stacks), task=task)


def _run(name: str, kinds: tuple[Callable[..., Any], ...] = (), task: str = "brain") -> Entry:
    files = (f"{name}.npz", f"{name}_opening.pt", f"{name}_end.pt")
    return Entry(files, kinds=(*_NETWORKS, *kinds), plan=("opens_at",), task=task)


def _everything(*files: str, plan: tuple[str, ...], seeds: str, task: str = "brain") -> Entry:
    kinds = (*_NETWORKS, OutputAdversarial, Fourier, *_AT_TEST_TIME)
    return Entry(files, (*_GAME, *_STACKS), kinds, plan, seeds, task)


def _table(name: str, task: str = "brain") -> Entry:
    files = (f"{name}.csv", f"{name}_methods.csv", f"{name}_worst.npz")
    return _everything(*files, plan=("rows",), seeds="rows_seeds", task=task)


#: In the order in which they are built.
ENTRIES = {
    "source": _checkpoint("source"),
    "source_without_shifted_channel": _checkpoint("source_without_shifted_channel"),
    "adversarial": _run("adversarial"),
    "collapse": Entry(("collapse.npz",), (*_GAME, "COLLAPSE", "COLLAPSE_STEPS")),
    "table": Entry(("results.csv", "methods.csv"), seeds="seeds"),
    "sweep": Entry(("sweep.csv", "sweep_methods.csv"), plan=("alphas",), seeds="sweep_seeds"),
    "augmentation": _checkpoint("augmentation", _STACKS),
    "gin": _checkpoint("gin", _STACKS),
    "synthesis": _checkpoint("synthesis", _STACKS),
    "heart_source": _checkpoint("heart_source", task="heart"),
    "heart_synthesis": _checkpoint("heart_synthesis", _STACKS, "heart"),
    "heart_adversarial": _run("heart_adversarial", (OutputAdversarial,), "heart"),
    "ge_to_swi": _table("ge_to_swi"),
    "mr_to_ct": _table("mr_to_ct", "heart"),
    "ct_to_mr": _table("ct_to_mr", "heart"),
    "shift": _everything(
        "shift.csv", "shift_methods.csv", plan=("rows", "shifts"), seeds="shift_seeds"
    ),
}


def brain_reference() -> list[float]:
    """One brain as both scanners show it, coarse enough to be the same on every processor.

    Of each channel the 5th, 25th, 50th, 75th and 95th percentile and the mean of each quarter of
    the slices, in standard deviations; rendered anew, since a cache would hide what changed.
    """
    maps = brain_subjects([SEED], Grid())
    images = (render(maps, scanner, [SEED])[0].numpy() for scanner in (DATA_SET_1, DATA_SET_2))
    return _coarse(maps, maps.brain()[0].numpy(), images)


def heart_reference() -> list[float]:
    """One chest in MR and in CT, as `brain_reference`."""
    maps = heart_subjects([SEED], HEART_GRID)
    ct = render(maps, HEART_CT, [SEED])
    images = (
        render(maps, HEART_MR, [SEED])[0].numpy(),
        window(ct, HEART_CT.level_hu, HEART_CT.width_hu)[0].numpy(),
    )
    return _coarse(maps, maps.filled()[0].numpy(), images)


def _coarse(
    maps: BrainMaps | HeartMaps, inside: np.ndarray, images: Iterable[np.ndarray]
) -> list[float]:
    values = [maps.label().float().mean().numpy() * 100]
    for image in images:
        image = normalise(image, inside)
        values.append(np.percentile(image[:, inside], (5, 25, 50, 75, 95), axis=1))
        values += [part.mean(axis=(1, 2, 3)) for part in np.array_split(image, 4, axis=1)]
    flat = np.concatenate([np.ravel(value) for value in values]).astype(np.float64)
    rounded: list[float] = np.round(flat, 2).tolist()
    return rounded


@dataclass(frozen=True)
class Plan:
    """What the pack is made of; the tests make a small one of toy studies.

    Parameters
    ----------
    studies, hearts
        Make a study of `seed=`, and of `shift=` or `direction=`.
    reference, heart_reference
        What the simulation renders now.
    steps
        None takes the recipes'.
    methods, seeds
        Of the lecture's own table.
    sweep_seeds, alphas
        Of the sweep.
    rows, rows_seeds
        Of the tables of everything.
    shifts, shift_seeds
        Of the curves over shift.
    every
        Steps between two looks of a recorded run.
    opens_at
        Share of a recorded run that is over when the lab opens: alpha has begun to act, and what it
        does to the target is still to be seen.
    """

    studies: Studies = brain_study
    hearts: Studies = heart_study
    reference: Callable[[], list[float]] = brain_reference
    heart_reference: Callable[[], list[float]] = heart_reference
    steps: int | None = None
    methods: tuple[str, ...] = recipes.LECTURE_ROWS
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6, 7)
    sweep_seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    alphas: tuple[float, ...] = (0.0, 0.1, 0.3, 1.0, 10.0, 100.0)
    rows: tuple[str, ...] = tuple(recipes.METHODS)
    rows_seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    shifts: tuple[float, ...] = (0.0, 0.5, 1.5)
    shift_seeds: tuple[int, ...] = (0, 1, 2)
    every: int = 5
    opens_at: float = 0.2

    def studies_of(self, name: str) -> Studies:
        """What makes the studies of an entry."""
        if ENTRIES[name].task == "brain":
            return self.studies
        return partial(self.hearts, direction=name if name in DIRECTIONS else DIRECTIONS[0])

    def references(self) -> dict[str, list[float]]:
        """What the simulation renders now, by task."""
        return {"brain": self.reference(), "heart": self.heart_reference()}

    def settings(self, name: str) -> dict[str, Any]:
        """All that decides what an entry looks like, apart from the code and the rendering."""
        entry = ENTRIES[name]
        sizes = (heart if entry.task == "heart" else brain).SIZES
        settings = {
            "run": {
                "steps": self.steps,
                "seeds": self.seeds_of(name),
                "sizes": sizes,
                **{field: getattr(self, field) for field in entry.plan},
            },
            "recipe": {key: _plain(getattr(recipes, key)) for key in entry.constants},
            "defaults": {kind.__name__: _defaults(kind) for kind in entry.kinds},
        }
        plain: dict[str, Any] = json.loads(json.dumps(settings))
        return plain

    def seeds_of(self, name: str) -> tuple[int, ...]:
        """The seeds of an entry."""
        field = ENTRIES[name].seeds
        return getattr(self, field) if field else (SEED,)

    def fingerprint(self, name: str, reference: list[float]) -> str:
        """A hash over an entry's settings and the reference rendering."""
        text = json.dumps([self.settings(name), reference], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def _defaults(kind: Callable[..., Any]) -> dict[str, Any]:
    return {
        key: _plain(parameter.default)
        for key, parameter in inspect.signature(kind).parameters.items()
        if parameter.default is not parameter.empty and key != "progress"  # a bar decides nothing
    }


def _plain(value: Any) -> Any:
    """A setting as JSON can hold it; a stack by its repr, a warm-up by what it does."""
    if isinstance(value, Transform):
        return repr(value)
    if callable(value):
        return [round(float(value(step)), 6) for step in range(0, 501, 50)]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value
