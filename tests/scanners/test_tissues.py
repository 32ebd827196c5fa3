import math

import pytest
import torch
from chest import TISSUES as IN_CHESTS

from cdseg_teach.anatomy.brain import TISSUES as IN_BRAINS
from cdseg_teach.problems import Problem
from cdseg_teach.scanners.tissues import TISSUES, VENOUS_CHI_PPM, tissue_values


@pytest.mark.parametrize(("field", "column"), [(1.5, 0), (3.0, 1)])
def test_the_table_is_exact_at_its_two_fields(field, column):
    values = tissue_values(list(TISSUES), field)
    for i, tissue in enumerate(TISSUES.values()):
        assert values.t1[i].item() == pytest.approx(tissue.t1_ms[column], rel=1e-6)
        assert values.t2[i].item() == pytest.approx(tissue.t2_ms[column], rel=1e-6)
        r2star = 1000 / tissue.t2_ms[column] + tissue.r2prime * field / 3
        assert values.t2star[i].item() == pytest.approx(1000 / r2star, rel=1e-5)
        assert values.pd[i].item() == pytest.approx(tissue.pd)
        assert values.chi[i].item() == pytest.approx(tissue.chi_ppm)


def test_between_the_fields_lies_a_power_law():
    """At the geometric mean of the fields T1 is the geometric mean."""
    values = tissue_values(["grey"], 1.5 * math.sqrt(2))
    assert values.t1.item() == pytest.approx(math.sqrt(1197 * 1607), rel=1e-6)
    assert values.t2.item() == pytest.approx(math.sqrt(95 * 99), rel=1e-6)


@pytest.mark.parametrize("field", [0.5, 1.5, 3.0, 7.0])
def test_t2star_is_at_most_t2_and_t2_below_t1(field):
    values = tissue_values(list(TISSUES), field)
    assert (values.t2star <= values.t2 * (1 + 1e-6)).all()
    assert (values.t2 <= values.t1).all()
    assert (values.t2star > 0).all()


def test_known_values_come_out():
    values = tissue_values(["grey", "white", "vein", "microbleed"], 3.0)
    torch.testing.assert_close(
        values.t2star, torch.tensor([66, 53, 25, 1000 / (127 * 0.71 + 23)]), rtol=1e-5, atol=0
    )
    assert pytest.approx(0.499, abs=0.001) == VENOUS_CHI_PPM


def test_the_table_holds_what_brains_and_chests_are_made_of():
    assert {*IN_BRAINS, *IN_CHESTS} == set(TISSUES)


def test_an_unknown_tissue_is_named():
    with pytest.raises(Problem, match="cartilage"):
        tissue_values(["white", "cartilage"], 3.0)


@pytest.mark.parametrize("field", [0.0, -3.0, 11.7, math.nan])
def test_a_field_outside_the_table_is_named(field):
    with pytest.raises(Problem, match=str(field)):
        tissue_values(["white"], field)
