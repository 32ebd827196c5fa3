"""The lecture pack: checkpoints, recorded runs and results that ship with the package.

`pack.json` says of each entry how, when and where it was made. An entry is current while its
settings are those of `recipes`, and its reference is what the simulation renders now.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cdseg_teach.cohorts import Study
from cdseg_teach.evaluation import RATIOS
from cdseg_teach.experiments import recipes
from cdseg_teach.experiments.claims import Score
from cdseg_teach.experiments.jobs import direction as direction_of
from cdseg_teach.experiments.pack_plan import ENTRIES, SEED, Plan
from cdseg_teach.experiments.recording import RecordedRun
from cdseg_teach.experiments.summaries import per_seed
from cdseg_teach.experiments.weights import from_bytes, load_weights
from cdseg_teach.experiments.worst import WorstCase, load_cases
from cdseg_teach.methods import Adversarial, Learner
from cdseg_teach.problems import Problem

FOLDER = Path(__file__).resolve().parents[1] / "lecture_pack"
MANIFEST = "pack.json"
MEND = "run `cdseg-teach pack build`"
#: The row whose run is recorded for each task: there the output alone is heard.
PLAYED = {"brain": "adversarial", "heart": "output_adversarial"}


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
            With all of its channels; the learner draws its batches from it. Hearts: MR to CT.
        name
            A row: `"source"`, `"synthesis"`; for brains also `"source_without_shifted_channel"`,
            `"augmentation"`, `"gin"`.
        """
        entry = entry_of(study, name)
        weights = self._file(entry, f"{entry}.pt").read_bytes()
        learner = recipes.learner_of(name, study, seed=SEED)
        load_weights(learner, weights)
        return learner

    def recorded(self, name: str = "adversarial") -> RecordedRun:
        """A recorded run, `"adversarial"`, `"collapse"` or `"heart_adversarial"`."""
        return RecordedRun.from_npz(self._file(name, f"{name}.npz"))

    def opening_state(self, name: str = "adversarial") -> dict[str, Any]:
        """The learner's whole state where the lecture opens a recorded run, to go on from."""
        return from_bytes(self._file(name, f"{name}_opening.pt").read_bytes())

    def adapted(self, study: Study) -> Adversarial:
        """The adversarial learner at the end of its recorded run, to predict with."""
        entry = entry_of(study, "adversarial")
        learner = recipes.learner_of(PLAYED[ENTRIES[entry].task], study, seed=SEED)
        assert isinstance(learner, Adversarial)
        load_weights(learner, self._file(entry, f"{entry}_end.pt").read_bytes())
        return learner

    def everything(self, direction: str) -> pd.DataFrame:
        """The rows of results.csv of all methods, `"ge_to_swi"`, `"mr_to_ct"` or `"ct_to_mr"`."""
        return pd.read_csv(self._file(direction, f"{direction}.csv"))

    def everything_methods(self, direction: str) -> pd.DataFrame:
        """The rows of methods.csv that belong to `everything`."""
        return pd.read_csv(self._file(direction, f"{direction}_methods.csv"))

    def worst(self, direction: str) -> list[WorstCase]:
        """The worst case of each method of `everything`."""
        return load_cases(self._file(direction, f"{direction}_worst.npz"))

    def shift(self) -> pd.DataFrame:
        """The rows of all methods on T at several strengths, `shift`; 1 is the target's own.

        Without seconds: those of test-time methods are about T alone below 1, about S and T at 1.
        """
        rows, whole = pd.read_csv(self._file("shift", "shift.csv")), self.everything("ge_to_swi")
        on_t = whole[whole.seed.isin(rows.seed) & (whole.domain == "target")]
        same = on_t.assign(shift=1.0)
        return pd.concat([rows, same], ignore_index=True).drop(columns="seconds")

    def scenes(self) -> pd.DataFrame:
        """What the scenes of `scenes.SCENES` measured: scene, seed, quantity, value."""
        return pd.read_csv(self._file("scenes", "scenes.csv"))

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
        direction: str | None = None,
    ) -> Score:
        """Mean of a metric over the seeds, in percent, for a recorded claim.

        Parameters
        ----------
        method, metric, domain
            As in results.csv.
        alpha
            Takes the number from the sweep at this alpha, instead of from the table.
        direction
            Takes it from `everything`.
        """
        name = direction or ("table" if alpha is None else "sweep")
        rows = self.everything(direction) if direction else getattr(self, name)()
        if metric not in RATIOS:
            raise Problem(f"metric {metric!r} is no share; a claim compares {', '.join(RATIOS)}")
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
        if wrong := self.wrong_with(name):
            raise Problem(f"the lecture pack's {name!r} {wrong}; {MEND}")

    def wrong_with(self, name: str, reference: list[float] | None = None) -> str | None:
        """What is wrong with an entry, or None for one that is current.

        Parameters
        ----------
        name
            In `ENTRIES`.
        reference
            What the simulation renders now, to be compared with what it did; None leaves that out,
            since it takes seconds.
        """
        entry = self.manifest.get(name)
        if entry is None or not all((self.folder / file).is_file() for file in ENTRIES[name].files):
            return "is missing"
        if reference is not None and not _same(entry["reference"], reference):
            return "is stale: what the simulation renders has changed"
        if entry["hash"] != self.plan.fingerprint(name, entry["reference"]):
            return "is stale: its recipe has changed"
        return None

    def _file(self, name: str, file: str) -> Path:
        """Path of a file of an entry that passes `check`."""
        self.check(name)
        if file not in ENTRIES[name].files:
            raise Problem(f"the lecture pack's {name!r} has no {file}; see ENTRIES")
        return self.folder / file


def entry_of(study: Study, name: str) -> str:
    """The name of the entry that holds something of this study's task.

    Raises
    ------
    Problem
        For hearts from CT to MR: their networks are not in the pack.
    """
    if direction_of(study) == "ct_to_mr":
        raise Problem("the lecture pack's hearts learned from MR; give a study from MR to CT")
    return f"heart_{name}" if study.name == "heart" else name


def _same(one: list[float], other: list[float]) -> bool:
    """Whether two reference renderings agree but for the last digit, which rounding may turn."""
    return len(one) == len(other) and bool(np.allclose(one, other, rtol=0, atol=0.015))


def lecture_pack() -> LecturePack:
    """The pack that ships with this package."""
    return LecturePack()
