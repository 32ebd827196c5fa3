"""What every learner shares: a segmenter that is trained step by step, its average, predictions."""

from __future__ import annotations

import copy
import signal
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from cdseg_teach.methods.normalisation import batch_statistics, running_statistics
from cdseg_teach.methods.sampling import SliceBatches, seed_for
from cdseg_teach.methods.schedules import warm_up_and_cosine
from cdseg_teach.networks import UNet, forward_with_taps, seeded_weights
from cdseg_teach.problems import Problem
from cdseg_teach.runtime import pick_device

if TYPE_CHECKING:
    from cdseg_teach.cohorts.study import Subject
    from cdseg_teach.methods.augmentation import Transform

_SLICES_AT_ONCE = 32


class Learner(ABC):
    """A segmenter with its batches of S, its optimiser and its running average of weights.

    Parameters
    ----------
    subjects
        Labelled training subjects of S.
    seed
        Seed of the weights and of each stream of batches, every one with its own generator.
    start_from
        A learner whose weights and buffers (not its optimiser) are copied; None starts from
        scratch.
    schedule_steps
        Steps over which the learning rate warms up and decays; it stays at its floor afterwards.
        None keeps it constant.
    learning_rate
        Adam's learning rate at the top of the schedule.
    batch_size
        Slices in a batch.
    segmenter
        A network to train in place of our U-Net: images [N, C, H, W] to logits [N, K, H, W]. It is
        copied.
    gradient_clip
        Largest norm of a network's gradient; None does not clip.
    averaging
        Decay of the running average of weights and buffers, per step; lower in the first steps,
        (1 + step) / (10 + step).
    predict_with
        `"averaged"` or `"segmenter"`: which of the two predicts. A live attribute.
    predict_statistics
        `"running"` or `"volume"`: whether norm layers predict with their running statistics or
        with those of the volume at hand. A live attribute.
    device
        `"auto"`, `"cpu"`, `"cuda"`.
    """

    def __init__(
        self,
        subjects: Sequence[Subject],
        *,
        seed: int = 0,
        start_from: Learner | None = None,
        schedule_steps: int | None = 500,
        learning_rate: float = 3e-3,
        batch_size: int = 8,
        segmenter: nn.Module | None = None,
        gradient_clip: float | None = 5.0,
        averaging: float = 0.98,
        predict_with: str = "averaged",
        predict_statistics: str = "running",
        device: str | torch.device = "auto",
    ) -> None:
        self.device = pick_device(device)
        self.seed = seed
        self.schedule_steps = schedule_steps
        self.peak_learning_rate = learning_rate
        self.gradient_clip = gradient_clip
        self.averaging = averaging
        self.predict_with = predict_with
        self.predict_statistics = predict_statistics
        self.steps_done = 0

        self.source = SliceBatches(
            subjects, batch_size, seed_for("source batches", seed), self.device
        )
        self.in_channels = self.source.images.shape[1]
        self.segmenter, self.averaged = self._networks(start_from, segmenter)
        self.optimiser = torch.optim.Adam(self.segmenter.parameters(), lr=learning_rate, fused=True)

    @abstractmethod
    def step(self) -> dict[str, float]:
        """One update; returns what it measured."""

    @property
    def augment(self) -> Transform | None:
        """What batches of S are changed with before they are seen. A live attribute."""
        return self.source.augment

    @augment.setter
    def augment(self, transform: Transform | None) -> None:
        self.source.augment = transform

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step."""
        return self.peak_learning_rate * self._schedule()

    @property
    def predictor(self) -> nn.Module:
        """The network that predicts, as `predict_with` says."""
        network: nn.Module = _one_of(
            self.predict_with, averaged=self.averaged, segmenter=self.segmenter
        )
        return network

    def predict(self, volume: np.ndarray) -> np.ndarray:
        """Class indices, uint8 [Z, Y, X], of an image [C, Z, Y, X]."""
        return self.predict_probabilities(volume).argmax(axis=0).astype(np.uint8)

    def predict_probabilities(self, volume: np.ndarray) -> np.ndarray:
        """Softmax probabilities, float32 [K, Z, Y, X], of an image [C, Z, Y, X].

        Raises
        ------
        Problem
            If the image has another rank or number of channels, or values that are not finite.
        """
        return probabilities_of(torch.cat([logits for logits, _ in self._outputs(volume, ())]))

    def features(self, volume: np.ndarray, taps: Sequence[str] | None = None) -> np.ndarray:
        """What the network that predicts computes at its taps, averaged over each slice.

        Returns
        -------
        float32 [Z, D], where D is the sum of the taps' channels.
        """
        taps = checked_taps(self.segmenter, taps)
        parts = [
            torch.cat([tap.mean(dim=(2, 3)) for tap in heard], dim=1)
            for _, heard in self._outputs(volume, taps)
        ]
        pooled: np.ndarray = torch.cat(parts).float().cpu().numpy()
        return pooled

    def slices(self, volume: np.ndarray) -> Tensor:
        """The slices [Z, C, Y, X] of a checked image [C, Z, Y, X], on the learner's device."""
        check_volume(volume, self.in_channels)
        return torch.from_numpy(np.moveaxis(volume, 1, 0).astype(np.float32)).to(
            self.device, memory_format=torch.channels_last
        )

    @torch.no_grad()
    def _outputs(
        self, volume: np.ndarray, taps: Sequence[str]
    ) -> Iterator[tuple[Tensor, list[Tensor]]]:
        """Logits and tap features of a volume's slices, some slices at once."""
        slices, network = self.slices(volume), self.predictor
        statistics = _one_of(
            self.predict_statistics, running=running_statistics, volume=batch_statistics
        )
        # The statistics of a volume need all of its slices in one batch.
        at_once = len(slices) if self.predict_statistics == "volume" else _SLICES_AT_ONCE
        training = network.training
        network.eval()
        try:
            with statistics(network):
                for part in torch.split(slices, at_once):
                    yield forward_with_taps(network, part, taps)
        finally:
            network.train(training)

    def state_dict(self) -> dict[str, Any]:
        """A copy of all that a run needs to go on as if it had never stopped.

        What its user sets (alpha, players, warm-up, augment, predict_with, ...) is not part of it.
        """
        return copy.deepcopy(self._state())

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go back (or forward) to a state that `state_dict` gave."""
        # Optimisers keep the very tensors they are given.
        self._load(copy.deepcopy(state))

    def _load(self, state: dict[str, Any]) -> None:
        self.segmenter.load_state_dict(state["segmenter"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.source.generator.set_state(state["source_batches"])
        if "augmentation" in state:  # older checkpoints lack it
            self.source.augment_generator.set_state(state["augmentation"])
        self.steps_done = state["steps_done"]

    def _state(self) -> dict[str, Any]:
        return {
            "segmenter": self.segmenter.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "source_batches": self.source.generator.get_state(),
            "augmentation": self.source.augment_generator.get_state(),
            "steps_done": self.steps_done,
        }

    def _schedule(self) -> float:
        if self.schedule_steps is None:
            return 1.0
        return warm_up_and_cosine(self.steps_done, self.schedule_steps)

    def _networks(
        self, start_from: Learner | None, segmenter: nn.Module | None
    ) -> tuple[nn.Module, nn.Module]:
        if start_from is not None:
            if segmenter is not None:
                raise Problem("start_from and segmenter exclude each other; give one of them")
            if start_from.in_channels != self.in_channels:
                raise Problem(
                    f"start_from learned from {start_from.in_channels} channels, these subjects"
                    f" have {self.in_channels}; train one on the same channels"
                )
            segmenter, averaged = start_from.segmenter, start_from.averaged
        elif segmenter is not None:
            averaged = segmenter
        else:
            segmenter = averaged = self._unet()
        return self._copy(segmenter).train(), self._copy(averaged).requires_grad_(False)

    def _unet(self) -> UNet:
        assert self.source.labels is not None
        n_classes = max(2, int(self.source.labels.max()) + 1)
        with seeded_weights(seed_for("weights", self.seed)):
            return UNet(self.in_channels, n_classes)

    def _copy(self, network: nn.Module) -> nn.Module:
        return copy.deepcopy(network).to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def _update(self, network: nn.Module, optimiser: torch.optim.Optimizer, rate: float) -> None:
        """One step of one player down the gradient that its parameters hold."""
        if self.gradient_clip is not None:
            nn.utils.clip_grad_norm_(network.parameters(), self.gradient_clip)
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.step()

    @torch.no_grad()
    def _update_segmenter(self) -> None:
        self._update(self.segmenter, self.optimiser, self.learning_rate)
        # A short run would otherwise still remember the weights it started with.
        decay = min(self.averaging, (1 + self.steps_done) / (10 + self.steps_done))
        averages, values = _tensors(self.averaged), _tensors(self.segmenter)
        floats = [i for i, value in enumerate(values) if value.is_floating_point()]
        torch._foreach_lerp_(
            [averages[i] for i in floats], [values[i] for i in floats], 1.0 - decay
        )
        for average, value in zip(averages, values, strict=True):
            if not value.is_floating_point():
                average.copy_(value)


class Steppable(Protocol):
    """What takes steps: a learner, a run of test-time adaptation."""

    def step(self) -> dict[str, float]:
        """One update; returns what it measured."""


def steps(
    learner: Steppable, n: int, *, progress: bool = True, delay: float = 0.0
) -> Iterator[dict[str, float]]:
    """Take `n` steps, one report after another; a progress bar comes after `delay` seconds.

    Stopping early (a `break`, the notebook's stop button) leaves the learner as it is after its
    last whole step: predict with it, or go on.
    """
    for _ in tqdm(range(n), disable=not progress, unit="step", delay=delay):
        yield _whole_step(learner)


def estimate(learner: Learner, n: int, trial: int = 3) -> float:
    """Seconds that `n` steps of this learner will take here, from `trial` steps that are undone.

    The first step, which also warms up the device, is not counted.
    """
    before = learner.state_dict()
    learner.step()
    start = time.perf_counter()
    for _ in range(trial):
        learner.step()
    seconds = (time.perf_counter() - start) / trial * n
    learner.load_state_dict(before)
    return seconds


def _whole_step(learner: Steppable) -> dict[str, float]:
    """One step that an interrupt does not cut in two: it is heard when the step is done."""
    if threading.current_thread() is not threading.main_thread():
        return learner.step()
    interrupts: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, _: interrupts.append(number))
    try:
        report = learner.step()
    finally:
        signal.signal(signal.SIGINT, handler)
    if interrupts:
        raise KeyboardInterrupt
    return report


def probabilities_of(logits: Tensor) -> np.ndarray:
    """Softmax probabilities of a volume, float32 [K, Z, Y, X], from its slices' logits."""
    probabilities: np.ndarray = logits.float().softmax(dim=1).movedim(1, 0).cpu().numpy()
    return probabilities


def check_volume(volume: np.ndarray, channels: int) -> None:
    """Raise a Problem unless the image is [C, Z, Y, X], finite, with that many channels."""
    shape = getattr(volume, "shape", None)
    if not isinstance(volume, np.ndarray) or volume.ndim != 4:
        raise Problem(f"image of shape {shape}; expected an array [C, Z, Y, X] with C = {channels}")
    if volume.shape[0] != channels:
        raise Problem(f"image with {volume.shape[0]} channels; this learner expects {channels}")
    if not np.isfinite(volume).all():
        raise Problem("image has values that are not finite (NaN or infinite); expected numbers")


def checked_taps(segmenter: nn.Module, taps: Sequence[str] | None) -> tuple[str, ...]:
    """The names given, or all that the segmenter offers as `segmenter.taps`."""
    chosen = getattr(segmenter, "taps", None) if taps is None else taps
    if not chosen or isinstance(chosen, str):
        raise Problem(f"taps {taps!r} name no features; give names of the segmenter's modules")
    return tuple(chosen)


def _one_of(choice: str, **options: Any) -> Any:
    if choice not in options:
        raise Problem(f"{choice!r} is not one of {', '.join(map(repr, options))}")
    return options[choice]


def _tensors(network: nn.Module) -> list[Tensor]:
    return [*network.parameters(), *network.buffers()]
