import dataclasses

import numpy as np
import pytest
import torch

from cdseg_teach.anatomy import HEART_GRID, Grid, heart_subjects
from cdseg_teach.anatomy.draw import generators
from cdseg_teach.anatomy.heart import HEART_TISSUES, STRUCTURES, TISSUE_OF, _millimetres
from cdseg_teach.anatomy.motion import move
from cdseg_teach.anatomy.warps import _identity, jacobian_determinant, random_maps

SEEDS = range(20, 26)
COARSE = Grid(shape=(8, 48, 48), spacing_mm=(16.0, 5.0, 5.0), centre_mm=(12.0, -30.0, 5.0), fine=4)

# ml. Chambers: from end-systole of women to end-diastole of men, mean ∓ 2 standard deviations of
# Petersen et al. 2017, JCMR 19:18 (left ventricle 49 ± 11 to 166 ± 32; right 55 ± 15 to 182 ± 36;
# atria at their largest 62 ± 17 to 71 ± 19 and 69 ± 17 to 93 ± 27, at their smallest about half).
# Wall: 70 ± 13 g in women there, up to 184 g in men in Maceira et al. 2006, JCMR 8:417, at 1.05
# g/ml, and a tenth more, for this heart is a heavy one. Vessels, as far as the grid shows them: a
# tube of 29 to 37 mm and 70 to 90 mm long, one of 22 to 30 mm and 40 to 60 mm long, ± a half.
PUBLISHED_ML = {
    "LV": (27, 230),
    "RV": (25, 254),
    "LA": (20, 109),
    "RA": (20, 147),
    "MYO": (55, 193),
    "AO": (23, 145),
    "PA": (8, 63),
}


@pytest.fixture(scope="module")
def maps():
    return heart_subjects(SEEDS)


@pytest.fixture(scope="module")
def labels(maps):
    return maps.label()


def centre(maps, share):
    """mm (z, y, x) of the middle of a map, subject by subject: [N, 3]."""
    weight = share / share.sum(dim=(1, 2, 3), keepdim=True)
    return torch.einsum("nzyx,czyx->nc", weight, maps.grid.coordinates())


def test_fractions_are_shares(maps):
    assert maps.fractions.shape == (6, len(HEART_TISSUES), *HEART_GRID.fine_shape)
    assert maps.structures.shape == (6, 7, *HEART_GRID.fine_shape)
    assert maps.fractions.min() > -1e-5
    assert maps.fractions.sum(1).max() < 1 + 1e-5
    assert torch.isfinite(maps.fractions).all()


def test_structures_are_disjoint_and_part_of_their_tissue(maps):
    assert maps.structures.sum(1).max() < 1 + 1e-5
    for tissue in ("left_blood", "right_blood", "myocardium"):
        parts = [i for i, name in enumerate(STRUCTURES) if TISSUE_OF[name] == tissue]
        assert (maps.structures[:, parts].sum(1) - maps[tissue]).max() < 1e-5


def test_volumes_lie_in_published_ranges(maps):
    ml = maps.structures.sum(dim=(2, 3, 4)) * maps.grid.fine_voxel_mm3 / 1000
    for name, volumes in zip(STRUCTURES, ml.unbind(1), strict=True):
        low, high = PUBLISHED_ML[name]
        assert low < volumes.min(), name
        assert volumes.max() < high, name


def test_all_seven_structures_are_seen_in_every_subject(labels):
    assert labels.dtype == torch.uint8
    for label in labels:
        assert label.unique().tolist() == list(range(8))


def test_aorta_and_pulmonary_artery_are_seen_in_enough_slices(labels):
    """Half of the slices and a quarter, on average; 7 and 3 of 16 in everyone."""
    for name, least, share in (("AO", 7, 0.5), ("PA", 3, 0.25)):
        seen = (labels == STRUCTURES.index(name) + 1).flatten(2).sum(2) >= 8
        assert seen.sum(1).min() >= least, name
        assert seen.float().mean() > share, name


def test_a_voxel_belongs_to_what_fills_most_of_it(maps, labels):
    shares = torch.stack([maps.on_working_grid(s) for s in maps.structures.unbind(1)], dim=1)
    assert (shares.amax(1)[labels > 0] > 0.125).all()
    assert (labels[shares.sum(1) < 0.1] == 0).all()
    for number in range(1, 8):
        assert (labels[shares[:, number - 1] > 0.5] == number).all()


def test_the_heart_lies_as_a_radiologist_knows_it(maps):
    """RAS+: array order (z, y, x), z upwards, y forwards, x to the right."""
    at = dict(zip(STRUCTURES, (centre(maps, s) for s in maps.structures.unbind(1)), strict=True))
    z, y, x = range(3)
    assert (at["LV"][:, x] < at["RV"][:, x]).all(), "left ventricle to the left"
    assert (at["RV"][:, x] < at["RA"][:, x]).all(), "right atrium to the right"
    assert (at["RV"][:, y] > at["LV"][:, y]).all(), "right ventricle in front"
    assert (at["LA"][:, y] < at["LV"][:, y]).all(), "left atrium at the back"
    assert (at["AO"][:, z] > at["LV"][:, z]).all(), "great vessels on top"
    assert (at["PA"][:, x] < at["AO"][:, x]).all(), "pulmonary trunk left of the aorta"
    assert (at["PA"][:, y] > at["LA"][:, y]).all(), "and before the left atrium"
    liver, bone = centre(maps, maps["liver"]), centre(maps, maps["marrow"])
    heart = centre(maps, maps.structures.sum(1))
    assert (liver[:, x] > heart[:, x]).all(), "liver under the right dome"
    assert (liver[:, z] < heart[:, z]).all()
    assert (bone[:, y] < heart[:, y] - 20).all(), "spine at the back"


def test_air_lungs_and_body(maps):
    body = maps.body()
    assert body.dtype == torch.bool
    assert 0.55 < body.float().mean() < 0.95
    assert body[maps.label() > 0].all()
    assert body[maps.on_working_grid(maps["lung"]) > 0.9].all(), "lung is tissue"
    corners = body[:, :, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert not corners.all()
    litres = maps["lung"].sum(dim=(1, 2, 3)) * maps.grid.fine_voxel_mm3 / 1e6
    assert (litres > 1.0).all()  # 128 mm of lungs that hold 3 to 6 l, less the right flank
    assert (litres < 4.0).all()


def test_the_same_seed_gives_the_same_heart_whatever_is_beside_it(maps):
    alone = heart_subjects([SEEDS[2]])
    assert torch.equal(alone.fractions[0], maps.fractions[2])
    assert torch.equal(alone.structures[0], maps.structures[2])
    assert not torch.allclose(maps.fractions[0], maps.fractions[1])


def test_nothing_folds_on_the_way_from_the_real_heart():
    draws = generators(SEEDS)
    warped = random_maps(HEART_GRID, draws, global_mm=5.0, local_mm=1.5)
    points = move(_millimetres(warped, HEART_GRID), draws)
    half = _millimetres(_identity(HEART_GRID.fine_shape, points.device), HEART_GRID)[0, -1, -1, -1]
    centre_mm = torch.tensor(HEART_GRID.centre_mm[::-1])
    assert jacobian_determinant((points - centre_mm) / (half - centre_mm)).min() > 0.1


def test_the_lattice_in_millimetres_is_the_grids():
    found = _millimetres(_identity(COARSE.fine_shape, torch.device("cpu")), COARSE)[0]
    expected = COARSE.coordinates().flip(0).permute(1, 2, 3, 0)
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=0)


def test_a_grid_of_another_size_shows_the_same_person(maps):
    coarse = heart_subjects(SEEDS, COARSE)
    assert coarse.label().shape == (6, 8, 48, 48)
    fine_ml, coarse_ml = (
        m.structures[:, :4].sum(dim=(2, 3, 4)) * m.grid.fine_voxel_mm3 for m in (maps, coarse)
    )
    np.testing.assert_allclose(coarse_ml, fine_ml, rtol=0.25)


def test_maps_are_replaced_as_a_whole(maps):
    """A slab for a viewer: fields can be exchanged by name."""
    slab = dataclasses.replace(maps, fractions=maps.fractions[:1], structures=maps.structures[:1])
    assert slab.label().shape == (1, *HEART_GRID.shape)
