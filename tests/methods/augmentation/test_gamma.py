import torch

from cdseg_teach.methods.augmentation import Gamma
from cdseg_teach.methods.augmentation.transform import foreground, moments


def test_order_mean_and_spread_remain_and_the_rest_is_a_power(slices):
    images, _ = slices
    gamma = torch.tensor([[0.5, 2.0]]).repeat(4, 1)
    changed = Gamma().apply(images, {"gamma": gamma})
    inside = foreground(images)
    for new, old in zip(moments(changed, inside), moments(images, inside), strict=True):
        torch.testing.assert_close(new, old, atol=1e-5, rtol=1e-4)
    x, y = (values[0, 1][inside[0, 0]] for values in (images, changed))
    assert torch.equal(x.argsort(), y.argsort())
    power = ((x - x.min()) / (x.max() - x.min())) ** 2
    torch.testing.assert_close((y - y.mean()) / y.std(), (power - power.mean()) / power.std())


def test_its_strength_is_the_spread_of_log_gamma(draws):
    gamma = Gamma(strength=0.4).draw((5000, 2, 8, 8), draws)["gamma"]
    assert abs(gamma.log().std() - 0.4) < 0.02
    assert abs(gamma.log().mean()) < 0.02
