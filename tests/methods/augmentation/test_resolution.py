import pytest
import torch
import torch.nn.functional as F

from cdseg_teach.methods.augmentation import LowResolution
from cdseg_teach.methods.augmentation.resolution import coarse_and_back


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_whole_factors_are_average_pooling_and_linear_interpolation(uncropped, factor):
    images, _ = (part[..., :12] for part in uncropped)
    changed = LowResolution().apply(images, {"factor": torch.full((4, 2), float(factor))})
    coarse = F.avg_pool2d(images, factor)
    back = F.interpolate(coarse, images.shape[2:], mode="bilinear", align_corners=False)
    torch.testing.assert_close(changed, back)


def test_factor_one_is_the_identity_and_rows_sum_to_one():
    assert torch.equal(coarse_and_back(7, torch.ones(1))[0], torch.eye(7))
    matrices = coarse_and_back(96, torch.linspace(1, 2, 51))  # 1.2 divides 96, but for rounding
    torch.testing.assert_close(matrices.sum(dim=2), torch.ones(51, 96))


def test_a_larger_pixel_blurs_more(uncropped):
    images, _ = uncropped
    spreads = [
        LowResolution().apply(images, {"factor": torch.full((4, 2), factor)}).std()
        for factor in (1.0, 1.3, 1.6, 2.0)
    ]
    assert spreads == sorted(spreads, reverse=True)


def test_its_strength_bounds_the_factor(draws):
    factor = LowResolution(strength=0.5).draw((1000, 1, 8, 8), draws)["factor"]
    assert factor.min() >= 1
    assert 1.48 < factor.max() <= 1.5
