"""The lecture pack: checkpoints, recorded runs and results that ship with the package.

`pack.json` says of each entry how, when and where it was made. An entry is current while its
settings are those of `recipes`, and its reference is what the simulation renders now.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cdseg_teach.anatomy import Grid, brain_subjects
from cdseg_teach.cohorts import Study, brain_study
from cdseg_teach.cohorts.brain import SIZES
from cdseg_teach.cohorts.normalise import normalise
from cdseg_teach.experiments import recipes
from cdseg_teach.experiments.claims import Score
from cdseg_teach.experiments.jobs import Studies
from cdseg_teach.experiments.recording import RecordedRun
from cdseg_teach.experiments.summaries import per_seed
from cdseg_teach.experiments.weights import from_bytes, load_weights
from cdseg_teach.methods import Adversarial, Learner
from cdseg_teach.networks import Discriminator, UNet
from cdseg_teach.problems import Problem
from cdseg_teach.scanners import DATA_SET_1, DATA_SET_2, render

FOLDER = Path(__file__).resolve().parents[1] / "lecture_pack"
MANIFEST = "pack.json"
MEND = "run `cdseg-teach pack build`"
SEED = 0  # of the checkpoints and of the recorded runs

_FROM_SCRATCH = ("SOURCE_STEPS", "SUPERVISED")
_GAME = (*_FROM_SCRATCH, "ADAPTATION_STEPS", "ADAPTATION", "ADVERSARIAL", "ALPHA")
#: Each entry's files, and the recipes' constants that it depends on.
ENTRIES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "source": (("source.pt",), _FROM_SCRATCH),
    "source_without_shifted_channel": (("source_without_shifted_channel.pt",), _FROM_SCRATCH),
    "adversarial": (
        (
            "adversarial.npz",
            "adversarial_opening.pt",
            "adversarial_end.pt",
        ),
        _GAME,
    ),
    "collapse": (("collapse.npz",), (*_GAME, "COLLAPSE", "COLLAPSE_STEPS")),
    "table": (("results.csv", "methods.csv"), _GAME),
    "sweep": (("sweep.csv", "sweep_methods.csv"), _GAME),
}


def brain_reference() -> list[float]:
    """One brain as both scanners show it, coarse enough to be the same on every processor.

    Of each channel the 5th, 25th, 50th, 75th and 95th percentile and the mean of each quarter of
    the slices, in standard deviations; rendered anew, since a cache would hide what changed.
    """
    maps = brain_subjects([SEED], Grid())
    inside = maps.brain()[0].numpy()
    values = [maps.label().float().mean().numpy() * 100]
    for scanner in (DATA_SET_1, DATA_SET_2):
        image = normalise(render(maps, scanner, [SEED])[0].numpy(), inside)
        values.append(np.percentile(image[:, inside], (5, 25, 50, 75, 95), axis=1))
        values += [part.mean(axis=(1, 2, 3)) for part in np.array_split(image, 4, axis=1)]
    flat = np.concatenate([np.ravel(value) for value in values]).astype(np.float64)
    rounded: list[float] = np.round(flat, 2).tolist()
    return rounded


@dataclass(frozen=True)
class Plan:
    """What the pack is made of; the tests make a small one of a toy study."""

    studies: Studies = brain_study
    reference: Callable[[], list[float]] = brain_reference
    steps: int | None = None
    methods: tuple[str, ...] = recipes.LECTURE_ROWS
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6, 7)
    sweep_seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    alphas: tuple[float, ...] = (0.0, 0.1, 0.3, 1.0, 10.0, 100.0)
    every: int = 5
    #: Share of the adversarial run that is over when the lab opens: alpha has begun to act, and
    #: what it does to the target is still to be seen.
    opens_at: float = 0.2

    def settings(self, name: str) -> dict[str, Any]:
        """All that decides what an entry looks like, apart from the code and the rendering."""
        constants = {key: _plain(getattr(recipes, key)) for key in ENTRIES[name][1]}
        defaults = {
            kind.__name__: {
                key: _plain(parameter.default)
                for key, parameter in inspect.signature(kind).parameters.items()
                if parameter.default is not parameter.empty
            }
            for kind in (Learner, Adversarial, UNet, Discriminator)
        }
        run: dict[str, Any] = {"steps": self.steps, "seeds": self.seeds_of(name), "sizes": SIZES}
        if name == "adversarial":
            run["opens_at"] = self.opens_at
        if name == "sweep":
            run["alphas"] = self.alphas
        settings = {"run": run, "recipe": constants, "defaults": defaults}
        plain: dict[str, Any] = json.loads(json.dumps(settings))
        return plain

    def seeds_of(self, name: str) -> tuple[int, ...]:
        """The seeds of an entry."""
        return {"table": self.seeds, "sweep": self.sweep_seeds}.get(name, (SEED,))

    def fingerprint(self, name: str, reference: list[float]) -> str:
        """A hash over an entry's settings and the reference rendering."""
        text = json.dumps([self.settings(name), reference], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


class LecturePack:
    """What ships: checkpoints, recorded runs, and the results of several seeds.

    Every question about an entry that is missing, or made with other settings than today's,
    raises a Problem that says how to mend it.
    """

    def __init__(self, folder: Path = FOLDER, plan: Plan | None = None) -> None:
        self.folder = folder
        self.plan = plan or Plan()

    @property
    def manifest(self) -> dict[str, Any]:
        """What pack.json says of each entry; empty where there is no pack."""
        file = self.folder / MANIFEST
        if not file.is_file():
            return {}
        try:
            content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise Problem(f"{file}: is broken; {MEND}") from error
        return content

    def checkpoint(self, study: Study, name: str = "source") -> Learner:
        """A trained learner, ready to predict or to go on from.

        Parameters
        ----------
        study
            With all of its channels; the learner draws its batches from it.
        name
            `"source"` or `"source_without_shifted_channel"`.
        """
        weights = self._file(name, f"{name}.pt").read_bytes()
        learner = recipes.learner_of(name, study, seed=SEED)
        load_weights(learner, weights)
        return learner

    def recorded(self, name: str = "adversarial") -> RecordedRun:
        """A recorded run, `"adversarial"` or `"collapse"`."""
        return RecordedRun.from_npz(self._file(name, f"{name}.npz"))

    def opening_state(self) -> dict[str, Any]:
        """The adversarial learner's whole state where the lecture opens its run, to go on from."""
        return from_bytes(self._file("adversarial", "adversarial_opening.pt").read_bytes())

    def adapted(self, study: Study) -> Adversarial:
        """The adversarial learner at the end of its recorded run, to predict with."""
        learner = recipes.learner_of("adversarial", study, seed=SEED)
        assert isinstance(learner, Adversarial)
        load_weights(learner, self._file("adversarial", "adversarial_end.pt").read_bytes())
        return learner

    def table(self) -> pd.DataFrame:
        """The rows of results.csv."""
        return pd.read_csv(self._file("table", "results.csv"))

    def methods(self) -> pd.DataFrame:
        """The rows of methods.csv."""
        return pd.read_csv(self._file("table", "methods.csv"))

    def sweep(self) -> pd.DataFrame:
        """The rows of sweep.csv."""
        return pd.read_csv(self._file("sweep", "sweep.csv"))

    def sweep_methods(self) -> pd.DataFrame:
        """The facts of each run of the sweep, such as the discriminator's accuracy."""
        return pd.read_csv(self._file("sweep", "sweep_methods.csv"))

    def score(
        self,
        method: str,
        metric: str = "dsc",
        domain: str = "target",
        alpha: float | None = None,
    ) -> Score:
        """Mean of a metric over the seeds, in percent, for a recorded claim.

        Parameters
        ----------
        method, metric, domain
            As in results.csv.
        alpha
            Takes the number from the sweep at this alpha, instead of from the table.
        """
        name = "table" if alpha is None else "sweep"
        rows = self.table() if alpha is None else self.sweep()
        if alpha is not None:
            rows = rows[rows.alpha == alpha]
        values = per_seed(rows, method, metric, domain)
        if values.empty:
            at = "" if alpha is None else f" at alpha {alpha:g}"
            raise Problem(f"the lecture pack has no {method!r}{at} on {domain!r}; see its {name}()")
        entry = self.manifest[name]
        return Score(
            float(values.mean()), tuple(values.index), date=entry["date"], machine=entry["machine"]
        )

    def check(self, name: str) -> None:
        """Raise a Problem unless an entry is there, with all of its files, of today's settings."""
        if name not in ENTRIES:
            raise Problem(f"the lecture pack has no {name!r}; it has {', '.join(ENTRIES)}")
        entry = self.manifest.get(name)
        if entry is None or not all((self.folder / file).is_file() for file in ENTRIES[name][0]):
            raise Problem(f"the lecture pack lacks {name!r}; {MEND}")
        if entry["settings"] != self.plan.settings(name):
            raise Problem(f"the lecture pack's {name!r} was made with other settings; {MEND}")

    def _file(self, name: str, file: str) -> Path:
        """Path of a file of an entry that passes `check`."""
        self.check(name)
        if file not in ENTRIES[name][0]:
            raise Problem(f"the lecture pack's {name!r} has no {file}; see ENTRIES")
        return self.folder / file


def lecture_pack() -> LecturePack:
    """The pack that ships with this package."""
    return LecturePack()


def _plain(value: Any) -> Any:
    """A setting as JSON can hold it; a warm-up by what it does."""
    if callable(value):
        return [round(float(value(step)), 6) for step in range(0, 501, 50)]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value
