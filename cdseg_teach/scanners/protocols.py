"""Named scanners: the two data sets of the lecture's brains, MR and CT of its hearts.

Kamnitsas et al. 2017 scanned data set 1 on a Siemens TIM Trio with gradient echo (GE) as the fifth
channel, data set 2 on a Siemens Verio with susceptibility-weighted imaging (SWI) in its place; both
3 T. The times of their protocols are not published in what we could read, so each sequence here is
a published protocol of that scanner, or of a Siemens 3 T scanner, named beside it.

SNR on the working grid: chosen as 50, of the order of what Stehling et al. 2008 (Acad Radiol
15:895, table 2) measured at 3 T in their own voxel (brain 1833, background 36); 1.3 times that with
the Verio's 32 channels (mean gain recalled from Wiggins et al. 2006, MRM 56:216). All slices here
are at most as thick as the working grid's and are averaged up to it, so thickness is no part of the
shift. Bias: BrainWeb's non-uniformity of 20 % (factors 0.9 to 1.1, four standard deviations) and 40
%, since more coil elements mean a brighter rim.
"""

from cdseg_teach.scanners.ct import CtScanner
from cdseg_teach.scanners.scanner import Scanner
from cdseg_teach.scanners.sequences import (
    BalancedSsfp,
    GradientEcho,
    InversionRecovery,
    Mprage,
    SpinEcho,
)

DATA_SET_1 = Scanner(
    name="3 T TIM Trio",
    field_tesla=3.0,
    sequences=(
        # FLAIR, PD, T2: Siemens 3 T protocol of the MS-SMART trial (Connick et al. 2018, BMJ Open
        # 8:e021944, table 4).
        InversionRecovery("FLAIR", tr_ms=9500, te_ms=100, ti_ms=2400, slice_mm=3, snr=50),
        SpinEcho("PD", tr_ms=2700, te_ms=26, slice_mm=3, snr=50),
        # TIM Trio, Cambridge: OpenNeuro ds000117 (Wakeman and Henson 2015, Sci Data 2:150001). The
        # train (176 pulses 7.1 ms apart) is the product sequence's, recalled.
        Mprage(
            "MPRAGE",
            tr_ms=2250,
            te_ms=2.98,
            ti_ms=900,
            flip_deg=9,
            pulses=176,
            spacing_ms=7.1,
            slice_mm=1,
            snr=50,
        ),
        SpinEcho("T2", tr_ms=2700, te_ms=97, slice_mm=3, snr=50),
        # 3 T T2*-weighted gradient echo: Stehling et al. 2008, table 1.
        GradientEcho("GE", tr_ms=573, te_ms=16, flip_deg=18, slice_mm=4, snr=50),
    ),
    bias=0.05,
)

DATA_SET_2 = Scanner(
    name="3 T Verio",
    field_tesla=3.0,
    sequences=(
        # Verio: OpenNeuro ds000221 (Babayan et al. 2019, Sci Data 6:180308); FLAIR's TI is that of
        # ADNI's Siemens protocol, recalled.
        InversionRecovery("FLAIR", tr_ms=10000, te_ms=90, ti_ms=2500, slice_mm=4, snr=65),
        SpinEcho("PD", tr_ms=2700, te_ms=26, slice_mm=3, snr=65),
        Mprage(
            "MPRAGE",
            tr_ms=2300,
            te_ms=2.98,
            ti_ms=900,
            flip_deg=9,
            pulses=176,
            spacing_ms=7.1,
            slice_mm=1,
            snr=65,
        ),
        SpinEcho("T2", tr_ms=2700, te_ms=97, slice_mm=3, snr=65),
        # Gradient echo with magnitude and phase of the same Verio study; 2 mm slices as in trauma
        # protocols; mask to the power 4.
        GradientEcho("SWI", tr_ms=30, te_ms=17.3, flip_deg=12.76, mask_power=4, slice_mm=2, snr=65),
    ),
    bias=0.10,
)

# Hearts: both protocols of a study that scanned 38 people twice (AJR 2008 190:1358), at 1.5 T with
# balanced SSFP, TR/TE 3.3/1.6 ms, 60°, and with 64-slice CT at 120 kV and contrast for the coronary
# arteries.
HEART_MR = Scanner(
    name="1.5 T cine",
    field_tesla=1.5,
    sequences=(
        # Slice: 6 to 8 mm is usual for cine (Kramer et al. 2020, JCMR 22:17, recalled). SNR
        # derived: blood against myocardium has a contrast-to-noise ratio of 43.8 at 1.5 T (Maroules
        # et al. 2008, JMRI 28:1139), divided by 1 - S_myocardium / S_blood = 0.68 of the signal
        # equation.
        BalancedSsfp("MR", tr_ms=3.3, te_ms=1.6, flip_deg=60, slice_mm=8, snr=65),
    ),
    bias=0.10,  # BrainWeb's non-uniformity of 40 %; chosen, since the coils lie on the chest
)

HEART_CT = CtScanner(
    name="64-slice CT",
    phase="coronary",
    dlp_mgy_cm=195,  # the median of 2017: Stocker et al. 2018, Eur Heart J 39:3715
    noise_hu=37.5,  # in the aorta, filtered back-projection, routine dose: Eur Radiol Exp 2018 2:30
    slice_mm=0.9,  # chosen; the detector's rows are 0.6 mm
    # Chosen: from below fat (-90) to above contrast (327).
    level_hu=200,
    width_hu=800,
)

SCANNERS = {scanner.name: scanner for scanner in (DATA_SET_1, DATA_SET_2, HEART_MR, HEART_CT)}
