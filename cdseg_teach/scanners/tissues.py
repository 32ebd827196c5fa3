"""What a scanner measures of each tissue: T1, T2, T2*, proton density, susceptibility; sources.

Seen in the source named: unmarked. «Derived» is computed here from such values, as the comment
says. «Chosen» marks a value for which no table was found; it lies inside the range the comment
gives. None was ever changed for what a network made of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cdseg_teach.problems import Problem


@dataclass(frozen=True)
class Tissue:
    """One tissue at two field strengths.

    Parameters
    ----------
    t1_ms, t2_ms
        Relaxation times in ms at 1.5 T and at 3 T.
    r2prime
        R2' = 1/T2* − 1/T2 in 1/s at 3 T; proportional to the field.
    pd
        Proton density relative to water, 0..1.
    chi_ppm
        Magnetic susceptibility in ppm (SI), in the frame of the 2021 reconstruction challenge (CSF
        +0.019); left at 0 outside the brain, where no sequence shows phase.
    """

    t1_ms: tuple[float, float]
    t2_ms: tuple[float, float]
    r2prime: float
    pd: float
    chi_ppm: float = 0.0


def _r2prime(t2_ms: float, t2star_ms: float) -> float:
    return 1000 / t2star_ms - 1000 / t2_ms


def _bleeding(
    t1_ms: tuple[float, float], t2_ms: tuple[float, float], pd: float, chi_ppm: float
) -> Tissue:
    """Blood products: R2* = 127 |χ| + 23 1/s at 3 T, found for microbleeds and used beyond them."""
    return Tissue(t1_ms, t2_ms, 127 * chi_ppm + 23 - 1000 / t2_ms[1], pd, chi_ppm)


# Venous blood against tissue: Δχ = Δχ_do · Hct · (1 − Y), Δχ_do = 4π · 0.27 ppm (Spees et al. 2001,
# MRM 45:533), haematocrit 0.42, jugular oxygen saturation Y = 0.65 (Wehrli et al. 2014, Acad Radiol
# 21:207).
VENOUS_CHI_PPM = 4 * math.pi * 0.27 * 0.42 * (1 - 0.65)

# Sources of the healthy rows. T1: Wright et al. 2008, MAGMA 21:121. T2: Stanisz et al. 2005, MRM
# 54:507. T2*: Peters et al. 2007, MRI 25:748. PD: BrainWeb (Collins et al. 1998, IEEE TMI 17:463).
# χ: Marques et al. 2021, MRM 86:526.
TISSUES = {
    "grey": Tissue((1197, 1607), (95, 99), _r2prime(99, 66), 0.86, 0.020),
    "white": Tissue((646, 838), (72, 69), _r2prime(69, 53), 0.77, -0.030),
    # T1 and T2 of a simulator's table without sources; T2* is «long», taken as T2.
    "csf": Tissue((4280, 4160), (2030, 2100), 0.0, 1.0, 0.019),
    # Globus pallidus and putamen with caudate, at 3 T. R2: Gelman et al. 1999, Radiology 210:759,
    # find 25.8 1/s in the pallidum and, by their regression on the iron of Hallgren and Sourander
    # 1958, 19.6 1/s in the striatum, against 18.0 in white matter; derived: those ratios, 1.43 and
    # 1.09, on the white matter above, so that the two sources agree where they meet. R2': Gelman.
    # PD: grey matter's. T1 of the striatum: Wright 2008; of the pallidum: chosen near 1050 ms, at
    # 1.5 T by the putamen's ratio.
    "iron_rich": Tissue((855, 1050), (50, 48), 12.0, 0.86, 0.1305),
    "striatum": Tissue((1096, 1363), (66, 63), 7.4, 0.86, 0.041),
    # The MS lesion of BrainWeb stands in (1.5 T: 752, 237, T2* 204); T1 at 3 T from a simulator's
    # table, T2 at 3 T by white matter's ratio. χ chosen between white matter and CSF.
    "hyperintensity": Tissue((752, 1000), (237, 227), 2 * _r2prime(237, 204), 0.76, -0.010),
    # White matter times the ratios found around tumours, T1 1.35, T2 1.71 (de Blank et al. 2019);
    # no table for trauma was found. PD derived from a water content near 0.82; R2' of white matter;
    # χ chosen between white matter and CSF.
    "oedema": Tissue((872, 1131), (123, 118), _r2prime(69, 53), 0.85, -0.010),
    # Bruised, necrotic tissue. Derived: half oedema, half CSF in fast exchange (mean of the rates),
    # inside the recalled range T1 1600 to 2500, T2 150 to 300 ms. PD and χ likewise the mean.
    "contusion": Tissue((1449, 1778), (232, 223), _r2prime(69, 53) / 2, 0.925, 0.005),
    # Acute bleeding, deoxyhaemoglobin. χ 1.30: Chang et al. 2016, JMRI 44:420. T1 as venous blood;
    # T2 chosen near the minimum (24 to 40 ms) of blood ageing at 3 T (Petrovic et al. 2016,
    # Forensic Sci Int 262:11), longer at 1.5 T; PD chosen.
    "haemorrhage": _bleeding((1441, 1584), (40, 32), 0.88, 1.30),
    # Haemosiderin. χ 0.71 of chronic bleeding: Chang 2016. T1 between grey and white matter, T2 30
    # to 40 ms, PD: chosen.
    "microbleed": _bleeding((920, 1220), (45, 35), 0.80, 0.71),
    # T1, T2 at 3 T: Portnoy et al. 2016; T2* 25 ms at 3 T: a susceptibility simulation's table, and
    # the known R2*(Y) at Y = 0.7. T2 at 1.5 T chosen near 150 ms.
    "vein": Tissue((1441, 1584), (150, 66), _r2prime(66, 25), 0.95, VENOUS_CHI_PPM),
    # The heart and the chest around it. PD: the tissue table of MRXCAT (Wissmann et al. 2014, JCMR
    # 16:63) where no other source is named; R2' is 0 where no T2* was found.
    # Blood at rest; inflow is not modelled. T1, T2: Stanisz 2005, with refocusing pulses as close
    # as balanced SSFP's. T2 of the right heart derived: saturation / 0.95 is its ratio to the
    # left's (McDiarmid et al. 2026, JACC Adv), 0.79 at the usual 0.75 of mixed venous blood. T2*
    # 199 and 108 ms in arteries and veins at 1.5 T: Li et al. 1998, MRM 39:685.
    "left_blood": Tissue((1441, 1932), (290, 275), 2 * _r2prime(290, 199), 0.95),
    "right_blood": Tissue((1441, 1932), (229, 217), 2 * _r2prime(229, 108), 0.95),
    # T1, T2 in vivo: Granitz et al. 2019, Wien Klin Wochenschr 131:143. T2*: the middle of 26 to 41
    # ms at 1.5 T, Reeder et al. 1998, MRM 39:988.
    "myocardium": Tissue((996, 1184), (56, 52), 2 * _r2prime(56, 33), 0.80),
    "vessel_wall": Tissue((996, 1184), (56, 52), 0.0, 0.80),  # chosen: as myocardium
    # T1, T2: a simulator's table without sources, nearly those of Gold et al. 2004 (AJR 183:343,
    # recalled). T2* 58 and 30 ms of fat and muscle at 1.5 T: BrainWeb.
    "fat": Tissue((290, 370), (165, 130), 2 * _r2prime(165, 58), 0.70),
    # T1, T2: the table of Fetal-XCMR (Roy et al. 2019, JCMR 21:29).
    "muscle": Tissue((982, 1233), (36, 37), 2 * _r2prime(36, 30), 0.80),
    # T1 1.37 and 1.41 s in the two lungs at 1.5 T: MRM 1999 41:866; at 3 T, and T2: chosen. T2*
    # 0.74 ms at 3 T: Yu et al. 2011, MRM 66:248. PD 0.25, breathed out: Theilmann et al. 2009, JMRI
    # 30:527.
    "lung": Tissue((1390, 1390), (40, 40), _r2prime(40, 0.74), 0.25),
    # T1, T2, PD: a simulator's table without sources; nearly black whatever they are.
    "cortical_bone": Tissue((1000, 1000), (3, 1), 0.0, 0.05),
    # A vertebra's: de Bazelaire et al. 2004, Radiology 230:652; 1.5 T recalled. PD chosen.
    "marrow": Tissue((549, 586), (49, 49), 0.0, 0.70),
    "liver": Tissue((586, 809), (46, 34), 0.0, 0.90),  # de Bazelaire 2004
}


@dataclass(frozen=True)
class TissueValues:
    """Tissue parameters at one field strength, one entry a tissue, in ms and ppm."""

    t1: Tensor
    t2: Tensor
    t2star: Tensor
    pd: Tensor
    chi: Tensor


def tissue_values(names: Sequence[str], field_tesla: float) -> TissueValues:
    """The table at any field strength: tensors [T].

    T1 and T2 follow the power law through the values at 1.5 T and 3 T, exact at both; R2' is
    proportional to the field.

    Parameters
    ----------
    names
        The T tissues wanted.
    field_tesla
        0.5 to 7 T; away from 1.5 and 3 T an extrapolation.

    Examples
    --------
    >>> tissue_values(["white"], 3.0).t1.tolist()
    [838.0]
    """
    if not 0.5 <= field_tesla <= 7:
        raise Problem(f"field strength {field_tesla} T: the tissue table is for 0.5 to 7 T")
    unknown = [name for name in names if name not in TISSUES]
    if unknown:
        raise Problem(f"tissue {unknown[0]!r} is not in the table; known are {', '.join(TISSUES)}")
    octaves = math.log2(field_tesla / 1.5)
    rows = [TISSUES[name] for name in names]
    t1 = torch.tensor([row.t1_ms[0] * (row.t1_ms[1] / row.t1_ms[0]) ** octaves for row in rows])
    t2 = torch.tensor([row.t2_ms[0] * (row.t2_ms[1] / row.t2_ms[0]) ** octaves for row in rows])
    t2 = torch.minimum(t2, t1)  # fat's would be longer at 0.5 T
    r2prime = torch.tensor([row.r2prime * field_tesla / 3 for row in rows])
    return TissueValues(
        t1=t1,
        t2=t2,
        t2star=1000 / (1000 / t2 + r2prime),
        pd=torch.tensor([row.pd for row in rows]),
        chi=torch.tensor([row.chi_ppm for row in rows]),
    )
