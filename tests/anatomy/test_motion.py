import pytest
import torch

from cdseg_teach.anatomy import Grid, atlas
from cdseg_teach.anatomy.draw import generators
from cdseg_teach.anatomy.motion import flow, move
from cdseg_teach.anatomy.warps import jacobian_determinant

GRID = Grid(shape=(48, 56, 56), spacing_mm=(3.0, 3.0, 3.0), centre_mm=(0.0, 0.0, 0.0), fine=1)


def places():
    z, y, x = GRID.coordinates()
    return torch.stack([x, y, z], dim=-1)[None]


def still(**changes):
    zero = {"size": torch.zeros(1, 1), "pose": torch.zeros(1, 3), "phase": torch.zeros(1, 1)}
    return zero | {name: torch.tensor([value]) for name, value in changes.items()}


def volumes(**changes):
    shares = atlas.heart_at(flow(places(), **still(**changes)))
    ml = shares.sum(dim=(0, 2, 3, 4)) * GRID.fine_voxel_mm3 / 1000
    return dict(zip(atlas.LABELS, ml.tolist(), strict=True))


def wall_mm(pool_ml, wall_ml):
    """Thickness of a spherical shell around a sphere."""
    outer, inner = ((3000 * ml / (4 * torch.pi)) ** (1 / 3) for ml in (pool_ml + wall_ml, pool_ml))
    return outer - inner


@pytest.fixture(scope="module")
def beat():
    return [volumes(phase=[phase]) for phase in (0.0, 0.5, 1.0)]


def test_nothing_drawn_moves_nothing():
    torch.testing.assert_close(flow(places(), **still()), places(), atol=1e-4, rtol=0)


def test_ventricles_empty_as_healthy_ones_do(beat):
    """Ejection fractions of Petersen et al. 2017, both sexes, mean ± 2 standard deviations or more.

    LV 48 to 71 %; RV 42 to 70 %, of which the model reaches the lower end.
    """
    relaxed, halfway, contracted = beat
    for name, low, high in (("LV", 0.48, 0.71), ("RV", 0.40, 0.70)):
        assert low < 1 - contracted[name] / relaxed[name] < high
        assert contracted[name] < halfway[name] < relaxed[name]


def test_the_wall_keeps_its_volume_and_thickens(beat):
    """Within 15 %; muscle loses a few per cent. The wall thickens by a quarter and more."""
    relaxed, _, contracted = beat
    assert contracted["MYO"] == pytest.approx(relaxed["MYO"], rel=0.15)
    before, after = (wall_mm(b["LV"], b["MYO"]) for b in (relaxed, contracted))
    assert before == pytest.approx(10, abs=1)
    assert after / before > 1.2


def test_atria_fill_while_ventricles_empty(beat):
    relaxed, _, contracted = beat
    assert contracted["LA"] > relaxed["LA"]


def test_size_is_the_logarithm_of_a_length(beat):
    larger = volumes(size=[0.1])
    assert larger["LV"] == pytest.approx(beat[0]["LV"] * torch.e**0.3, rel=0.06)


def test_the_pose_turns_the_heart_and_leaves_the_chest():
    angle = 0.1
    turned = flow(places(), **still(pose=[0.0, 0.0, angle])) - places()
    at = (24, 28, 45)  # 52.5 mm to the right of the middle; it looks up where it came from
    assert turned[(0, *at, 1)].item() == pytest.approx(-52.5 * angle, rel=0.1)
    wide = torch.tensor([0.0, 0.0, 150.0]).view(1, 1, 1, 1, 3)
    assert (flow(wide, **still(pose=[angle, angle, 0.0])) - wide).norm() < 0.1


def test_nothing_folds():
    moved = move(places().expand(8, -1, -1, -1, -1), generators(range(8)))
    half = torch.tensor([(n - 1) * 3.0 / 2 for n in reversed(GRID.fine_shape)])
    assert jacobian_determinant(moved / half).min() > 0.2


def test_a_motion_does_not_depend_on_the_subjects_beside():
    both = move(places().expand(2, -1, -1, -1, -1), generators([4, 5]))
    assert torch.equal(both[1:], move(places(), generators([5])))
