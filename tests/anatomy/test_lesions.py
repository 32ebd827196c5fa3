import math

import pytest
import torch

from cdseg_teach.anatomy import Grid
from cdseg_teach.anatomy.brain import TEMPLATE_TISSUES, template
from cdseg_teach.anatomy.draw import generators
from cdseg_teach.anatomy.lesions import LesionStatistics, _places, _stamp, draw_lesions

GRID = Grid(shape=(12, 48, 48), spacing_mm=(8.0, 4.0, 4.0))
SEEDS = range(60)


@pytest.fixture(scope="module")
def healthy():
    return dict(zip(TEMPLATE_TISSUES, template(GRID)[:, None], strict=True))


@pytest.fixture(scope="module")
def shares(healthy):
    many = {name: f.expand(len(SEEDS), -1, -1, -1) for name, f in healthy.items()}
    return draw_lesions(many, GRID, generators(SEEDS))


def draw(healthy, seed=0, **changes):
    return draw_lesions(healthy, GRID, generators([seed]), LesionStatistics(**changes))


def millilitres(share):
    return share.flatten(1).sum(1) * GRID.fine_voxel_mm3 / 1000


def test_shares_lie_between_0_and_1_and_sum_to_at_most_1(shares):
    assert set(shares) == {"oedema", "contusion", "haemorrhage", "microbleed", "hyperintensity"}
    assert all(share.min() >= 0 for share in shares.values())
    assert sum(shares.values()).max() <= 1 + 1e-5


def test_contusions_have_the_volume_of_the_source(shares, healthy):
    """Median 14 ml (13.6 and 15.8 by severity), most between 2 and 90; CSF and air take a part."""
    inside = 1 - healthy["csf"]
    drawn = sum(shares[name] for name in ("oedema", "contusion", "haemorrhage"))
    volume = millilitres(drawn * inside)
    assert 9 < volume.median() < 19
    assert ((volume > 1) & (volume < 90)).float().mean() > 0.9


def test_the_core_is_the_stated_share_of_a_contusion(shares):
    oedema, bruise, blood = (
        millilitres(shares[name]) for name in ("oedema", "contusion", "haemorrhage")
    )
    core = (bruise + blood) / (oedema + bruise + blood)
    assert 1 / 3.2 < core.median() < 1 / 1.8
    assert 0.2 < (blood / (bruise + blood)).median() < 0.7


def test_about_half_of_the_subjects_have_microbleeds_and_half_hyperintensities(shares):
    for name in ("microbleed", "hyperintensity"):
        assert 0.3 < (millilitres(shares[name]) > 0).float().mean() < 0.7


def test_contusions_are_frontal_and_temporal(shares):
    z, y, x = GRID.coordinates()
    near = ((y > 10) & (z < 40)) | ((x.abs() > 15) & (z < 15))
    core = shares["contusion"] + shares["haemorrhage"]
    assert (core * near).sum() > 0.9 * core.sum()


def test_without_microbleeds_and_age_there_is_only_the_contusion(healthy):
    shares = draw(healthy, axonal_injury=0.0, aged=0.0)
    assert shares["microbleed"].sum() == 0
    assert shares["hyperintensity"].sum() == 0
    assert shares["oedema"].sum() > 0


def test_a_drawn_number_of_zero_is_no_lesion(healthy):
    shares = draw(healthy, axonal_injury=1.0, microbleeds=0.0, aged=1.0, hyperintensities=0.0)
    assert shares["microbleed"].sum() == 0
    assert shares["hyperintensity"].sum() == 0


def test_a_subject_does_not_depend_on_who_is_beside_it(shares, healthy):
    alone = draw_lesions(healthy, GRID, generators([SEEDS[7]]))
    for name, share in alone.items():
        torch.testing.assert_close(shares[name][7:8], share)


def test_a_stamped_sphere_has_its_volume():
    grid = Grid(shape=(24, 48, 48), spacing_mm=(2.0, 1.0, 1.0))
    for radius in (6.0, 3.0, 0.4):
        canvas = torch.zeros(grid.fine_shape)
        _stamp(canvas, [24, 24, 24], radius, torch.ones(3), None, grid)
        sphere = 4 / 3 * math.pi * radius**3
        assert canvas.sum().item() == pytest.approx(sphere, rel=0.25)


def test_a_stamp_at_the_border_stays_on_the_canvas():
    canvas = torch.zeros(GRID.fine_shape)
    _stamp(canvas, [0, 0, 47], 20.0, torch.ones(3), None, GRID)
    assert 0 < canvas.sum() < canvas.numel()


def test_places_are_drawn_where_there_is_density():
    density = torch.zeros(4, 8, 8)
    density[1, 2, 3], density[2, 5, 6] = 3.0, 1.0
    (draw,) = generators([0])
    places = _places(density, 2000, draw)
    assert sum(place == [1, 2, 3] for place in places) == pytest.approx(1500, abs=80)
    assert all(place in ([1, 2, 3], [2, 5, 6]) for place in places)
    assert _places(density, 0, draw) == []


def test_the_statistics_follow_from_their_sources():
    """A log-normal of mean 22 and deviation 42 has the median and log-deviation given."""
    s = LesionStatistics()
    mean = s.microbleeds * math.exp(s.microbleed_log_std**2 / 2)
    assert mean == pytest.approx(22, rel=0.02)
    total = s.hyperintensities * s.hyperintensity_ml * math.exp(s.hyperintensity_log_std**2 / 2)
    assert total == pytest.approx(4.9, rel=0.02)
