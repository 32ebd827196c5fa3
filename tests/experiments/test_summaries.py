"""Means, spreads and intervals against numbers that were worked out by hand."""

import math
import re

import numpy as np
import pandas as pd
import pytest
import results

from cdseg_teach.experiments.comparisons import comparisons
from cdseg_teach.experiments.literature import LITERATURE, LITERATURE_NOTE
from cdseg_teach.experiments.summaries import (
    LECTURE,
    along,
    by_structure,
    costs,
    gain_over_alpha_0,
    gains,
    paired_gain,
    per_seed,
    recovered,
    report,
    scores,
    summary,
    sweep_report,
)

DSC = {
    "source": (0.2, 0.4),
    "source_longer": (0.3, 0.3),
    "adversarial": (0.5, 0.7),
    "oracle": (0.8, 0.8),
}


def rows_of(dsc=DSC):
    rows = [
        {"task": "brain", "method": method, "seed": seed, "alpha": 1.0, "domain": domain}
        | {"subject": name, "structure": "lesion", "dsc": value + shift, "recall": value}
        | {"precision": value, "hd95_mm": 1.0, "assd_mm": 1.0, "seconds": 1.0}
        for method, values in dsc.items()
        for seed, value in enumerate(values)
        for domain in ("source", "target")
        for name, shift in (("a", -0.1), ("b", 0.1))
    ]
    return pd.DataFrame(rows)


def test_per_seed_is_in_percent_or_mm():
    assert list(per_seed(rows_of(), "adversarial")) == pytest.approx([50, 70])
    far = rows_of().assign(hd95_mm=22.5)
    assert list(per_seed(far, "adversarial", "hd95_mm")) == [22.5, 22.5]


def test_summary_pools_subjects_and_spreads_over_seeds():
    line = summary(rows_of()).loc["source"]
    assert line["recall"] == "30.0 (11.5)"
    assert line["± seeds"] == "14.1"
    assert list(summary(rows_of()).index) == list(DSC)


def test_the_spread_is_over_subjects_not_over_structures():
    dsc = {"source": [[[0.2, 0.4], [0.4, 0.6]]]}
    hearts = results.rows_of(dsc, ("LV", "RV"), task="heart")
    assert summary(hearts).loc["source", "DSC"] == "40.0 (14.1)"
    assert summary(hearts).loc["source", "± seeds"] == "-"
    assert list(by_structure(hearts).loc["source"]) == ["30.0 (14.1)", "50.0 (14.1)"]
    assert list(by_structure(hearts, "hd95_mm").loc["source"]) == ["7.0 (1.4)", "5.0 (1.4)"]
    assert list(scores(hearts, "hd95_mm").loc["source"]) == ["6.0 (1.4)", "-", "6.0 (1.4)"]


def test_what_has_no_number_is_a_dash():
    rows = rows_of({"batch_statistics": (0.5, 0.7)})
    methods = results.methods_of(rows).assign(a_distance=np.nan)
    line = costs(methods).loc["batch_statistics"]
    assert list(line[["A-dist.", "ECE", "ECE near"]]) == ["-", "5.0", "10.0"]
    assert list(line[["sees", "steps", "weights"]]) == ["source data", "500", "121,160"]


def test_gains_in_words():
    line = gains(results.rows_of({"source": [[0.2] * 6], "gin": [[0.4] * 6]})).loc["gin"]
    assert list(line) == ["source", "+20.0", "+20.0 to +20.0", "1 of 1", "0.031"]
    many = results.rows_of({"source": [[0.2] * 20], "gin": [[0.4] * 20]})
    assert gains(many).loc["gin", "p (Holm)"] == "< 0.001"


def test_a_curve_has_a_line_a_seed_and_a_point_for_each_x():
    parts = [
        results.rows_of({"source": [[x, x], [x, 0.0]]}).assign(shift=x) for x in (1.0, 0.0, 0.5)
    ]
    rows = pd.concat(parts)
    shifts, runs = along(rows[rows.domain == "target"], "shift")["source"]
    assert shifts == [0.0, 0.5, 1.0]
    np.testing.assert_allclose(runs, [[0, 50, 100], [0, 25, 50]])
    both = along(rows, "shift", by="domain", metric="assd_mm")
    assert list(both) == ["source", "target"]
    np.testing.assert_allclose(both["target"][1], [[1, 0.5, 0], [1, 0.75, 0.5]])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("subjects", [1, 3])
def test_the_report_is_readable_whatever_there_is(subjects):
    values = np.linspace(0.1, 0.9, subjects)[None, :, None] * np.ones(7)
    names = ("LV", "RV", "LA", "RA", "MYO", "AO", "PA")
    rows = results.rows_of(dict.fromkeys(DSC, values), names, task="heart")
    text = report(rows, results.methods_of(rows))
    assert max(map(len, text.splitlines())) <= 120
    assert "nan" not in text.lower()
    assert "DSC on T by structure" in text
    assert "one seed's subjects" in text
    assert "nan" not in report(rows[rows.domain == "target"]).lower()


def test_the_literature_stands_apart_with_its_sources():
    assert "not computed here" in LITERATURE_NOTE
    assert LITERATURE.source.map(
        lambda source: bool(re.search(r" 20\d\d, .*\d{4}\.", source))
    ).all()
    assert not LITERATURE.isna().any(axis=None)
    assert not set(LITERATURE.columns) & set(summary(rows_of()).columns)


def test_a_gain_is_the_one_of_the_table():
    rng = np.random.default_rng(0)
    values = {name: rng.uniform(size=(3, 6, 2)) for name in ("source_longer", "adversarial")}
    rows = results.rows_of(values, ("LV", "RV"), task="heart")
    gain, line = paired_gain(rows), comparisons(rows).loc["adversarial"]
    assert (gain.mean, gain.low, gain.high, gain.seeds) == tuple(
        line[["difference", "low", "high", "seeds"]]
    )
    told = gains(rows).loc["adversarial", "95 % interval"]
    assert str(gain).endswith(f"points, 95 % interval {told} over 3 seeds")


def test_one_seed_has_the_interval_of_its_subjects():
    one = paired_gain(rows_of().query("seed == 0"))
    assert str(one) == "+20.0 points, 95 % interval +20.0 to +20.0 over one seed's subjects"
    alone = paired_gain(rows_of().query("seed == 0 and subject == 'a'"))
    assert math.isnan(alone.low)
    assert str(alone) == "+20.0 points (no interval)"


def test_recovered_is_the_share_of_the_way():
    assert recovered(rows_of()) == pytest.approx((60 - 30) / (80 - 30))


def test_no_way_to_go_is_undefined():
    assert math.isnan(recovered(rows_of(DSC | {"oracle": (0.1, 0.1)})))


def test_the_report_says_what_each_method_recovers():
    dsc = {"source": (0.2, 0.6), "gin": (0.4, 0.6), "oracle": (0.6, 1.0)}  # LV, RV
    rows = results.rows_of({name: [[pair] * 3] for name, pair in dsc.items()}, ("LV", "RV"))
    lines = report(rows).splitlines()
    said = {name: next(line for line in lines if line.startswith(name)) for name in dsc}
    assert [line.split()[-1] for line in said.values()] == ["-", "%", "-"]
    assert said["gin"].endswith(" 25 %")
    assert "recovered" not in report(rows[rows.method != "oracle"])


def test_the_lectures_table_stands_beside_ours_and_is_marked():
    text = report(rows_of())
    assert "real scans of Kamnitsas et al. 2017, not simulated" in text
    assert "15.7 (13.5)" in text
    assert "62.7 (19.8)" in text
    assert list(LECTURE.columns) == ["DSC", "recall", "precision"]


def test_a_table_of_one_method_has_no_gain():
    rows = rows_of()
    assert "source_longer" not in report(rows[rows.method == "oracle"])


def test_sweep_report_has_a_line_an_alpha():
    rows = rows_of({"adversarial": (0.5, 0.7)})
    text = sweep_report(pd.concat([rows, rows.assign(alpha=3.0)]))
    assert text.count("60.0 (14.1)") == 4


def test_gain_over_alpha_0_is_paired_by_seed():
    played, idle = rows_of({"adversarial": (0.5, 0.7)}), rows_of({"adversarial": (0.4, 0.5)})
    sweep = pd.concat([idle.assign(alpha=0.0), played])
    assert gain_over_alpha_0(sweep, 1.0).mean == pytest.approx(15)
    assert "alpha 1 - alpha 0, on T: +15.0 points" in sweep_report(sweep)
