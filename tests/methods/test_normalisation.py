import pytest
import torch
from torch import nn

from cdseg_teach.methods.normalisation import batch_statistics, running_statistics


def _net() -> nn.Module:
    return nn.Sequential(
        nn.BatchNorm2d(2),
        nn.InstanceNorm2d(2, track_running_stats=True),
        nn.InstanceNorm2d(2),
        nn.GroupNorm(1, 2),
    )


@pytest.mark.parametrize("context", [batch_statistics, running_statistics])
@pytest.mark.parametrize("training", [True, False])
def test_buffers_and_modes_come_back(context, training):
    net = _net().train(training)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    with context(net):
        net(torch.randn(4, 2, 5, 5) + 3)
    after = net.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert all(module.training is training for module in net.modules())


def test_they_come_back_after_an_error_too():
    net = _net()
    with pytest.raises(RuntimeError), batch_statistics(net):
        raise RuntimeError
    assert net[0].running_mean is not None


def test_batch_statistics_normalise_in_either_mode():
    x = torch.randn(4, 2, 5, 5) + 3
    for training in (True, False):
        net = nn.BatchNorm2d(2).train(training)
        with batch_statistics(net):
            assert net(x).mean().abs() < 1e-5


def test_running_statistics_are_used_even_in_training():
    x = torch.randn(4, 2, 5, 5) + 3
    net = nn.BatchNorm2d(2).train()
    with running_statistics(net):
        torch.testing.assert_close(net(x), x, atol=1e-3, rtol=1e-3)
