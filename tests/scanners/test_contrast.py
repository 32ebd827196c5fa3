"""What a radiologist knows of each channel, asked of the equations and of rendered images."""

import dataclasses

import pytest
import torch

from cdseg_teach.anatomy import brain_subjects
from cdseg_teach.anatomy.brain import TISSUES
from cdseg_teach.scanners import DATA_SET_1, DATA_SET_2, render, tissue_values, without_artefacts

SCANNERS = (DATA_SET_1, DATA_SET_2)


def signals(scanner, channel, field_tesla=None):
    sequence = scanner.sequences[scanner.channels.index(channel)]
    values = tissue_values(TISSUES, field_tesla or scanner.field_tesla)
    return dict(zip(TISSUES, sequence.signal(values).tolist(), strict=True))


@pytest.mark.parametrize("scanner", SCANNERS, ids=lambda s: s.name)
@pytest.mark.parametrize("field", [1.5, 3.0])
def test_order_of_tissues_in_each_channel(scanner, field):
    flair, t2, t1, pd = (signals(scanner, c, field) for c in ("FLAIR", "T2", "MPRAGE", "PD"))
    assert flair["csf"] < 0.2 * flair["white"], "CSF is dark in FLAIR"
    assert min(flair["oedema"], flair["hyperintensity"]) > 1.3 * flair["grey"], (
        "oedema and hyperintensities shine in FLAIR"
    )
    assert flair["grey"] > flair["white"], "grey over white in FLAIR"
    assert t2["csf"] > t2["grey"] > t2["white"], "T2: CSF over grey over white"
    assert t2["oedema"] > t2["grey"], "oedema is bright in T2"
    assert t2["iron_rich"] < min(t2["white"], t2["striatum"]), (
        "the pallidum is the darkest nucleus in T2"
    )
    assert t2["striatum"] < t2["grey"], "the striatum is darker than cortex in T2"
    assert t1["white"] > t1["grey"] > t1["csf"], "MPRAGE: white over grey over CSF"
    assert t1["oedema"] < t1["white"], "oedema is darker than white matter in MPRAGE"
    assert pd["grey"] > pd["white"], "grey over white in PD"
    assert pd["oedema"] > pd["white"], "oedema is bright in PD"


@pytest.mark.parametrize(("scanner", "channel"), [(DATA_SET_1, "GE"), (DATA_SET_2, "SWI")])
def test_blood_products_are_black_where_susceptibility_counts(scanner, channel):
    s = signals(scanner, channel)
    assert max(s["haemorrhage"], s["microbleed"]) < 0.3 * s["white"]
    assert s["vein"] < s["white"]
    assert s["iron_rich"] < s["striatum"] < s["grey"] * 1.05


def test_contrast_of_the_pallidum_in_gradient_echo_grows_with_the_field():
    low, high = (signals(DATA_SET_1, "GE", field) for field in (1.5, 3.0))
    assert high["iron_rich"] / high["white"] < low["iron_rich"] / low["white"]


def test_swi_shows_veins_that_gradient_echo_hardly_shows():
    maps = brain_subjects([5, 6])
    bloodless = maps.fractions.clone()
    bloodless[:, TISSUES.index("grey")] += bloodless[:, TISSUES.index("vein")]
    bloodless[:, TISSUES.index("vein")] = 0
    holds_vein = maps.on_working_grid(maps["vein"]) > 0.15
    darkening = []
    for scanner in SCANNERS:
        ideal = without_artefacts(scanner)
        image, reference = (
            render(m, ideal, [0, 1], spread=0.0)[:, 4]
            for m in (maps, dataclasses.replace(maps, fractions=bloodless))
        )
        darkening.append(1 - (image[holds_vein].mean() / reference[holds_vein].mean()).item())
    assert 0.02 < darkening[0] < 0.15, f"veins are faint in GE: {darkening[0]:.3f}"
    assert darkening[1] > 2 * darkening[0], f"and at least twice as dark in SWI: {darkening}"


def test_the_mask_is_what_makes_veins_dark():
    swi = DATA_SET_2.sequences[4]
    plain = dataclasses.replace(DATA_SET_2, sequences=(dataclasses.replace(swi, mask_power=0.0),))
    masked = dataclasses.replace(DATA_SET_2, sequences=(swi,))
    maps = brain_subjects([7])
    without, with_mask = (
        render(maps, without_artefacts(s), [0], spread=0.0) for s in (plain, masked)
    )
    assert bool((with_mask <= without + 1e-6).all()), "the mask only darkens"
    assert float((without - with_mask).max()) > 0.1 * float(without.max())


def test_a_rendered_lesion_looks_as_in_trauma():
    maps = brain_subjects([1, 2, 3, 4])
    image = render(maps, without_artefacts(DATA_SET_1), [0, 1, 2, 3], spread=0.0)

    def mean(channel, tissue):
        return image[:, channel][maps.on_working_grid(maps[tissue]) > 0.9].mean().item()

    assert mean(0, "oedema") > 1.2 * mean(0, "white")
    assert mean(4, "haemorrhage") < 0.3 * mean(4, "white")
    assert torch.isfinite(image).all()
    assert (image >= 0).all()
