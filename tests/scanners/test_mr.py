"""Each signal equation against a closed form or against the spins simulated pulse by pulse."""

import math

import pytest
import torch

from cdseg_teach.scanners import mr

T1 = torch.tensor([838.0, 1607.0, 4160.0])
T2 = torch.tensor([69.0, 99.0, 2100.0])
PD = torch.tensor([0.77, 0.86, 1.0])
GRID = (24, 32, 32)
SPACING = (2.0, 2.0, 2.0)


def test_spin_echo_with_long_tr_and_short_te_is_the_proton_density():
    torch.testing.assert_close(mr.spin_echo(1e6, 1e-3, T1, T2, PD), PD, rtol=1e-4, atol=0)


def test_spin_echo_decays_by_e_in_one_t2_and_recovers_63_percent_in_one_t1():
    t1, t2, pd = (torch.tensor([v]) for v in (1000.0, 80.0, 1.0))
    ratio = mr.spin_echo(1e6, 100, t1, t2, pd) / mr.spin_echo(1e6, 20, t1, t2, pd)
    assert ratio.item() == pytest.approx(math.exp(-1), rel=1e-5)
    short_echo = mr.spin_echo(1000, 1e-4, t1, t2, pd)
    assert short_echo.item() == pytest.approx(1 - math.exp(-1), rel=1e-5)


@pytest.mark.parametrize("tr", [5000.0, 9500.0, 1e6])
def test_flair_nulls_a_fluid_at_its_inversion_time(tr):
    t1 = torch.tensor([4160.0])
    null = 4160 * (math.log(2) - math.log(1 + math.exp(-tr / 4160)))
    signal = mr.inversion_recovery(tr, 100, null, t1, torch.tensor([2100.0]), torch.ones(1))
    assert signal.item() == pytest.approx(0, abs=1e-6)


def test_inversion_recovery_equals_its_steady_state():
    """90° at the period's start leaves M = 0; the inversion at TR − TI; the next 90° reads M."""
    tr, ti = 3000.0, 1200.0
    before = 1 - torch.exp(-(tr - ti) / T1)
    read = 1 + (-before - 1) * torch.exp(-ti / T1)
    expected = PD * read.abs() * torch.exp(-90 / T2)
    torch.testing.assert_close(mr.inversion_recovery(tr, 90, ti, T1, T2, PD), expected)


@pytest.mark.parametrize(("tr", "flip"), [(30.0, 12.76), (573.0, 18.0), (100.0, 90.0)])
def test_gradient_echo_equals_the_steady_state_of_spoiled_pulses(tr, flip):
    angle = math.radians(flip)
    m = torch.ones(3, dtype=torch.float64)
    for _ in range(3000):
        m = 1 + (m * math.cos(angle) - 1) * torch.exp(-tr / T1.double())
    expected = PD * m * math.sin(angle) * torch.exp(-16 / T2)
    torch.testing.assert_close(
        mr.gradient_echo(tr, 16, flip, T1, T2, PD), expected.float(), rtol=1e-4, atol=1e-7
    )


def test_gradient_echo_is_brightest_at_the_ernst_angle():
    tr = 30.0
    ernst = math.degrees(math.acos(math.exp(-tr / 838)))
    at = [
        mr.gradient_echo(tr, 16, a, T1[:1], T2[:1], PD[:1]) for a in (ernst - 1, ernst, ernst + 1)
    ]
    assert at[1] > max(at[0], at[2])


@pytest.mark.parametrize("pulses", [1, 7, 176])
def test_mprage_equals_a_simulation_pulse_by_pulse(pulses):
    tr, te, ti, flip, spacing = 2250.0, 2.98, 900.0, 9.0, 7.1
    t1, angle = T1.double(), math.radians(flip)

    def recover(m, time):
        return 1 + (m - 1) * torch.exp(-time / t1)

    m = torch.ones(3, dtype=torch.float64)
    for _ in range(30):
        m = recover(-m, ti - pulses / 2 * spacing)
        for pulse in range(pulses):
            if pulse == pulses // 2:
                signal = m * math.sin(angle)
            m = recover(m * math.cos(angle), spacing)
        m = recover(m, tr - ti - pulses / 2 * spacing)
    expected = PD * signal.abs() * torch.exp(-te / T2)
    torch.testing.assert_close(
        mr.mprage(tr, te, ti, flip, pulses, spacing, T1, T2, PD),
        expected.float(),
        rtol=1e-4,
        atol=1e-6,
    )


def bloch(tr, te, flip, off_resonance_hz, pulses=16000):
    """Magnitude TE after the last of many pulses of alternating sign, spin by spin."""
    angle, t1, t2 = math.radians(flip), T1.double(), T2.double()
    turn = torch.exp(2j * math.pi * off_resonance_hz.double() * tr / 1000)
    across, along = torch.zeros_like(turn * t2), torch.zeros_like(off_resonance_hz * t1)
    for pulse in range(pulses):
        a = angle * (-1) ** pulse
        y, z = across.imag, along  # a pulse about x turns the plane of y and z
        along = z * math.cos(a) - y * math.sin(a)
        across = torch.complex(across.real, y * math.cos(a) + z * math.sin(a))
        echo = across.abs() * torch.exp(-te / t2)
        across = across * torch.exp(-tr / t2) * turn
        along = 1 + (along - 1) * torch.exp(-tr / t1)
    return PD * echo


def test_balanced_ssfp_equals_the_steady_state_of_simulated_spins():
    off_resonance_hz = torch.tensor([0.0, 40.0, 120.0, 151.5, 217.0])[:, None]
    signal = mr.balanced_ssfp(3.3, 1.6, 60, T1, T2, PD, off_resonance_hz)
    expected = bloch(3.3, 1.6, 60, off_resonance_hz)
    torch.testing.assert_close(signal, expected.float(), rtol=1e-3, atol=1e-6)


def test_balanced_ssfp_on_resonance_has_the_known_closed_form():
    tr, te, angle = 3.3, 1.6, math.radians(60)
    e1, e2 = torch.exp(-tr / T1), torch.exp(-tr / T2)
    closed = math.sin(angle) * (1 - e1) / (1 - (e1 - e2) * math.cos(angle) - e1 * e2)
    expected = PD * closed * torch.exp(-te / T2)
    torch.testing.assert_close(mr.balanced_ssfp(tr, te, 60, T1, T2, PD), expected)


def test_balanced_ssfp_reaches_half_the_root_of_t2_over_t1_at_its_best_angle():
    """With TR far below T2: cos α = (T1 − T2) / (T1 + T2), S = PD/2 sqrt(T2/T1)."""
    t1, t2 = T1.double(), T2.double()
    best = torch.rad2deg(torch.acos((t1 - t2) / (t1 + t2)))
    limit = (PD / 2 * torch.sqrt(t2 / t1)).tolist()
    for i, angle in enumerate(best.tolist()):
        signal = mr.balanced_ssfp(0.01, 0.005, angle, t1, t2, PD.double())[i]
        assert signal.item() == pytest.approx(limit[i], rel=1e-3)


def test_a_dark_band_lies_half_a_turn_away_and_the_pattern_repeats():
    tr = 3.3
    profile = mr.balanced_ssfp(tr, 1.6, 60, T1[:1], T2[:1], PD[:1], torch.arange(0.0, 300.0))
    assert profile.argmin().item() == pytest.approx(1000 / (2 * tr), abs=1)
    assert profile.min() < 0.2 * profile[0]
    again = mr.balanced_ssfp(tr, 1.6, 60, T1, T2, PD, 40 + 1000 / tr)
    torch.testing.assert_close(again, mr.balanced_ssfp(tr, 1.6, 60, T1, T2, PD, 40.0))


def test_snr_follows_voxel_volume_and_the_root_of_time():
    """Neighbours averaged in pairs are a scan with voxels of twice the size and half the lines."""
    fine = 1 + 0.1 * torch.randn(200_000, generator=torch.Generator().manual_seed(0))
    coarse = fine.unflatten(0, (-1, 2)).mean(1)
    gained = (fine.std() / coarse.std()).item()
    half = mr.scan_seconds(3.3, lines=64) / mr.scan_seconds(3.3, lines=128)
    assert gained == pytest.approx(mr.relative_snr(voxel=2, time=half), rel=0.01)
    assert mr.scan_seconds(3.3, 128, 16, averages=2) == pytest.approx(13.5, abs=0.1)


def test_phase_mask():
    phase = torch.tensor([-2.0, 0.0, math.pi / 2, math.pi, 5.0])
    torch.testing.assert_close(mr.phase_mask(phase, 1), torch.tensor([1, 1, 0.5, 0, 0]))
    torch.testing.assert_close(mr.phase_mask(phase, 4), torch.tensor([1, 1, 0.5**4, 0, 0]))
    assert torch.equal(mr.phase_mask(phase, 0), torch.ones(5))


def test_vein_phase_is_that_of_a_cylinder_along_the_field():
    by_hand = 2 * math.pi * 42.577 * 3 * (0.45 / 3) * 0.020
    assert mr.vein_phase(3.0, 20.0, 0.45) == pytest.approx(by_hand)
    assert mr.vein_phase(1.5, 40.0, 0.45) == pytest.approx(by_hand), "field and TE trade off"


def sphere(chi=1.0, radius_mm=5.0):
    axes = [(torch.arange(n) - n // 2) * s for n, s in zip(GRID, SPACING, strict=True)]
    z, y, x = torch.meshgrid(*axes, indexing="ij")
    return chi * (z**2 + y**2 + x**2 <= radius_mm**2).float()[None]


def test_local_phase_of_a_uniform_map_is_zero():
    phase = mr.local_phase(torch.full((1, *GRID), 0.7), 3.0, 20.0, SPACING)
    assert phase.abs().max() < 1e-5


def test_local_phase_around_a_sphere_is_a_dipole():
    unit = 2 * math.pi * mr.GAMMA_MHZ_PER_TESLA * 3.0 / 3 * 0.020  # Δχ/3 of 1 ppm
    phase = mr.local_phase(sphere(), 3.0, 20.0, SPACING)[0]
    z, y, x = (n // 2 for n in GRID)
    assert phase[z, y, x].abs() < 0.15 * unit, "nothing inside, up to the filter"
    assert phase[z + 4, y, x] > 0.1 * unit, "positive beyond the poles"
    assert phase[z - 4, y, x] > 0.1 * unit
    for dy, dx in ((0, 4), (0, -4), (4, 0), (-4, 0)):
        assert phase[z, y + dy, x + dx] < -0.02 * unit, "negative around the equator"


def test_local_phase_is_linear_in_field_echo_time_and_susceptibility():
    once = mr.local_phase(sphere(), 1.5, 10.0, SPACING)
    for scaled in (
        mr.local_phase(sphere(), 3.0, 10.0, SPACING),
        mr.local_phase(sphere(), 1.5, 20.0, SPACING),
        mr.local_phase(sphere(chi=2.0), 1.5, 10.0, SPACING),
    ):
        torch.testing.assert_close(scaled, 2 * once, rtol=1e-4, atol=1e-5)
