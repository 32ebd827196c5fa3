"""Independent training jobs for any `concurrent.futures.Executor`.

First one job a seed trains the source learner; each further job trains one method at one alpha,
from that learner's weights where it needs them. Every job computes on one thread, so that its
numbers depend neither on the executor nor on what else is running.
"""

from __future__ import annotations

import io
import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import (
    FIRST_EXCEPTION,
    Executor,
    Future,
    ProcessPoolExecutor,
    as_completed,
    wait,
)
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import torch
from tqdm.auto import tqdm

from cdseg_teach.cohorts.study import Study, Subject
from cdseg_teach.evaluation import a_distance, calibration_error, evaluate
from cdseg_teach.experiments.recipes import METHODS, learner_of
from cdseg_teach.methods import Learner, steps
from cdseg_teach.problems import Problem, RunFailed
from cdseg_teach.runtime import available_cores

NEAR_MM = 10.0  # calibration "near the foreground": within this distance of it

# On one core, for the estimate before a run; the progress bar corrects it.
SECONDS_A_STEP = 0.1

#: Makes the study of one seed; a module's function or a `functools.partial` of one, so that other
#: processes find it.
Studies = Callable[..., Study]


@dataclass(frozen=True)
class Job:
    """One method, trained and evaluated on the study of one seed; see `recipes.learner_of`."""

    studies: Studies
    method: str
    seed: int
    alpha: float
    steps: int | None = None
    device: str = "auto"

    @property
    def step_count(self) -> int:
        """Steps that its own phase takes."""
        return self.steps or METHODS[self.method].steps

    @property
    def from_source(self) -> bool:
        """Whether it begins with the source learner; the row `source` is that learner."""
        return self.method == "source" or METHODS[self.method].from_source


@dataclass(frozen=True)
class Outcome:
    """Rows of results.csv, and the one row of methods.csv."""

    rows: pd.DataFrame
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Start:
    """A trained source learner: its weights, and the seconds they took."""

    weights: bytes
    seconds: float


def run_jobs(
    jobs: Sequence[Job], executor: Executor | None = None, *, progress: bool = True
) -> list[Outcome]:
    """Train and evaluate all jobs, with a progress bar.

    Raises
    ------
    Problem
        When a job met its user's mistake.
    RunFailed
        When a job broke off; the others are given up.
    """
    executor = executor or _Here()
    waiting: dict[int, list[Job]] = {}
    for job in jobs:
        if job.from_source:
            waiting.setdefault(job.seed, []).append(job)

    with tqdm(total=len(jobs) + len(waiting), disable=not progress, unit="run") as bar:
        started: list[Future[Any]] = []

        def submit(function: Callable[..., Any], *arguments: Any) -> Future[Any]:
            future = executor.submit(function, *arguments)
            started.append(future)
            future.add_done_callback(lambda _: bar.update())
            return future

        try:
            starts = {submit(train_source, same[0]): same for same in waiting.values()}
            outcomes = {job: submit(run_job, job) for job in jobs if not job.from_source}
            for start in as_completed(starts):
                for job in starts[start]:
                    outcomes[job] = submit(run_job, job, start.result())
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
    """How long the jobs take on this machine's cores, very roughly."""
    sources = {job.seed: job.steps or METHODS["source"].steps for job in jobs if job.from_source}
    own = [job.step_count for job in jobs if job.method != "source"]
    total = sum(own) + sum(sources.values())
    processes = min(len(jobs), available_cores())
    minutes = total * SECONDS_A_STEP / processes / 60
    long = f"{minutes:.0f} min" if minutes >= 2 else f"{60 * minutes:.0f} s"
    return f"{len(jobs)} runs, {total} steps of training: about {long} on {processes} cores"


def train_source(job: Job) -> Start:
    """Train the source learner that jobs of this seed begin with."""
    with one_thread():
        study = job.studies(seed=job.seed)
        learner = learner_of("source", study, seed=job.seed, steps=job.steps, device=job.device)
        seconds = train(learner, job.steps or METHODS["source"].steps)
        return Start(weights_of(learner), seconds)


def run_job(job: Job, start: Start | None = None) -> Outcome:
    """Train one method and evaluate it on the test subjects of both domains."""
    with one_thread():
        study, source, seconds = job.studies(seed=job.seed), None, 0.0
        if start is not None:
            source = learner_of("source", study, seed=job.seed, device=job.device)
            load_weights(source, start.weights)
            seconds = start.seconds
        if job.method == "source" and source is not None:
            return _outcome(job, study, source, source, seconds)
        learner = learner_of(
            job.method,
            study,
            source,
            seed=job.seed,
            alpha=job.alpha,
            steps=job.steps,
            device=job.device,
        )
        seconds += train(learner, job.step_count)
        return _outcome(job, study, learner, source, seconds)


def train(learner: Learner, n: int) -> float:
    """Let a learner take `n` steps, and return the seconds they took."""
    began = time.perf_counter()
    for _ in steps(learner, n, progress=False):
        pass
    return time.perf_counter() - began


def weights_of(learner: Learner) -> bytes:
    """The segmenter and its average, without what only training needs."""
    state = learner.state_dict()
    return as_bytes({name: state[name] for name in ("segmenter", "averaged")})


def load_weights(learner: Learner, weights: bytes) -> None:
    """Give a learner the segmenter and the average that `weights_of` wrote."""
    state = torch.load(io.BytesIO(weights), map_location=learner.device, weights_only=True)
    learner.segmenter.load_state_dict(state["segmenter"])
    learner.averaged.load_state_dict(state["averaged"])


def as_bytes(state: dict[str, Any]) -> bytes:
    """A state as `torch.save` writes it, with its tensors on the CPU."""
    stream = io.BytesIO()
    torch.save(_on_cpu(state), stream)
    return stream.getvalue()


@contextmanager
def local_processes(count: int | None = None) -> Iterator[Executor | None]:
    """An executor of `count` processes (as many as cores, unless told); None for just one."""
    count = count or available_cores()
    if count == 1:
        yield None
        return
    before = set(multiprocessing.active_children())
    # A fork would inherit torch's threads in an undefined state; spawn starts clean.
    pool = ProcessPoolExecutor(
        count, multiprocessing.get_context("spawn"), initializer=_end_on_interrupt
    )
    try:
        yield pool
        pool.shutdown()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in set(multiprocessing.active_children()) - before:
            child.terminate()
        raise


@contextmanager
def executor_from(text: str, count: int) -> Iterator[Executor | None]:
    """The executor that the command line names: `local`, or `dask://HOST:PORT`.

    Parameters
    ----------
    text
        Its name.
    count
        How many jobs there are; no more processes are started.
    """
    if text == "local":
        with local_processes(min(count, available_cores())) as executor:
            yield executor
        return
    scheme, _, address = text.partition("://")
    if scheme != "dask" or not address:
        raise Problem(f"executor {text!r} is unknown; use local or dask://HOST:PORT")
    try:
        from dask.distributed import Client
    except ImportError:
        raise Problem(f"executor {text!r} needs dask; pip install distributed") from None
    try:
        client = Client(f"tcp://{address}", timeout=10)
    except (OSError, ValueError) as error:
        raise Problem(f"executor {text!r}: no scheduler answers there ({error})") from error
    with client:
        yield client.get_executor()


def _end_on_interrupt() -> None:
    # Ctrl-C reaches every process of the terminal: workers end silently, the parent tells it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class _Here(Executor):
    """Runs each job at once in this process; its exceptions come straight out of `submit`."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread of the CPU, and go back to as many as before."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _outcome(
    job: Job, study: Study, learner: Learner, source: Learner | None, seconds: float
) -> Outcome:
    row = METHODS[job.method]
    seen = row.view(study)
    alpha = job.alpha if row.has_alpha else float("nan")
    run: dict[str, Any] = {
        "task": study.name,
        "direction": direction(study),
        "method": job.method,
        "seed": job.seed,
        "alpha": alpha,
    }
    tables = []
    for domain, cohort in (("source", seen.source), ("target", seen.target)):
        table = evaluate(learner, cohort.test, cohort.structures)
        tables.append(table.assign(domain=domain))
    rows = pd.concat(tables, ignore_index=True).assign(**run, seconds=round(seconds, 3))
    facts = run | {
        "sees": row.sees,
        "channels": " ".join(seen.source.channels),
        "steps": job.step_count,
        "predicts_with": learner.predict_with,
        "seconds": round(seconds, 3),
        "a_distance": _a_distance(learner, seen),
        **_calibration(learner, seen.target.test),
        "parameters": sum(value.numel() for value in learner.averaged.parameters()),
        "parameters_changed": _changed(learner, source),
    }
    return Outcome(rows, facts)


def direction(study: Study) -> str:
    """What the shift goes from and to: the shifted channels' names, or source_to_target."""
    names = [
        "+".join(cohort.channels[i].lower() for i in study.shifted_channels)
        for cohort in (study.source, study.target)
    ]
    return "_to_".join(names) if study.shifted_channels else "source_to_target"


def _a_distance(learner: Learner, study: Study) -> float:
    """Proxy A-distance of the test subjects' features; NaN with one subject in a domain."""
    if min(len(study.source.test), len(study.target.test)) < 2:
        return float("nan")
    source, target = (
        [learner.features(subject.image) for subject in cohort.test]
        for cohort in (study.source, study.target)
    )
    return a_distance(source, target)


def _calibration(learner: Learner, subjects: Sequence[Subject]) -> dict[str, float]:
    """Calibration error on T, the mean over subjects: everywhere, and near the foreground."""
    errors = []
    for subject in subjects:
        assert subject.label is not None  # evaluate() has asked for it
        p = learner.predict_probabilities(subject.image)
        near = calibration_error(p, subject.label, near_mm=NEAR_MM, spacing_mm=subject.spacing_mm)
        errors.append((calibration_error(p, subject.label), near))
    means = pd.DataFrame(errors, columns=["ece", "ece_near"], dtype=float).mean()
    return {str(name): float(value) for name, value in means.items()}


def _changed(learner: Learner, source: Learner | None) -> int:
    """How many weights differ from the source learner's; all, when it began from scratch."""
    own = [value.detach() for value in learner.averaged.parameters()]
    if source is None:
        return sum(value.numel() for value in own)
    pairs = zip(own, source.averaged.parameters(), strict=True)
    return sum(int((a != b.detach()).sum()) for a, b in pairs)


def _on_cpu(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.cpu()
    if isinstance(value, dict):
        return {key: _on_cpu(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_on_cpu(item) for item in value]
    return value
