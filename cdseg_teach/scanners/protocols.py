"""Named scanners: the two data sets of the lecture.

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

from cdseg_teach.scanners.scanner import Scanner
from cdseg_teach.scanners.sequences import GradientEcho, InversionRecovery, Mprage, SpinEcho

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

SCANNERS = {scanner.name: scanner for scanner in (DATA_SET_1, DATA_SET_2)}
