import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

from cdseg_teach.methods import Supervised
from cdseg_teach.methods.learner import probabilities_of
from cdseg_teach.methods.test_time import Tent
from cdseg_teach.methods.test_time.tent import entropy
from cdseg_teach.networks import UNet
from cdseg_teach.problems import Problem


def toy_network(norm=nn.BatchNorm2d, classes=3):
    return nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1), norm(6), nn.ReLU(), nn.Conv2d(6, classes, 1)
    )


@pytest.fixture(scope="module")
def toy(study):
    """A learner of another network than ours, with running statistics of its own."""
    torch.manual_seed(3)
    learner = Supervised(study.source.train, segmenter=toy_network())
    for _ in range(5):
        learner.step()
    return learner


def published_tent(model, x, steps):
    """Wang et al. 2021 as they implemented it: outputs are from before the last update."""
    model = copy.deepcopy(model).train().requires_grad_(False)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.requires_grad_(True)
            module.track_running_stats = False
            module.running_mean = module.running_var = None
    optimiser = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    for _ in range(steps):
        outputs = model(x)
        (-(outputs.softmax(1) * outputs.log_softmax(1)).sum(1)).mean().backward()
        optimiser.step()
        optimiser.zero_grad()
    return model, outputs.detach()


@pytest.mark.parametrize("steps", [1, 7])
def test_updates_are_those_of_the_published_algorithm(toy, image, steps):
    expected, outputs = published_tent(toy.averaged, toy.slices(image), steps)
    run = Tent(toy, predict_from="before").begin(image)
    for _ in range(steps):
        run.step()
    ours, theirs = (dict(model.named_parameters()) for model in (run.network, expected))
    assert [name for name in theirs if not torch.equal(ours[name], theirs[name])] == []
    assert np.array_equal(run.predict_probabilities(), probabilities_of(outputs))


def test_only_gamma_and_beta_move(toy, image):
    run = Tent(toy).begin(image)
    for _ in range(3):
        run.step()
    before, after = dict(toy.averaged.named_parameters()), dict(run.network.named_parameters())
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"1.weight", "1.bias"}
    assert run.moving == 12
    buffers = zip(toy.averaged.buffers(), run.network.buffers(), strict=True)
    assert all(torch.equal(a, b) for a, b in buffers)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ("all", {"0.weight", "0.bias", "1.weight", "1.bias", "3.weight", "3.bias"}),
        ("3", {"3.weight", "3.bias"}),
        (("0", "1"), {"0.weight", "0.bias", "1.weight", "1.bias"}),
    ],
)
def test_what_moves_is_a_choice(toy, image, parameters, expected):
    network = Tent(toy, parameters=parameters).begin(image).network
    assert {name for name, p in network.named_parameters() if p.requires_grad} == expected


@pytest.mark.parametrize("norm", ["batch", "instance", "group"])
def test_any_norm_layer_has_gamma_and_beta(study, image, norm):
    learner = Supervised(study.source.train, segmenter=UNet(2, 2, norm=norm))
    assert Tent(learner).begin(image).moving == 2 * 2 * (16 + 32 + 64 + 32 + 16)


def test_what_cannot_move_is_named(study, toy, image):
    with pytest.raises(Problem, match=r"'encoder9' is no submodule.*0, 1, 2, 3"):
        Tent(toy, parameters=["encoder9"]).begin(image)
    with pytest.raises(Problem, match="'2' move nothing"):
        Tent(toy, parameters="2").begin(image)
    bare = Supervised(study.source.train, segmenter=toy_network(norm=nn.Identity))
    with pytest.raises(Problem, match="'norm' move nothing: this network has no weights there"):
        Tent(bare).predict(image)


@pytest.mark.parametrize("classes", [2, 5])
def test_entropy_of_the_undecided_and_of_the_certain(classes):
    undecided = torch.zeros(2, classes, 3, 3)
    torch.testing.assert_close(entropy(undecided), torch.full((2, 3, 3), math.log(classes)))
    certain = undecided.clone()
    certain[:, 1] = 1000.0
    assert torch.equal(entropy(certain), torch.zeros(2, 3, 3))


def test_entropy_falls(learner, image):
    run = Tent(learner).begin(image)
    reports = [run.step()["entropy"] for _ in range(10)]
    assert sorted(reports, reverse=True) == reports
