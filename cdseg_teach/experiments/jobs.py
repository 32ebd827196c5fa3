"""Independent training jobs for any `concurrent.futures.Executor`.

First come the learners that are trained from scratch on S, one of each kind a seed: some rows are
such a learner, others begin with one, and one training serves every target. Each further job trains
one method at one alpha. Every job computes on one thread, so that its numbers depend neither on the
executor nor on what else is running. Its seconds are those that the process computed: a process
that runs several jobs at once counts them together, and what a GPU does meanwhile is not counted.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Executor, Future, as_completed, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm.auto import tqdm

from cdseg_teach.cohorts.nifti import packed_prediction
from cdseg_teach.cohorts.study import Cohort, Study
from cdseg_teach.evaluation import evaluate
from cdseg_teach.experiments.executors import Here, one_thread
from cdseg_teach.experiments.facts import Remembering, facts_of
from cdseg_teach.experiments.recipes import AT_HAND, METHODS, STARTS, learner_of, predictor_of
from cdseg_teach.experiments.weights import load_weights, weights_of
from cdseg_teach.experiments.worst import WorstCase, worst_case
from cdseg_teach.methods import Learner, steps
from cdseg_teach.methods.test_time.base import Adaptation
from cdseg_teach.problems import Problem, RunFailed
from cdseg_teach.runtime import available_cores

# On one core, for the estimate before a run; the progress bar corrects it.
SECONDS_A_STEP = 0.2

#: Makes the study of one seed; a module's function or a `functools.partial` of one, so that other
#: processes find it.
Studies = Callable[..., Study]


@dataclass(frozen=True)
class Job:
    """One method, trained and evaluated on the study of one seed; see `recipes.learner_of`.

    It is evaluated on the test subjects of `domains`, of which T has to be one; with `predictions`
    its outcome holds what was predicted for them.
    """

    studies: Studies
    method: str
    seed: int
    alpha: float
    steps: int | None = None
    device: str = "auto"
    domains: tuple[str, ...] = ("source", "target")
    predictions: bool = False

    @property
    def step_count(self) -> int:
        """Steps that its own phase takes; a row that takes none stays so."""
        own = METHODS[self.method].steps
        return (self.steps or own) if own else 0

    @property
    def trains(self) -> bool:
        """Whether its row learns before it sees a test subject."""
        return AT_HAND not in METHODS[self.method].sees

    @property
    def start(self) -> str | None:
        """The row whose learner it begins with, which may be the row itself."""
        return METHODS[self.method].start or (self.method if self.method in STARTS else None)


@dataclass(frozen=True)
class Outcome:
    """Rows of results.csv, the one row of methods.csv, and where the run did worst on T.

    `predictions` are the test subjects' masks by name, as `.nii.gz`. No job writes them: it may run
    on another machine, and an outcome that was kept would come back without its files.
    """

    rows: pd.DataFrame
    facts: dict[str, Any] = field(default_factory=dict)
    worst: WorstCase | None = None
    predictions: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Start:
    """A trained learner that rows begin with: its weights, and the seconds they took."""

    weights: bytes
    seconds: float


@dataclass(frozen=True)
class Training:
    """How long a learner trained, and what its steps reported."""

    seconds: float
    reports: Sequence[dict[str, float]] = ()


def run_jobs(
    jobs: Sequence[Job],
    executor: Executor | None = None,
    *,
    progress: bool = True,
    keep: Path | None = None,
) -> list[Outcome]:
    """Train and evaluate all jobs, with a progress bar.

    Parameters
    ----------
    jobs
        Those of one seed share S, whatever their T.
    executor
        Any; None runs here, one job after another.
    progress
        Whether to show the bar.
    keep
        A folder of these very jobs, where each result is kept as soon as it is there: another call
        goes on where this one was interrupted.

    Raises
    ------
    Problem
        When a job met its user's mistake.
    RunFailed
        When a job broke off; the others are given up.
    """
    executor = executor or Here()
    waiting: dict[tuple[int, str], list[Job]] = {}
    for job in jobs:
        if job.start:
            waiting.setdefault((job.seed, job.start), []).append(job)

    with tqdm(total=len(jobs) + len(waiting), disable=not progress, unit="run") as bar:
        started: list[Future[Any]] = []

        def submit(name: str, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
            file = keep / f"{name}.pkl" if keep else None
            future = executor.submit(once, file, function, *arguments)
            started.append(future)
            future.add_done_callback(lambda _: bar.update())
            return future

        number = {job: f"job-{i}" for i, job in enumerate(jobs)}
        try:
            starts = {
                submit(f"start-{seed}-{name}", train_start, same[0]): same
                for (seed, name), same in waiting.items()
            }
            outcomes = {job: submit(number[job], run_job, job) for job in jobs if not job.start}
            for start in as_completed(starts):
                for job in starts[start]:
                    outcomes[job] = submit(number[job], run_job, job, start.result())
            wait(outcomes.values(), return_when=FIRST_EXCEPTION)
            for future in filter(Future.done, outcomes.values()):
                future.result()  # raises what broke it, before any unfinished one is waited for
            return [outcomes[job].result() for job in jobs]
        except (Problem, RunFailed, KeyboardInterrupt):
            raise
        except BrokenProcessPool as error:
            raise RunFailed(
                "a process ended before its run; free some memory, try again"
            ) from error
        except Exception as error:
            raise RunFailed(f"{type(error).__name__}: {error}") from error
        finally:
            for future in started:
                future.cancel()


def estimate(jobs: Sequence[Job]) -> str:
    """How long the jobs and what they begin with train on this machine's cores, very roughly."""
    starts = {(j.seed, j.start): j.steps or METHODS[j.start].steps for j in jobs if j.start}
    own = [job.step_count for job in jobs if job.method != job.start and job.trains]
    total = sum(own) + sum(starts.values())
    processes = min(len(jobs), available_cores())
    minutes = total * SECONDS_A_STEP / processes / 60
    long = f"{minutes:.0f} min" if minutes >= 2 else f"{60 * minutes:.0f} s"
    runs, cores = _counted(len(jobs) + len(starts), "run"), _counted(processes, "core")
    return f"{runs}, {total} steps of training: about {long} on {cores}, and the tests besides"


def once(file: Path | None, function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function gives, or gave when it was called for this file before."""
    if file is None:
        return function(*arguments)
    if file.is_file():
        try:
            return pickle.loads(file.read_bytes())
        except Exception:  # of a version whose classes were elsewhere
            file.unlink()
    result = function(*arguments)
    part = file.with_suffix(".part")
    part.write_bytes(pickle.dumps(result))
    part.replace(file)
    return result


def _counted(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def train_start(job: Job) -> Start:
    """Train the learner that a job begins with."""
    with one_thread():
        learner = _start_of(job, job.studies(seed=job.seed))
        training = train(learner, job.steps or METHODS[job.start or ""].steps)
        return Start(weights_of(learner), training.seconds)


def run_job(job: Job, start: Start | None = None) -> Outcome:
    """Train one method and evaluate it on the test subjects of its domains."""
    with one_thread():
        study, begun = job.studies(seed=job.seed), None
        if start is not None:
            begun = _start_of(job, study)
            load_weights(begun, start.weights)
        if job.method == job.start and begun is not None and start is not None:
            # All weights of a row from scratch are new; only the source learner is what it was.
            known = begun if job.method == "source" else None
            return _outcome(job, study, begun, known, Training(start.seconds))
        began = time.process_time()
        learner = predictor_of(
            job.method,
            study,
            begun,
            seed=job.seed,
            alpha=job.alpha,
            steps=job.steps,
            device=job.device,
        )
        # A test-time method adapts when it predicts; what it needs for that has been made by now.
        made = Training(time.process_time() - began)
        training = train(learner, job.step_count) if isinstance(learner, Learner) else made
        before = start.seconds if start else 0.0
        return _outcome(
            job, study, learner, begun, replace(training, seconds=before + training.seconds)
        )


def _start_of(job: Job, study: Study) -> Learner:
    """The learner that a job begins with, untrained."""
    assert job.start is not None
    return learner_of(job.start, study, seed=job.seed, steps=job.steps, device=job.device)


def train(learner: Learner, n: int) -> Training:
    """Let a learner take `n` steps."""
    began = time.process_time()
    reports = list(steps(learner, n, progress=False))
    return Training(time.process_time() - began, reports)


def _outcome(
    job: Job,
    study: Study,
    learner: Learner | Adaptation,
    begun: Learner | None,
    training: Training,
) -> Outcome:
    row = METHODS[job.method]
    seen = row.view(study)
    run: dict[str, Any] = {
        "task": study.name,
        "direction": direction(study),
        "method": job.method,
        "seed": job.seed,
        "alpha": job.alpha if row.has_alpha else float("nan"),
    }
    predictor = Remembering(learner)
    cohorts = {"source": seen.source, "target": seen.target}
    tested = {domain: cohort for domain, cohort in cohorts.items() if domain in job.domains}
    tables = {
        domain: evaluate(predictor, cohort.test, cohort.structures).assign(domain=domain)
        for domain, cohort in tested.items()
    }
    adapting = 0.0 if isinstance(learner, Learner) else predictor.seconds
    seconds = round(training.seconds + adapting, 3)
    rows = pd.concat(tables.values(), ignore_index=True).assign(**run, seconds=seconds)
    how = {"sees": row.sees, "channels": " ".join(seen.source.channels), "steps": job.step_count}
    facts = facts_of(learner, seen, begun, training.reports, predictor)
    worst = worst_case(predictor, study, seen, tables["target"], job.method)
    masks = _masks(predictor, tested.values()) if job.predictions else {}
    return Outcome(rows, run | how | {"seconds": seconds} | facts, worst, masks)


def _masks(predictor: Remembering, cohorts: Iterable[Cohort]) -> dict[str, bytes]:
    return {
        subject.name: packed_prediction(predictor.predict(subject.image), subject)
        for cohort in cohorts
        for subject in cohort.test
    }


def direction(study: Study) -> str:
    """What the shift goes from and to: the shifted channels' names, or source_to_target."""
    names = [
        "+".join(cohort.channels[i].lower() for i in study.shifted_channels)
        for cohort in (study.source, study.target)
    ]
    return "_to_".join(names) if study.shifted_channels else "source_to_target"
