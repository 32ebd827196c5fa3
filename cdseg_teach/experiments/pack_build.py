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
from functools import cache, partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from cdseg_teach.cohorts import Study
from cdseg_teach.cohorts.heart import DIRECTIONS
from cdseg_teach.evaluation import evaluate
from cdseg_teach.experiments import alignment, recipes
from cdseg_teach.experiments.executors import local_processes, one_thread
from cdseg_teach.experiments.jobs import Job, run_job, train_start
from cdseg_teach.experiments.pack import FOLDER, MANIFEST, PLAYED, LecturePack
from cdseg_teach.experiments.pack_plan import ENTRIES, SEED, Plan
from cdseg_teach.experiments.recording import Recorder, record, watch
from cdseg_teach.experiments.scenes import by_seed, run_scenes
from cdseg_teach.experiments.summaries import per_seed
from cdseg_teach.experiments.table import shift_curves, sweep, table
from cdseg_teach.experiments.weights import as_bytes, weights_of
from cdseg_teach.experiments.worst import save_cases
from cdseg_teach.problems import Problem
from cdseg_teach.runtime import pick_device

FIRST_STEPS = 10
AGAIN = "batch_statistics"  # a row that needs no training, only a checkpoint
#: Relative difference of the losses of the first steps, in fp32 on another processor.
TOLERANCE = 0.02
#: Hundreds of steps are not portable to the bit: how far a seed's mean DSC may be away, in points.
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
    reference_of = cache(pack.plan.reference_of)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ENTRIES if only is None else [only]:
        reference = reference_of(ENTRIES[name].task)
        if not pack.wrong_with(name, reference):
            say(f"{name}: up to date")
            continue
        say(f"{name}: building ...")
        began = time.perf_counter()
        _build_entry(pack, name, reference)
        say(f"{name}: built in {time.perf_counter() - began:.0f} s")


def verify(folder: Path = FOLDER, plan: Plan | None = None) -> Iterator[tuple[str, bool]]:
    """Check the pack, one (what was checked, whether it is so) after the other.

    The hash of each entry. The losses of the first steps of each recorded run, repeated in fp32,
    within `TOLERANCE`. Rows of seed 0, computed again, within `BAND` points: by training, Train on
    S on S of brains and of hearts by CT; from each checkpoint, its row on T; by adapting one,
    `AGAIN` at the first shift. The scene that needs no training. Last, that the parts agree: the
    sweep with the table, the table with that of everything, worst cases with their rows.
    """
    pack = LecturePack(folder, plan)
    reference_of = cache(pack.plan.reference_of)
    wrong = {n: pack.wrong_with(n, reference_of(entry.task)) for n, entry in ENTRIES.items()}
    for name, what in wrong.items():
        yield f"{name} {what or 'is current'}", what is None
    if any(wrong.values()):
        return
    for name in ("adversarial", "heart_adversarial", "collapse"):
        error = _error_of_first_steps(pack, name)
        said = f"first {FIRST_STEPS} steps of {name} repeat within {TOLERANCE:.0%}: {error:.2%}"
        yield said, error < TOLERANCE
    for what, away in _rows_again(pack):
        yield f"{what} repeats within {BAND:g} points: {away:.1f}", away < BAND
    yield "the scene of the alignment repeats", _alignment_repeats(pack)
    yield "the sweep has the runs of the table", _sweep_agrees(pack)
    yield "both tables of brains agree on S", _tables_agree(pack)
    yield "worst cases are those of their rows", _worst_agree(pack)


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
        "machine": f"{_machine()}, one thread a run",
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


def _results(pack: LecturePack, part: Path, name: str) -> None:
    plan = pack.plan
    studies, seeds, rows = plan.studies_of(name), plan.seeds_of(name), plan.rows_of(name)
    ask = partial(table, studies, rows, seeds)
    if name == "sweep":
        ask = partial(sweep, studies, plan.alphas, seeds)
    elif name == "shift":
        ask = partial(shift_curves, studies, plan.shifts, rows, seeds)
    keep = _kept(pack, name)
    with local_processes() as executor:
        results = ask(steps=plan.steps, executor=executor, keep=keep)
    csv, methods, *worst = ENTRIES[name].files
    results.write(part / csv, part / methods)
    for file in worst:
        save_cases(results.worst, part / file)


def _scenes(pack: LecturePack, part: Path, name: str) -> None:
    plan = pack.plan
    with local_processes() as executor:
        seeds, keep = plan.seeds_of(name), _kept(pack, name)
        played = run_scenes(plan.studies, seeds, executor, steps=plan.steps, keep=keep)
    played.to_csv(part / "scenes.csv", index=False)


def _kept(pack: LecturePack, name: str) -> Path:
    """Where the finished runs of an entry wait for the rest; of other settings, elsewhere."""
    reference = pack.plan.reference_of(ENTRIES[name].task)
    folder = pack.folder / f".unfinished-{name}-{pack.plan.fingerprint(name, reference)[:8]}"
    folder.mkdir(exist_ok=True)
    return folder


_BUILDERS: dict[str, Callable[[LecturePack, Path, str], None]] = {
    **dict.fromkeys(ENTRIES, _checkpoint),
    **dict.fromkeys(("adversarial", "heart_adversarial"), _run),
    **dict.fromkeys(("table", "sweep", "shift", "ge_to_swi", *DIRECTIONS), _results),
    "collapse": _collapse,
    "scenes": _scenes,
}


def _study(pack: LecturePack, name: str) -> Study:
    return pack.plan.studies_of(name)(seed=SEED)


def _player(pack: LecturePack, study: Study, name: str) -> Any:
    row, start = PLAYED[ENTRIES[name].task], pack.checkpoint(study)
    return recipes.learner_of(row, study, start, seed=SEED, steps=pack.plan.steps)


def _error_of_first_steps(pack: LecturePack, name: str) -> float:
    """Largest relative difference between the losses of a recorded run and of its repetition."""
    recorded = pack.recorded(name).reports[:FIRST_STEPS]
    study = _study(pack, name)
    with one_thread():
        if name == "collapse":
            learner = recipes.collapsing(study, pack.checkpoint(study), seed=SEED)
        else:
            learner = _player(pack, study, name)
        again = [learner.step() for _ in recorded]
    was, now = (
        np.array([[report[key] for key in ("loss_seg", "loss_adv")] for report in reports])
        for reports in (recorded, again)
    )
    return float(np.abs(now / was - 1).max())


def _rows_again(pack: LecturePack) -> Iterator[tuple[str, float]]:
    """Rows of one seed, and how far their mean DSC is from the recorded one, in points."""
    for direction, recorded in (
        ("ge_to_swi", pack.table()),
        ("ct_to_mr", pack.everything("ct_to_mr")),
    ):
        studies, steps = pack.plan.studies_of(direction), pack.plan.steps
        job = Job(studies, "source", SEED, recipes.ALPHA, steps)
        again = run_job(job, train_start(job)).rows
        was, now = (per_seed(rows, "source", domain="source") for rows in (recorded, again))
        yield f"Train on S on S, {direction}", float(abs(now - was)[SEED])

    for name, entry in ENTRIES.items():
        if entry.files == (f"{name}.pt",):
            study, (row,) = _study(pack, name), pack.plan.rows_of(name)
            rows = pack.everything(DIRECTIONS[0] if entry.task == "heart" else "ge_to_swi")
            learner = pack.checkpoint(study, row)
            yield f"checkpoint {name}", _away(learner, recipes.METHODS[row].view(study), rows, row)

    shift, rows = pack.plan.shifts[0], pack.shift()
    study = pack.plan.studies(seed=SEED, shift=shift)
    method = recipes.predictor_of(AGAIN, study, pack.checkpoint(study), seed=SEED)
    yield f"{AGAIN} at shift {shift:g}", _away(method, study, rows[rows["shift"] == shift], AGAIN)


def _away(predictor: Any, study: Study, rows: pd.DataFrame, row: str) -> float:
    with one_thread():
        now = evaluate(predictor, study.target.test, study.target.structures).dsc.mean() * 100
    return float(abs(now - per_seed(rows, row)[SEED]))


def _sweep_agrees(pack: LecturePack) -> bool:
    """Whether the same run gave the same in both."""
    swept, rows = pack.sweep(), pack.table()
    parts = (swept[swept.alpha == recipes.ALPHA], rows)
    both = pd.concat([per_seed(part, "adversarial") for part in parts], axis=1).dropna()
    return bool(np.allclose(both.iloc[:, 0], both.iloc[:, 1], atol=BAND))


def _tables_agree(pack: LecturePack) -> bool:
    """Whether the rows that both tables have are as good on S, in the mean of their common seeds.

    On T two trainings that differ in rounding alone may end far apart.
    """
    tables = pack.table(), pack.everything("ge_to_swi")
    for method in set(tables[0].method) & set(tables[1].method):
        each = [per_seed(rows, method, domain="source") for rows in tables]
        both = pd.concat(each, axis=1, join="inner")
        if both.empty or abs(both.mean().diff().iloc[-1]) > BAND:
            return False
    return True


def _alignment_repeats(pack: LecturePack) -> bool:
    """Whether the scene that needs no training comes out as recorded, on every seed."""
    table = by_seed(pack.scenes(), "wrong_alignment")
    again = pd.DataFrame({seed: alignment.bounds_by_line(seed) for seed in table.index}).T
    return set(again) == set(table) and bool(np.allclose(again[table.columns], table))


def _worst_agree(pack: LecturePack) -> bool:
    """Whether each worst case has the lowest DSC of its method on T."""
    for direction in ("ge_to_swi", *DIRECTIONS):
        rows = pack.everything(direction)
        each = rows[rows.domain == "target"].groupby(["method", "seed", "subject"]).dsc.mean()
        lowest = each.groupby("method").min()
        if any(abs(case.dsc - lowest[case.method]) > 1e-9 for case in pack.worst(direction)):
            return False
    return True


def _machine() -> str:
    """The model of the GPU, or of the CPU where the system tells it."""
    if (device := pick_device("auto")).type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    models = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.machine())
