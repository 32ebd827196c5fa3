"""Building the lecture pack, an entry at a time, and verifying that it can be built again."""

from __future__ import annotations

import datetime
import json
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cdseg_teach.cohorts import Study
from cdseg_teach.cohorts.heart import DIRECTIONS
from cdseg_teach.evaluation import evaluate
from cdseg_teach.experiments import recipes
from cdseg_teach.experiments.executors import local_processes, one_thread
from cdseg_teach.experiments.jobs import Job, run_job, train_start
from cdseg_teach.experiments.pack import FOLDER, MANIFEST, PLAYED, LecturePack
from cdseg_teach.experiments.pack_plan import ENTRIES, SEED, Plan
from cdseg_teach.experiments.recording import Recorder, record, watch
from cdseg_teach.experiments.summaries import per_seed
from cdseg_teach.experiments.table import Results, shift_curves, sweep, table
from cdseg_teach.experiments.weights import as_bytes, weights_of
from cdseg_teach.experiments.worst import save_cases
from cdseg_teach.problems import Problem

FIRST_STEPS = 10
AGAIN = "batch_statistics"  # a row that needs no training, only a checkpoint
#: Relative difference of the losses of the first steps, in fp32 on another processor.
TOLERANCE = 0.02
#: Hundreds of steps are not portable to the bit: mean DSC of Train on S on S, in points.
BAND = 5.0


def build(
    only: str | None = None,
    folder: Path = FOLDER,
    plan: Plan | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Build what is missing or stale; an interrupted build goes on where it was.

    Parameters
    ----------
    only
        One entry; None builds all.
    folder, plan
        Where, and of what.
    say
        Told about each entry.
    """
    if only is not None and only not in ENTRIES:
        raise Problem(f"the lecture pack has no entry {only!r}; it has {', '.join(ENTRIES)}")
    pack = LecturePack(folder, plan)
    references = pack.plan.references()
    folder.mkdir(parents=True, exist_ok=True)
    for name in ENTRIES if only is None else [only]:
        reference = references[ENTRIES[name].task]
        if not pack.wrong_with(name, reference):
            say(f"{name}: up to date")
            continue
        say(f"{name}: building ...")
        began = time.perf_counter()
        _build_entry(pack, name, reference)
        say(f"{name}: built in {time.perf_counter() - began:.0f} s")


def verify(folder: Path = FOLDER, plan: Plan | None = None) -> Iterator[tuple[str, bool]]:
    """Check the pack, one (what was checked, whether it is so) after the other.

    The hash of each entry. Then one of each kind is computed again: the losses of the first steps
    of both recorded runs, in fp32, within `TOLERANCE`; by training, the table's row of Train on S
    on S; from checkpoints, a row that adapts at test time of other tables. Rows are compared
    within `BAND` points.
    """
    pack = LecturePack(folder, plan)
    references = pack.plan.references()
    wrong = {name: pack.wrong_with(name, references[ENTRIES[name].task]) for name in ENTRIES}
    for name, what in wrong.items():
        yield f"{name} {what or 'is current'}", what is None
    if any(wrong.values()):
        return
    for name in ("adversarial", "heart_adversarial"):
        error = _error_of_first_steps(pack, name)
        said = f"first {FIRST_STEPS} steps of {name} repeat within {TOLERANCE:.0%}: {error:.2%}"
        yield said, error < TOLERANCE
    away = _row_again(pack)
    yield f"Train on S on S repeats within {BAND:g} points: {away:.1f}", away < BAND
    for name, rows, shift in _tables_of_seed(pack):
        away = _adapted_again(pack, name, rows, shift)
        yield f"{name}: {AGAIN} repeats within {BAND:g} points: {away:.1f}", away < BAND


def _build_entry(pack: LecturePack, name: str, reference: list[float]) -> None:
    """Build into a folder beside, then move the files and say so in the manifest."""
    with tempfile.TemporaryDirectory(dir=pack.folder, prefix=".part-") as part:
        _BUILDERS[name](pack, Path(part), name)
        _write_manifest(pack, {key: kept for key, kept in pack.manifest.items() if key != name})
        for file in ENTRIES[name].files:
            os.replace(Path(part) / file, pack.folder / file)
    entry = {
        "settings": pack.plan.settings(name),
        "seeds": pack.plan.seeds_of(name),
        "date": datetime.date.today().isoformat(),
        "versions": {package: metadata.version(package) for package in ("torch", "numpy")},
        "machine": f"{_processor()}, one thread a run",
        "reference": reference,
        "hash": pack.plan.fingerprint(name, reference),
    }
    _write_manifest(pack, pack.manifest | {name: entry})
    for folder in pack.folder.glob(f".unfinished-{name}-*"):
        shutil.rmtree(folder)


def _write_manifest(pack: LecturePack, entries: dict[str, Any]) -> None:
    part = pack.folder / f".{MANIFEST}.part"
    part.write_text(json.dumps(entries, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(part, pack.folder / MANIFEST)


def _checkpoint(pack: LecturePack, part: Path, name: str) -> None:
    row = name.removeprefix("heart_")
    job = Job(pack.plan.studies_of(name), row, SEED, recipes.ALPHA, pack.plan.steps)
    (part / f"{name}.pt").write_bytes(train_start(job).weights)


def _run(pack: LecturePack, part: Path, name: str) -> None:
    with one_thread():
        study = _study(pack, name)
        learner = _player(pack, study, name)
        recorder, history = Recorder(study, every=pack.plan.every), list[dict[str, float]]()
        n = pack.plan.steps or recipes.ADAPTATION_STEPS
        recorder.begin(learner)
        opening = round(pack.plan.opens_at * n)
        watch(learner, opening, recorder, history)
        (part / f"{name}_opening.pt").write_bytes(as_bytes(learner.state_dict()))
        watch(learner, n - opening, recorder, history)
        recorder.recording(history, seed=SEED).to_npz(part / f"{name}.npz")
        (part / f"{name}_end.pt").write_bytes(weights_of(learner))


def _collapse(pack: LecturePack, part: Path, name: str) -> None:
    with one_thread():
        study = _study(pack, name)
        learner = recipes.collapsing(study, pack.checkpoint(study), seed=SEED)
        n = pack.plan.steps or recipes.COLLAPSE_STEPS
        record(study, learner, n, pack.plan.every, seed=SEED).to_npz(part / "collapse.npz")


def _table(pack: LecturePack, part: Path, name: str) -> None:
    plan = pack.plan
    asked = (plan.methods, plan.seeds) if name == "table" else (plan.rows, plan.rows_seeds)
    with local_processes() as executor:
        results = table(
            plan.studies_of(name),
            *asked,
            steps=plan.steps,
            executor=executor,
            keep=_kept(pack, name),
        )
    _write(results, part, name)
    if name != "table":
        save_cases(results.worst, part / f"{name}_worst.npz")


def _sweep(pack: LecturePack, part: Path, name: str) -> None:
    plan = pack.plan
    with local_processes() as executor:
        results = sweep(
            plan.studies,
            plan.alphas,
            plan.sweep_seeds,
            steps=plan.steps,
            executor=executor,
            keep=_kept(pack, name),
        )
    _write(results, part, name)


def _shift(pack: LecturePack, part: Path, name: str) -> None:
    plan = pack.plan
    with local_processes() as executor:
        results = shift_curves(
            plan.studies,
            plan.shifts,
            plan.rows,
            plan.shift_seeds,
            steps=plan.steps,
            executor=executor,
            keep=_kept(pack, name),
        )
    _write(results, part, name)


def _write(results: Results, part: Path, name: str) -> None:
    rows, methods, *_ = ENTRIES[name].files
    results.write(part / rows, part / methods)


def _kept(pack: LecturePack, name: str) -> Path:
    """Where the finished runs of an entry wait for the rest; of other settings, elsewhere."""
    folder = pack.folder / f".unfinished-{name}-{pack.plan.fingerprint(name, [])[:8]}"
    folder.mkdir(exist_ok=True)
    return folder


_BUILDERS: dict[str, Callable[[LecturePack, Path, str], None]] = {
    **dict.fromkeys(ENTRIES, _checkpoint),
    **dict.fromkeys(("adversarial", "heart_adversarial"), _run),
    **dict.fromkeys(("table", "ge_to_swi", *DIRECTIONS), _table),
    "collapse": _collapse,
    "sweep": _sweep,
    "shift": _shift,
}


def _study(pack: LecturePack, name: str) -> Study:
    return pack.plan.studies_of(name)(seed=SEED)


def _player(pack: LecturePack, study: Study, name: str) -> Any:
    row, start = PLAYED[ENTRIES[name].task], pack.checkpoint(study)
    return recipes.learner_of(row, study, start, seed=SEED, steps=pack.plan.steps)


def _error_of_first_steps(pack: LecturePack, name: str) -> float:
    """Largest relative difference between the losses of a recorded run and of its repetition."""
    recorded = pack.recorded(name).reports[:FIRST_STEPS]
    with one_thread():
        learner = _player(pack, _study(pack, name), name)
        again = [learner.step() for _ in recorded]
    was, now = (
        np.array([[report[key] for key in ("loss_seg", "loss_adv")] for report in reports])
        for reports in (recorded, again)
    )
    return float(np.abs(now / was - 1).max())


def _row_again(pack: LecturePack) -> float:
    """How far mean DSC of Train on S on S, trained again, is from the table's, in points."""
    job = Job(pack.plan.studies, "source", pack.plan.seeds[0], recipes.ALPHA, pack.plan.steps)
    outcome = run_job(job, train_start(job))
    rows = pack.table()
    was = per_seed(rows, "source", domain="source")[job.seed]
    now = per_seed(outcome.rows, "source", domain="source")[job.seed]
    return float(abs(now - was))


def _tables_of_seed(pack: LecturePack) -> Iterator[tuple[str, pd.DataFrame, dict[str, float]]]:
    """The tables that have a checkpoint of their source learner, and what their study needs."""
    for name in ("ge_to_swi", "mr_to_ct"):
        yield name, pack.everything(name), {}
    rows, shift = pack.shift(), pack.plan.shifts[0]
    yield "shift", rows[rows["shift"] == shift], {"shift": shift}


def _adapted_again(
    pack: LecturePack, name: str, rows: pd.DataFrame, options: dict[str, float]
) -> float:
    """How far mean DSC of a row that needs no training is from a table's on T, in points."""
    study = pack.plan.studies_of(name)(seed=SEED, **options)
    start = pack.checkpoint(study)
    with one_thread():
        method = recipes.predictor_of(AGAIN, study, start, seed=SEED)
        now = evaluate(method, study.target.test, study.target.structures).dsc.mean() * 100
    return float(abs(now - per_seed(rows, AGAIN)[SEED]))


def _processor() -> str:
    """The model of the CPU, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    models = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.machine())
