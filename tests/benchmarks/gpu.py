"""How quick training is on a GPU; run by hand on such a machine, never by pytest.

    python tests/benchmarks/gpu.py

Prints each figure beside its budget (an H100). The pack must be there. The sweep is that of the
lecture, 8 alphas on 3 seeds with all of their steps, all at once and one after another.
"""

from __future__ import annotations

from functools import partial

import torch
from figures import seconds, show

import cdseg_teach as ct
from cdseg_teach.experiments import jobs, table
from cdseg_teach.experiments.executors import executor_from

ALPHAS = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
SEEDS = (0, 1, 2)


def steps_a_second(lab: ct.AlphaLab) -> float:
    """Of a lab that has taken its first steps, which take longer."""
    lab.run(50)
    return 200 / seconds(lambda: lab.run(200))


def main() -> None:
    if not torch.cuda.is_available():
        raise SystemExit("no GPU is to be seen; see tests/benchmarks/budgets.py for two cores")
    print(torch.cuda.get_device_name(), torch.__version__, "on", jobs.available_cores(), "cores")
    for study in (ct.brain_study(seed=0).load(), ct.heart_study(seed=0).load()):
        speed = steps_a_second(ct.AlphaLab.from_pack(study))
        show(f"alpha lab, {study.name}, headless", speed, "steps/s", ">= 100")

    for seed in SEEDS:
        ct.brain_study(seed=seed).load()
    sweep = table.sweep_jobs(ct.brain_study, ALPHAS, SEEDS, steps=None, device="cuda")
    with executor_from("local", len(sweep)) as executor:
        together = seconds(partial(jobs.run_jobs, sweep, executor))
    show("sweep, 8 alphas on 3 seeds, together", together, "s", "-")
    alone = seconds(partial(jobs.run_jobs, sweep))
    show("sweep, one after another", alone, "s", "-")
    show("together, so many times as fast", alone / together, "", ">= 5")


if __name__ == "__main__":
    main()
