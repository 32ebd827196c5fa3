"""Building the lecture pack, an entry at a time, and verifying that it can be built again."""

from __future__ import annotations

import datetime
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from cdseg_teach.cohorts import Study
from cdseg_teach.experiments import recipes
from cdseg_teach.experiments.executors import local_processes, one_thread
from cdseg_teach.experiments.jobs import Job, run_job, train, train_start
from cdseg_teach.experiments.pack import ENTRIES, FOLDER, MANIFEST, SEED, LecturePack, Plan
from cdseg_teach.experiments.recording import Recorder, record, watch
from cdseg_teach.experiments.summaries import per_seed
from cdseg_teach.experiments.table import sweep, table
from cdseg_teach.experiments.weights import as_bytes, weights_of
from cdseg_teach.problems import Problem

FIRST_STEPS = 10
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
    reference = pack.plan.reference()
    folder.mkdir(parents=True, exist_ok=True)
    for name in ENTRIES if only is None else [only]:
        if not why_stale(pack, name, reference):
            say(f"{name}: up to date")
            continue
        say(f"{name}: building ...")
        began = time.perf_counter()
        _build_entry(pack, name, reference)
        say(f"{name}: built in {time.perf_counter() - began:.0f} s")


def why_stale(pack: LecturePack, name: str, reference: list[float]) -> str | None:
    """What is wrong with an entry, or None for one that is current."""
    entry = pack.manifest.get(name)
    if entry is None or not all((pack.folder / file).is_file() for file in ENTRIES[name][0]):
        return "is missing"
    if not _same(entry["reference"], reference):
        return "is stale: what the simulation renders has changed"
    if entry["hash"] != pack.plan.fingerprint(name, entry["reference"]):
        return "is stale: its recipe has changed"
    return None


def verify(folder: Path = FOLDER, plan: Plan | None = None) -> Iterator[tuple[str, bool]]:
    """Check the pack, one (what was checked, whether it is so) after the other.

    The hash of each entry; the losses of the first steps of the adversarial run, repeated in fp32,
    within `TOLERANCE`; the table's row of Train on S, computed again, within `BAND` points on S.
    """
    pack = LecturePack(folder, plan)
    reference = pack.plan.reference()
    for name in ENTRIES:
        wrong = why_stale(pack, name, reference)
        yield f"{name} {wrong or 'is current'}", wrong is None
    if any(why_stale(pack, name, reference) for name in ("source", "adversarial", "table")):
        return
    error = _error_of_first_steps(pack)
    yield f"first {FIRST_STEPS} steps repeat within {TOLERANCE:.0%}: {error:.2%}", error < TOLERANCE
    away = _row_again(pack)
    yield f"Train on S on S repeats within {BAND:g} points: {away:.1f}", away < BAND


def _build_entry(pack: LecturePack, name: str, reference: list[float]) -> None:
    """Build into a folder beside, then move the files and say so in the manifest."""
    with tempfile.TemporaryDirectory(dir=pack.folder, prefix=".part-") as part:
        _BUILDERS[name](pack, Path(part))
        _write_manifest(pack, {key: kept for key, kept in pack.manifest.items() if key != name})
        for file in ENTRIES[name][0]:
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


def _write_manifest(pack: LecturePack, entries: dict[str, Any]) -> None:
    part = pack.folder / f".{MANIFEST}.part"
    part.write_text(json.dumps(entries, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(part, pack.folder / MANIFEST)


def _source(pack: LecturePack, part: Path) -> None:
    job = Job(pack.plan.studies, "source", SEED, recipes.ALPHA, pack.plan.steps)
    (part / "source.pt").write_bytes(train_start(job).weights)


def _source_without_shifted_channel(pack: LecturePack, part: Path) -> None:
    name = "source_without_shifted_channel"
    with one_thread():
        learner = recipes.learner_of(name, _study(pack), seed=SEED, steps=pack.plan.steps)
        train(learner, pack.plan.steps or recipes.METHODS[name].steps)
    (part / f"{name}.pt").write_bytes(weights_of(learner))


def _adversarial(pack: LecturePack, part: Path) -> None:
    with one_thread():
        study = _study(pack)
        learner = _adversarial_learner(pack, study)
        recorder, history = Recorder(study, every=pack.plan.every), list[dict[str, float]]()
        n = pack.plan.steps or recipes.ADAPTATION_STEPS
        recorder.begin(learner)
        opening = round(pack.plan.opens_at * n)
        watch(learner, opening, recorder, history)
        (part / "adversarial_opening.pt").write_bytes(as_bytes(learner.state_dict()))
        watch(learner, n - opening, recorder, history)
        recorder.recording(history, seed=SEED).to_npz(part / "adversarial.npz")
        (part / "adversarial_end.pt").write_bytes(weights_of(learner))


def _collapse(pack: LecturePack, part: Path) -> None:
    with one_thread():
        study = _study(pack)
        learner = recipes.collapsing(study, pack.checkpoint(study), seed=SEED)
        n = pack.plan.steps or recipes.COLLAPSE_STEPS
        record(study, learner, n, pack.plan.every, seed=SEED).to_npz(part / "collapse.npz")


def _table(pack: LecturePack, part: Path) -> None:
    plan = pack.plan
    with local_processes() as executor:
        results = table(plan.studies, plan.methods, plan.seeds, steps=plan.steps, executor=executor)
    results.write(part / "results.csv", part / "methods.csv")


def _sweep(pack: LecturePack, part: Path) -> None:
    plan = pack.plan
    with local_processes() as executor:
        results = sweep(
            plan.studies, plan.alphas, plan.sweep_seeds, steps=plan.steps, executor=executor
        )
    results.write(part / "sweep.csv", part / "sweep_methods.csv")


_BUILDERS: dict[str, Callable[[LecturePack, Path], None]] = {
    "source": _source,
    "source_without_shifted_channel": _source_without_shifted_channel,
    "adversarial": _adversarial,
    "collapse": _collapse,
    "table": _table,
    "sweep": _sweep,
}


def _same(one: list[float], other: list[float]) -> bool:
    """Whether two reference renderings agree but for the last digit, which rounding may turn."""
    return len(one) == len(other) and bool(np.allclose(one, other, rtol=0, atol=0.015))


def _study(pack: LecturePack) -> Study:
    return pack.plan.studies(seed=SEED)


def _adversarial_learner(pack: LecturePack, study: Study) -> Any:
    start = pack.checkpoint(study)
    return recipes.learner_of("adversarial", study, start, seed=SEED, steps=pack.plan.steps)


def _error_of_first_steps(pack: LecturePack) -> float:
    """Largest relative difference between the losses of the recorded run and of its repetition."""
    recorded = pack.recorded("adversarial").reports[:FIRST_STEPS]
    with one_thread():
        learner = _adversarial_learner(pack, _study(pack))
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


def _processor() -> str:
    """The model of the CPU, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    models = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.machine())
