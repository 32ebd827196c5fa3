"""Where jobs run: in this process, in several, or on a cluster."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any

import torch

from cdseg_teach.problems import Problem
from cdseg_teach.runtime import available_cores


class Here(Executor):
    """Runs each job at once in this process; its exceptions come straight out of `submit`."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run it, and return a future that is done."""
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


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


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread of the CPU, and go back to as many as before."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
