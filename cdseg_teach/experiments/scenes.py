"""Failures on purpose, measured: short scenes that share one source learner a seed.

Each says in its docstring what is expected to fail and why; whether it does is for the numbers.
DSC, recall and precision are means over the test subjects of T, in 0..1 as all shares are. What was
measured along a run is called "<name> at <step>"; `over` collects it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm.auto import tqdm

from cdseg_teach.cohorts.study import Cohort, Split, Study, Subject
from cdseg_teach.evaluation import evaluate
from cdseg_teach.experiments import alignment
from cdseg_teach.experiments.executors import Here, one_thread
from cdseg_teach.experiments.jobs import Studies, once
from cdseg_teach.experiments.recipes import ADAPTATION_STEPS
from cdseg_teach.experiments.stage import LOOK_EVERY, Stage
from cdseg_teach.methods import Adversarial
from cdseg_teach.methods.adversarial import cross_entropy
from cdseg_teach.methods.normalisation import batch_statistics
from cdseg_teach.methods.schedules import none
from cdseg_teach.methods.test_time import Tent
from cdseg_teach.networks import forward_with_taps
from cdseg_teach.problems import Problem

#: All that the scenes add to the recipes, for whoever keeps their numbers.
SETTINGS: dict[str, Any] = {
    "head_start": 100,  # steps of D alone
    "after_head_start": 100,  # steps of both
    "joint_batch": 100,  # steps
    "tent": {1e-3: 20, 1e-2: 20, 1e-1: 10},  # learning rate: steps
    "look_every": LOOK_EVERY,  # steps of the run that is peeked at
}


def strong_discriminator(stage: Stage) -> dict[str, float]:
    """A discriminator that is nearly always right, and what gradient it leaves to the segmenter.

    For a pixel of S with logit z, reversal hands on the gradient sigma(-z), which vanishes when D
    is sure and right; flipped labels hand on sigma(z), which goes to 1 (Goodfellow et al. 2014,
    section 3). D alone has a head start; then both play, with the full alpha at once: for either
    objective, and by reversal against a novice, a D without head start at the same step.
    """
    ahead, after = SETTINGS["head_start"], SETTINGS["after_head_start"]
    learner = stage.learner("adversarial", ahead + after)
    assert isinstance(learner, Adversarial)
    learner.warm_up = none()
    novice = learner.state_dict()
    batch = learner.source.draw()[0], learner.target.draw_images()
    measured = {"dsc_before": stage.dsc_on_target(stage.source)}
    measured |= {f"{name}_before": value for name, value in pull(learner, *batch).items()}
    learner.players = "discriminator"
    stage.train(learner, ahead)
    measured |= {f"{name}_after": value for name, value in pull(learner, *batch).items()}

    learner.players, strong = "both", learner.state_dict()
    knows_nothing = {part: novice[part] for part in ("discriminator", "discriminator_optimiser")}
    for name, objective, state in (
        ("reversal", "reversal", strong),
        ("flipped", "flipped", strong),
        ("reversal_novice", "reversal", strong | knows_nothing),
    ):
        learner.load_state_dict(state)
        learner.objective = objective
        stage.train(learner, after)
        measured[f"dsc_{name}"] = stage.dsc_on_target(learner)
    return measured


def pull(learner: Adversarial, images_s: Tensor, images_t: Tensor) -> dict[str, float]:
    """What D does to the segmenter on one joint batch; nobody moves.

    Returns
    -------
    accuracy, and accuracy_inside where an image is not empty; gradient_reversal and
    gradient_flipped, the norm of the gradient that L_adv sends into the segmenter at alpha = 1.
    """
    both = torch.cat([images_s, images_t])
    with batch_statistics(learner.segmenter):
        _, features = forward_with_taps(learner.segmenter, both, learner.taps)
    is_s, is_t = (learner.discriminator([f.chunk(2)[i] for f in features]) for i in range(2))
    losses = {
        "reversal": -(cross_entropy(is_s, is_s=1) + cross_entropy(is_t, is_s=0)) / 2,
        "flipped": (cross_entropy(is_s, is_s=0) + cross_entropy(is_t, is_s=1)) / 2,
    }
    right = torch.cat([is_s > 0, is_t <= 0]).float()
    inside = F.adaptive_max_pool2d(both.ne(0).any(1, keepdim=True).float(), right.shape[-2:]) > 0
    measured = {"accuracy": right.mean().item(), "accuracy_inside": right[inside].mean().item()}
    weights = list(learner.segmenter.parameters())
    for name, loss in losses.items():
        gradient = torch.autograd.grad(loss, weights, retain_graph=True, allow_unused=True)
        parts = torch.stack([g.norm() for g in gradient if g is not None])
        measured[f"gradient_{name}"] = parts.norm().item()
    return measured


def joint_batch(stage: Stage) -> dict[str, float]:
    """S and T normalised in one batch, at alpha = 0: whether that alone spoils T.

    Their common statistics are not those of either domain. Beside it the same steps in separate
    passes, which is the control of equal length.
    """
    steps = SETTINGS["joint_batch"]
    measured = {"dsc_before": stage.dsc_on_target(stage.source)}
    for name, learner in (
        ("joint", stage.learner("adversarial", steps, alpha=0.0)),
        ("separate", stage.learner("source_longer", steps)),
    ):
        stage.train(learner, steps)
        measured[f"dsc_{name}"] = stage.dsc_on_target(learner)
    return measured


def wrong_alignment(stage: Stage) -> dict[str, float]:
    """Features that nobody can tell apart, and wrong labels: see `alignment`."""
    return alignment.bounds_by_line(stage.seed)


def class_prior(stage: Stage) -> dict[str, float]:
    """Training slices of T without any lesion: whether making them like those of S spoils lesions.

    Aligning whole distributions aligns the classes' shares as well (see `wrong_alignment`). Whose
    slices are scanned is part of the simulation and chosen by the labels; no learner is given one.
    Slices without lesion are also fewer, and other parts of the head.
    """
    learner = stage.learner("adversarial", ADAPTATION_STEPS, without_lesions(stage.study))
    stage.train(learner, ADAPTATION_STEPS)
    measured = {"dsc_before": stage.dsc_on_target(stage.source)}
    for name, of in (("matched", stage.game.learner), ("shifted", learner)):
        means = evaluate(of, stage.study.target.test, stage.study.target.structures)
        for metric in ("dsc", "recall", "precision"):
            measured[f"{metric}_{name}"] = float(means[metric].mean())
    cohorts = (stage.study.source, stage.study.target)
    for name, cohort in zip(("source", "target"), cohorts, strict=True):
        labels = [np.ravel(np.asarray(subject.label)) > 0 for subject in cohort.labelled_train]
        measured[f"lesion_share_{name}"] = float(np.concatenate(labels).mean())
    return measured


def without_lesions(study: Study) -> Study:
    """The study, with those slices of T's training subjects that show no structure.

    Raises
    ------
    Problem
        If there is none.
    """
    kept = []
    for subject in study.target.labelled_train:
        label = np.asarray(subject.label)
        clean = ~label.any(axis=(1, 2))
        if clean.any():
            kept.append(replace(subject, image=subject.image[:, clean], label=label[clean]))
    if not kept:
        raise Problem(f"study {study.name}: every slice of T shows a structure; scan further")
    old = study.target
    target = Cohort(
        old.name,
        old.channels,
        old.structures,
        labels_for_training=False,
        **(old.splits | {"train": Split.of(kept)}),
    )
    return replace(study, target=target)


def tent(stage: Stage) -> dict[str, float]:
    """Entropy over the steps of TENT: whether the DSC rises as it falls, and when nothing is left.

    Background everywhere is the surest answer of all. Of each learning rate, over steps: the mean
    over test subjects of entropy (nats), DSC and foreground (voxels); then the shares of subjects
    that end without any foreground, and of those whose entropy fell and whose DSC did, too.
    """
    measured = {"dsc_before": stage.dsc_on_target(stage.source)}
    for rate, own_steps in SETTINGS["tent"].items():
        steps = stage.steps or own_steps
        runs = np.array([_looks(stage, rate, steps, s) for s in stage.study.target.test])
        for name, of_all in zip(("entropy", "dsc", "foreground"), runs.mean(axis=0), strict=True):
            measured |= {f"{name}, rate {rate:g} at {k}": of_all[k] for k in range(steps + 1)}
        change = runs[:, :, -1] - runs[:, :, 0]
        measured[f"collapsed, rate {rate:g}"] = np.mean(runs[:, 2, -1] == 0)
        measured[f"surer and worse, rate {rate:g}"] = np.mean((change[:, :2] < 0).all(axis=1))
    return measured


def _looks(stage: Stage, rate: float, steps: int, subject: Subject) -> np.ndarray:
    """Entropy, DSC and foreground voxels after 0, 1, ... steps: [3, steps + 1]."""
    # Each step also tells, at no cost, what the network predicted before it.
    run = Tent(stage.source, learning_rate=rate, predict_from="before").begin(subject.image)
    seen = []
    for _ in range(steps + 1):
        entropy = run.step()["entropy"]
        prediction = run.predict()
        seen.append((entropy, stage.dsc(prediction, subject), (prediction > 0).sum()))
    return np.array(seen, dtype=float).T


def peeking(stage: Stage) -> dict[str, float]:
    """The checkpoint that is best on T's test labels beside the last: how much it flatters.

    Of the table's adversarial run, for the averaged weights that predict there and for those of the
    single step. "on_others" chooses on one half of the test subjects and reports the other, the
    mean of both ways: what is left of the gain where nobody peeked.
    """
    measured: dict[str, float] = {}
    for network, looks in stage.game.looks.items():
        mean = looks.mean(axis=1)
        along = zip(stage.game.at, mean, strict=True)
        measured |= {f"dsc, {network} at {k}": value for k, value in along}
        half = looks.shape[1] // 2
        halves = looks[:, :half].mean(axis=1), looks[:, half:].mean(axis=1)
        crossed = [other[own.argmax()] for own, other in (halves, halves[::-1])]
        measured |= {
            f"last, {network}": mean[-1],
            f"best, {network}": mean.max(),
            f"on_others, {network}": np.mean(crossed),
        }
    return measured


SCENES: dict[str, Callable[[Stage], dict[str, float]]] = {
    "strong_discriminator": strong_discriminator,
    "joint_batch": joint_batch,
    "wrong_alignment": wrong_alignment,
    "class_prior": class_prior,
    "tent": tent,
    "peeking": peeking,
}


def play(
    studies: Studies, seed: int, steps: int | None = None, device: str = "auto"
) -> pd.DataFrame:
    """Train the source learner of a seed and play all scenes: scene, seed, quantity, value."""
    with one_thread():
        stage = Stage.built(studies, seed, steps, device)
        rows = [
            (scene, seed, quantity, float(value))
            for scene, act in SCENES.items()
            for quantity, value in act(stage).items()
        ]
    return pd.DataFrame(rows, columns=["scene", "seed", "quantity", "value"])


def run_scenes(
    studies: Studies,
    seeds: Sequence[int],
    executor: Executor | None = None,
    progress: bool = True,
    *,
    steps: int | None = None,
    device: str = "auto",
    keep: Path | None = None,
) -> pd.DataFrame:
    """All scenes of all seeds, a job a seed: rows of scene, seed, quantity, value.

    Parameters
    ----------
    studies
        Makes the study of a seed.
    seeds
        Each with a source learner of its own, which all of its scenes share.
    executor
        Any of `concurrent.futures`; None plays one seed after another, here.
    progress
        Shows a bar.
    steps
        Of each phase; None takes the scenes' own.
    device
        As in `Adversarial`.
    keep
        A folder for what is finished, as in `run_jobs`.
    """
    executor = executor or Here()
    played = []
    with tqdm(total=len(seeds), disable=not progress, unit="seed") as bar:
        try:
            for seed in seeds:
                file = keep / f"seed-{seed}.pkl" if keep else None
                played.append(executor.submit(once, file, play, studies, seed, steps, device))
                played[-1].add_done_callback(lambda _: bar.update())
            return pd.concat([future.result() for future in played], ignore_index=True)
        finally:
            for future in played:
                future.cancel()


def by_seed(rows: pd.DataFrame, scene: str) -> pd.DataFrame:
    """What one scene measured: a row a seed, a column a quantity.

    Parameters
    ----------
    rows
        Of `run_scenes`.
    scene
        In `SCENES`.
    """
    if scene not in SCENES:
        raise Problem(f"there is no scene {scene!r}; use one of {', '.join(SCENES)}")
    table = rows[rows.scene == scene].pivot(index="seed", columns="quantity", values="value")
    return table.rename_axis(columns=None)


def over(rows: pd.DataFrame, scene: str, name: str) -> tuple[list[float], np.ndarray]:
    """What was measured along a run: (steps, values [seeds, steps]), as `plots.curves` takes it.

    Parameters
    ----------
    rows
        Of `run_scenes`.
    scene, name
        Such as "tent", "entropy, rate 0.01".
    """
    told = rows.quantity.str.rpartition(" at ")
    chosen = (rows.scene == scene) & (told[0] == name)
    if not chosen.any():
        raise Problem(f"scene {scene!r} measured no {name!r} along a run; see its quantities")
    values = rows[chosen].assign(at=told[2][chosen].astype(float))
    table = values.pivot(index="seed", columns="at", values="value")
    return [float(at) for at in table.columns], table.to_numpy()
