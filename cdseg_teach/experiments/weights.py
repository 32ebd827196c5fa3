"""States of learners as bytes, so that processes, machines and files can hand them on."""

from __future__ import annotations

import io
from typing import Any

import torch

from cdseg_teach.methods import Learner
from cdseg_teach.problems import Problem


def weights_of(learner: Learner) -> bytes:
    """The segmenter and its average, without what only training needs."""
    state = learner.state_dict()
    return as_bytes({name: state[name] for name in ("segmenter", "averaged")})


def load_weights(learner: Learner, weights: bytes) -> None:
    """Give a learner the segmenter and the average that `weights_of` wrote.

    Raises
    ------
    Problem
        If they are of another network, such as one for other channels.
    """
    state = from_bytes(weights)
    try:
        learner.segmenter.load_state_dict(state["segmenter"])
        learner.averaged.load_state_dict(state["averaged"])
    except RuntimeError as error:  # torch lists every tensor, line by line
        raise Problem(
            "these weights are of another network; give the study that they were trained on"
        ) from error


def as_bytes(state: dict[str, Any]) -> bytes:
    """A state as `torch.save` writes it, with its tensors on the CPU."""
    stream = io.BytesIO()
    torch.save(_on_cpu(state), stream)
    return stream.getvalue()


def from_bytes(content: bytes) -> dict[str, Any]:
    """The state that `as_bytes` wrote, on the CPU; nothing but data is believed."""
    state: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return state


def _on_cpu(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.cpu()
    if isinstance(value, dict):
        return {key: _on_cpu(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_on_cpu(item) for item in value]
    return value
