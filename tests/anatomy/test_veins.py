import math

import pytest
import torch

from cdseg_teach.anatomy import Grid, brain_subjects
from cdseg_teach.anatomy.brain import TEMPLATE_TISSUES, template
from cdseg_teach.anatomy.draw import generators
from cdseg_teach.anatomy.veins import VeinStatistics, _deposit, draw_veins

GRID = Grid(shape=(12, 48, 48), spacing_mm=(8.0, 4.0, 4.0))


@pytest.fixture(scope="module")
def healthy():
    return dict(zip(TEMPLATE_TISSUES, template(Grid())[:, None], strict=True))


def test_veins_fill_half_a_percent_of_the_brain():
    maps = brain_subjects([1, 2])
    share = maps["vein"].flatten(1).sum(1) / maps.fractions.sum(1).flatten(1).sum(1)
    assert ((share > 0.003) & (share < 0.01)).all()
    assert maps["vein"].max() <= 0.9


def test_shares_are_bounded(healthy):
    vein = draw_veins(healthy, Grid(), generators([0]), VeinStatistics(cortical_mm=(20.0, 1.0)))
    assert vein.min() >= 0
    assert vein.max() <= 0.9


def test_medullary_veins_run_in_white_matter(healthy):
    vein = draw_veins(healthy, Grid(), generators([0]), VeinStatistics(cortical=0))
    in_white = (vein * (healthy["white"] > 0.5)).sum() / vein.sum()
    beside = (vein * (healthy["grey"] > 0.9)).sum() / vein.sum()
    assert in_white > 0.5
    assert beside < 0.15


def test_cortical_veins_run_at_the_surface(healthy):
    vein = draw_veins(healthy, Grid(), generators([0]), VeinStatistics(medullary=0))
    in_deep_white = (vein * (healthy["white"] > 0.9)).sum() / vein.sum()
    assert in_deep_white < 0.3


def test_the_volume_is_that_of_the_cylinders(healthy):
    statistics = VeinStatistics(medullary=30, medullary_mm=(0.25, 0.25), cortical=0)
    vein = draw_veins(healthy, Grid(), generators([0]), statistics)
    cylinders_mm3 = 30 * math.pi / 4 * 0.25**2 * 25.0
    assert vein.sum().item() * Grid().fine_voxel_mm3 == pytest.approx(cylinders_mm3, rel=0.01)


def test_half_a_slab_has_half_the_veins():
    halves = []
    for slices in (12, 24):
        grid = Grid(shape=(slices, 96, 96))
        maps = dict(zip(TEMPLATE_TISSUES, template(grid)[:, None], strict=True))
        only_thin = VeinStatistics(medullary=48, medullary_mm=(0.2, 0.2), cortical=0)
        halves.append(draw_veins(maps, grid, generators([0]), only_thin).sum().item())
    assert halves[0] == pytest.approx(halves[1] / 2, rel=0.15)


def test_a_subject_does_not_depend_on_who_is_beside_it():
    maps = dict(zip(TEMPLATE_TISSUES, template(GRID)[:, None], strict=True))
    both = {name: f.expand(2, -1, -1, -1) for name, f in maps.items()}
    together = draw_veins(both, GRID, generators([5, 6]))
    torch.testing.assert_close(together[1:], draw_veins(maps, GRID, generators([6])))


def test_a_deposit_is_shared_by_the_voxels_around_it():
    voxels = torch.tensor([[[1.0, 1.0, 1.25], [-5.0, 0.0, 0.0], [3.5, 0.0, 0.0]]])
    canvas = _deposit(voxels, torch.tensor([[1.0, 1.0, 1.0]]), torch.Size((4, 4, 4)))[0]
    assert canvas[1, 1, 1].item() == pytest.approx(0.75)
    assert canvas[1, 1, 2].item() == pytest.approx(0.25)
    assert canvas[3, 0, 0].item() == pytest.approx(0.5), "half of it lies outside and is lost"
    assert canvas.sum().item() == pytest.approx(1.5)
