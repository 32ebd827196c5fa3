"""TENT: test-time adaptation that makes the network surer of itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from cdseg_teach.methods.learner import Learner
from cdseg_teach.methods.normalisation import batch_statistics
from cdseg_teach.methods.test_time.base import Adaptation, Loss, Statistics
from cdseg_teach.problems import Problem

NORM_LAYERS = (_NormBase, nn.GroupNorm, nn.LayerNorm)


class Tent(Adaptation):
    """Minimise the entropy of the predictions over the norm layers' gamma and beta.

        L = mean over all pixels of H(p),   H(p) = -sum_k p_k log p_k

    Norm layers use the statistics of the volume, never the running ones. Too high a learning rate,
    or too many steps, and the surest answer of all can win, background everywhere: entropy falls,
    and so does the DSC.

    Parameters
    ----------
    learner
        Trained on S.
    steps, learning_rate
        Of Adam; 1e-3 as in the reference implementation, 10 steps are chosen.
    parameters
        What moves: `"norm"` (gamma and beta of every norm layer), `"all"`, or names of the
        network's submodules, dots for nested ones.
    options
        All others, as in `Adaptation`: episodic, predict_from, progress.

    Examples
    --------
    >>> tent = Tent(learner, steps=10)                           # doctest: +SKIP
    >>> tent.predict(subject.image)                              # doctest: +SKIP

    References
    ----------
    Wang et al. 2021, "Tent: fully test-time adaptation by entropy minimization"; its implementation
    returns the predictions from before the update, `predict_from="before"`.
    """

    def __init__(
        self,
        learner: Learner,
        *,
        steps: int = 10,
        learning_rate: float = 1e-3,
        parameters: str | Sequence[str] = "norm",
        **options: Any,
    ) -> None:
        super().__init__(learner, steps=steps, learning_rate=learning_rate, **options)
        self.parameters = parameters

    def _adaptable(self, network: nn.Module) -> nn.Module:
        for module in modules_that_move(network, self.parameters):
            module.requires_grad_(True)
        return network

    def _statistics(self) -> Statistics:
        return batch_statistics

    def _loss(self) -> Loss:
        def loss(logits: Tensor) -> tuple[Tensor, dict[str, float]]:
            mean_entropy = entropy(logits).mean()
            return mean_entropy, {"entropy": mean_entropy.item()}

        return loss


def entropy(logits: Tensor) -> Tensor:
    """H(p) = -sum_k p_k log p_k of each pixel in nats: logits [N, K, H, W] to [N, H, W].

    0 where one class is certain, log K where all are as likely.
    """
    return -(logits.softmax(dim=1) * logits.log_softmax(dim=1)).sum(dim=1)


def modules_that_move(network: nn.Module, parameters: str | Sequence[str]) -> list[nn.Module]:
    """The submodules whose weights are to move.

    Raises
    ------
    Problem
        If one is unknown, or none of them has a weight.
    """
    known = dict(network.named_modules())
    chosen: list[nn.Module]
    if parameters == "norm":
        chosen = [module for module in known.values() if isinstance(module, NORM_LAYERS)]
    elif parameters == "all":
        chosen = [network]
    else:
        names = [parameters] if isinstance(parameters, str) else list(parameters)
        for name in names:
            if name not in known:
                raise Problem(
                    f"parameters {name!r} is no submodule of the network; use 'norm', 'all' or"
                    f" names such as {', '.join(child for child, _ in network.named_children())}"
                )
        chosen = [known[name] for name in names]
    if not any(True for module in chosen for _ in module.parameters()):
        raise Problem(
            f"parameters {parameters!r} move nothing: this network has no weights there; use 'all'"
            " or name submodules"
        )
    return chosen
