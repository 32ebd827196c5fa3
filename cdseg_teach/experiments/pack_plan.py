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
from cdseg_teach.experiments import recipes, scenes
from cdseg_teach.experiments.jobs import Studies
from cdseg_teach.methods import Adversarial, Learner
from cdseg_teach.methods.augmentation import Transform
from cdseg_teach.methods.test_time import train_denoiser
from cdseg_teach.networks import Discriminator, UNet
from cdseg_teach.scanners import DATA_SET_1, DATA_SET_2, HEART_CT, HEART_MR, render, window

SEED = 0  # of the checkpoints and of the recorded runs

# Constants of the recipes, and whose defaults, are behind what is trained from scratch; and what
# more is behind a row that goes on from that.
_CONSTANTS = ["SOURCE_STEPS", "SUPERVISED"]
_KINDS: list[Callable[..., Any]] = [Learner, UNet]
_CONSTANTS_OF_MORE = ["ADAPTATION_STEPS", "ADAPTATION", "ADVERSARIAL", "ALPHA"]
_KINDS_OF_MORE: list[Callable[..., Any]] = [Adversarial, Discriminator, train_denoiser]


@dataclass(frozen=True)
class Entry:
    """One thing that the pack holds, and what it depends on besides the recipes' constants.

    Parameters
    ----------
    files
        Their names.
    rows
        Of the table; or the field of `Plan` that holds their names.
    seeds
        The field of `Plan` with its seeds; None is the one seed `SEED`.
    task
        "brain" or "heart".
    also
        More of what decides: fields of `Plan`, constants of `recipes`, settings of the scenes.
    """

    files: tuple[str, ...]
    rows: tuple[str, ...] | str
    seeds: str | None = None
    task: str = "brain"
    also: tuple[str, ...] = ()


def _checkpoint(row: str, task: str = "brain") -> Entry:
    name = row if task == "brain" else f"{task}_{row}"
    return Entry((f"{name}.pt",), (row,), task=task)


def _run(name: str, row: str, task: str = "brain") -> Entry:
    files = (f"{name}.npz", f"{name}_opening.pt", f"{name}_end.pt")
    return Entry(files, (row,), task=task, also=("every", "opens_at"))


def _table(name: str, task: str = "brain") -> Entry:
    files = (f"{name}.csv", f"{name}_methods.csv", f"{name}_worst.npz")
    return Entry(files, "rows", "rows_seeds", task)


#: In the order in which they are built. A run of hearts is one in which the output alone is heard.
ENTRIES = {
    "source": _checkpoint("source"),
    "source_without_shifted_channel": _checkpoint("source_without_shifted_channel"),
    "adversarial": _run("adversarial", "adversarial"),
    "collapse": Entry(
        ("collapse.npz",), ("adversarial",), also=("every", "COLLAPSE", "COLLAPSE_STEPS")
    ),
    "table": Entry(("results.csv", "methods.csv"), "methods", "seeds"),
    "sweep": Entry(
        ("sweep.csv", "sweep_methods.csv"), ("adversarial",), "sweep_seeds", also=("alphas",)
    ),
    "augmentation": _checkpoint("augmentation"),
    "gin": _checkpoint("gin"),
    "synthesis": _checkpoint("synthesis"),
    "heart_source": _checkpoint("source", "heart"),
    "heart_synthesis": _checkpoint("synthesis", "heart"),
    "heart_adversarial": _run("heart_adversarial", "output_adversarial", "heart"),
    "ge_to_swi": _table("ge_to_swi"),
    "mr_to_ct": _table("mr_to_ct", "heart"),
    "ct_to_mr": _table("ct_to_mr", "heart"),
    "shift": Entry(("shift.csv", "shift_methods.csv"), "rows", "shift_seeds", also=("shifts",)),
    "scenes": Entry(
        ("scenes.csv",),
        ("source", "source_longer", "adversarial", "tent"),
        "rows_seeds",
        also=("SCENES",),
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
        Of the curves over shift; strength 1 is in the table of everything.
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
    shifts: tuple[float, ...] = (0.0, 0.3, 0.6)
    shift_seeds: tuple[int, ...] = (0, 1, 2)
    every: int = 5
    opens_at: float = 0.2

    def studies_of(self, name: str) -> Studies:
        """What makes the studies of an entry."""
        if ENTRIES[name].task == "brain":
            return self.studies
        return partial(self.hearts, direction=name if name in DIRECTIONS else DIRECTIONS[0])

    def reference_of(self, task: str) -> list[float]:
        """What the simulation renders now."""
        return self.reference() if task == "brain" else self.heart_reference()

    def rows_of(self, name: str) -> tuple[str, ...]:
        """The rows that an entry holds; all channels of a heart shift, so none can be left out."""
        entry = ENTRIES[name]
        rows = getattr(self, entry.rows) if isinstance(entry.rows, str) else entry.rows
        brains = entry.task == "brain"
        return tuple(row for row in rows if brains or not recipes.METHODS[row].drops_shifted)

    def settings(self, name: str) -> dict[str, Any]:
        """All that decides what an entry looks like, apart from the code and the rendering."""
        entry, rows = ENTRIES[name], self.rows_of(name)
        run = {
            "steps": self.steps,
            "seeds": self.seeds_of(name),
            "sizes": (heart if entry.task == "heart" else brain).SIZES,
        }
        starts = [start for row in rows if (start := recipes.METHODS[row].start)]
        constants = _CONSTANTS + (_CONSTANTS_OF_MORE if starts else [])
        kinds = _KINDS + (_KINDS_OF_MORE if starts else [])
        settings = {
            "run": run | {key: _plain(self._also(key)) for key in entry.also},
            "recipe": {key: _plain(getattr(recipes, key)) for key in constants},
            "rows": {row: _plain(recipes.METHODS[row]) for row in dict.fromkeys([*rows, *starts])},
            "defaults": {kind.__name__: _defaults(kind) for kind in kinds},
        }
        plain: dict[str, Any] = json.loads(json.dumps(settings))
        return plain

    def _also(self, key: str) -> Any:
        if key == "SCENES":
            return scenes.SETTINGS
        return getattr(recipes if key.isupper() else self, key)

    def seeds_of(self, name: str) -> tuple[int, ...]:
        """The seeds of an entry."""
        field = ENTRIES[name].seeds
        return getattr(self, field) if field else (SEED,)

    def fingerprint(self, name: str, reference: list[float]) -> str:
        """A hash over an entry's settings and the reference rendering."""
        text = json.dumps([self.settings(name), reference], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def _defaults(kind: Callable[..., Any]) -> dict[str, Any]:
    """Defaults of a function's arguments; of a class's, those of its bases with them."""
    parents = getattr(kind, "__mro__", (kind,))
    found: dict[str, Any] = {}
    for parent in reversed([p for p in parents if "__init__" in vars(p) or p is kind]):
        found |= {
            key: _plain(parameter.default)
            for key, parameter in inspect.signature(parent).parameters.items()
            if parameter.default is not parameter.empty and key not in _DECIDES_NOTHING
        }
    return found


_DECIDES_NOTHING = ("progress", "device")


def _plain(value: Any) -> Any:
    """A setting as JSON can hold it: a warm-up by what it does, a row by how it is built."""
    if isinstance(value, recipes.Method):
        said = {key: getattr(value, key) for key in ("sees", "steps", "start", "drops_shifted")}
        return said | {"build": _plain(value.build)}
    if isinstance(value, Transform):
        return repr(value)
    if isinstance(value, partial):
        return [_plain(value.func), *map(_plain, value.args), _plain(value.keywords)]
    if isinstance(value, type):
        return [value.__name__, _defaults(value)]
    if inspect.isfunction(value) and value.__name__.startswith("_"):
        return value.__name__  # what builds a row
    if callable(value):
        return [round(float(value(step)), 6) for step in range(0, 501, 50)]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return value
