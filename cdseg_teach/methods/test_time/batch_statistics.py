"""Batch statistics: normalise with the volume's own means and variances; no weight moves."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from cdseg_teach.methods.learner import Learner
from cdseg_teach.methods.normalisation import mixed_statistics
from cdseg_teach.methods.test_time.base import Adaptation, Loss, Statistics
from cdseg_teach.methods.test_time.tent import entropy
from cdseg_teach.problems import Problem


class BatchStatistics(Adaptation):
    """Replace what batch-norm layers remember of S by what they see in the volume.

        mean = w mean_S + (1 - w) mean_volume,   variance = w variance_S + (1 - w) variance_volume

    There is nothing to minimise: a step only measures.

    Parameters
    ----------
    learner
        Trained on S, with batch-norm layers.
    source_weight
        w, 0 to 1: 0 forgets S, 1 predicts as the learner does. A live attribute.

    References
    ----------
    Nado et al. 2020, "Evaluating prediction-time batch normalization for robustness under covariate
    shift" (w = 0); Schneider et al. 2020, "Improving robustness against common corruptions by
    covariate shift adaptation", equation 2, with w = N / (N + n) and n the batch's size. Variances
    are divided by n here, so that w = 0 is what training does.
    """

    def __init__(self, learner: Learner, *, source_weight: float = 0.0) -> None:
        super().__init__(learner, steps=0)
        self.source_weight = source_weight

    @property
    def source_weight(self) -> float:
        """The weight of S, read when a run begins."""
        return self._source_weight

    @source_weight.setter
    def source_weight(self, value: float) -> None:
        if not 0 <= value <= 1:
            raise Problem(f"source_weight {value!r} is no share; use a number from 0 to 1")
        self._source_weight = float(value)

    def _adaptable(self, network: nn.Module) -> nn.Module:
        layers = [module for module in network.modules() if isinstance(module, _BatchNorm)]
        if not any(layer.track_running_stats for layer in layers):
            raise Problem(
                "this network has no batch-norm layer with running statistics, so there are none"
                " to replace; train one with BatchNorm"
            )
        return network

    def _statistics(self) -> Statistics:
        return partial(mixed_statistics, source_weight=self.source_weight)

    def _loss(self) -> Loss:
        return _measured


def _measured(logits: Tensor) -> tuple[Tensor, dict[str, float]]:
    loss = entropy(logits).mean()
    return loss, {"entropy": loss.item()}
