"""What a table of results says: means and spreads, costs, gains, the way recovered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cdseg_teach.evaluation import RATIOS, mean_std
from cdseg_teach.experiments.comparisons import (
    by_subject,
    comparisons,
    interval,
    paired,
    per_subject,
    scale_of,
)

#: The lecture's own table: real scans of trauma patients, mean (std) over subjects in percent.
LECTURE = pd.DataFrame(
    [
        ("Train on S", "15.7 (13.5)", "80.4 (12.3)", "9.5 (9.0)"),
        ("Train on S without GE/SWI", "59.7 (22.1)", "55.7 (22.6)", "69.7 (21.5)"),
        ("adapted (adversarial)", "62.7 (19.8)", "58.9 (21.2)", "71.6 (18.4)"),
    ],
    columns=["method", "DSC", "recall", "precision"],
).set_index("method")
LECTURE_SOURCE = "real scans of Kamnitsas et al. 2017, not simulated"


@dataclass(frozen=True)
class Gain:
    """A paired difference in points, the mean over seeds, and its 95 % `interval`."""

    mean: float
    low: float
    high: float
    seeds: int

    def __str__(self) -> str:
        if np.isnan(self.low):
            return f"{self.mean:+.1f} points (no interval)"
        over = f"{self.seeds} seeds" if self.seeds > 1 else "one seed's subjects"
        ends = f"{self.low:+.1f} to {self.high:+.1f}"
        return f"{self.mean:+.1f} points, 95 % interval {ends} over {over}"


def scores(rows: pd.DataFrame, metric: str = "dsc") -> pd.DataFrame:
    """One line a method, in percent or mm: mean (std) over the subjects of all seeds pooled.

    A subject counts with the mean over its structures. Columns: `T`, `± seeds` (standard deviation
    of the seeds' means on T), and `S`.
    """
    names = rows.method.drop_duplicates()
    on_t, on_s = (
        per_subject(rows, metric, domain).reindex(columns=names) for domain in ("target", "source")
    )
    spread = on_t.groupby("seed").mean().std() if len(on_t) else pd.Series(np.nan, names)
    lines = {
        "T": on_t.apply(mean_std, scale=1),
        "± seeds": spread.map(lambda std: _told(std, "{:.1f}")),
        "S": on_s.apply(mean_std, scale=1),
    }
    return pd.DataFrame(lines, index=names).rename_axis("method")


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """`scores` of DSC, recall and precision on T, and of DSC on S, side by side."""
    dsc, recall, precision = (scores(rows, metric) for metric in RATIOS)
    return pd.DataFrame(
        {
            "DSC": dsc["T"],
            "recall": recall["T"],
            "precision": precision["T"],
            "± seeds": dsc["± seeds"],
            "DSC on S": dsc["S"],
        }
    )


def by_structure(rows: pd.DataFrame, metric: str = "dsc", domain: str = "target") -> pd.DataFrame:
    """A line a method and a column a structure: mean (std) over the subjects of all seeds."""
    chosen = rows[rows.domain == domain]
    cells = chosen.groupby(["method", "structure"], sort=False)[metric]
    return cells.agg(mean_std, scale=scale_of(metric)).unstack("structure")


def costs(methods: pd.DataFrame) -> pd.DataFrame:
    """What each method was allowed to see and what it took, from methods.csv: means over seeds.

    Columns: `sees`; `steps` of its own phase, which at test time is each subject's; `seconds` in
    all, with the network it begins with and the adaptation to all test subjects; `weights` that it
    changed; `A-dist.` (0..2: the domains
    cannot, or can, be told apart from its features; none for test-time methods, which have other
    features for each subject); `ECE` and `ECE near`, calibration errors in percent, everywhere and
    within 10 mm of the truth.
    """
    each = methods.groupby("method", sort=False)
    numbers = each[[*_COSTS]].mean()
    columns = {
        title: (numbers[name] * scale).map(lambda number, form=form: _told(number, form))
        for name, (title, scale, form) in _COSTS.items()
    }
    return pd.DataFrame({"sees": each["sees"].first(), **columns})


_COSTS = {
    "steps": ("steps", 1, "{:.0f}"),
    "seconds": ("seconds", 1, "{:.0f}"),
    "parameters_changed": ("weights", 1, "{:,.0f}"),
    "a_distance": ("A-dist.", 1, "{:.2f}"),
    "ece": ("ECE", 100, "{:.1f}"),
    "ece_near": ("ECE near", 100, "{:.1f}"),
}


def gains(rows: pd.DataFrame, metric: str = "dsc") -> pd.DataFrame:
    """`comparisons` on T as text: difference in points (or mm), interval, seeds, Holm's p.

    No p is told where none can be significant (`out_of_reach`).

    Where pairs are lost because the metric is `undefined`, a last column says how many.
    """
    table = comparisons(rows, metric)
    lines = {
        "control": table.control,
        "difference": table.difference.map("{:+.1f}".format),
        "95 % interval": [
            "-" if np.isnan(low) else f"{low:+.1f} to {high:+.1f}"
            for low, high in zip(table.low, table.high, strict=True)
        ],
        "better on": [
            f"{better} of {n}" for better, n in zip(table.better, table.seeds, strict=True)
        ],
        "p (Holm)": [
            "too few" if out_of_reach(people, len(table)) else _told_p(p)
            for p, people in zip(table.holm, table.people, strict=True)
        ],
    }
    if table.undefined.any():
        lines["undefined"] = table.undefined.map("{:.0f}".format).replace("0", "-")
    return pd.DataFrame(lines, index=table.index)


def _told_p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def out_of_reach(people: int, compared: int) -> bool:
    """Whether not even the smallest p can be called significant."""
    return smallest_p(people, compared) >= 0.05


def smallest_p(people: int, compared: int) -> float:
    """The least that a signed-rank test of so many can give, corrected by Holm: m 2 / 2**n."""
    return min(1.0, compared * 2 / 2**people)


def per_seed(
    rows: pd.DataFrame, method: str, metric: str = "dsc", domain: str = "target"
) -> pd.Series:
    """Mean of a metric over subjects and structures, in percent or mm, by seed."""
    chosen = rows[(rows.method == method) & (rows.domain == domain)]
    return chosen.groupby("seed")[metric].mean() * scale_of(metric)


def along(
    rows: pd.DataFrame, x: str, by: str = "method", metric: str = "dsc"
) -> dict[str, tuple[list[float], np.ndarray]]:
    """A metric over shift or alpha, as `plots.curves` takes it: name -> (x, runs [seeds, x]).

    Means over the subjects of each seed, in percent or mm.

    Parameters
    ----------
    rows
        Of one domain, unless `by` is "domain".
    x
        "shift" or "alpha".
    by
        The column whose values have a curve each.
    metric
        As in results.csv.
    """
    means = rows.groupby([by, x, "seed"])[metric].mean().unstack("seed") * scale_of(metric)
    return {
        str(name): ([float(at) for at in runs.index.get_level_values(x)], runs.to_numpy().T)
        for name, runs in means.groupby(level=by)
    }


def paired_gain(
    rows: pd.DataFrame,
    better: str = "adversarial",
    worse: str = "source_longer",
    domain: str = "target",
) -> Gain:
    """By how much the DSC of one method is above another's, as in `comparisons`."""
    return _gain(paired(rows, better, worse, domain=domain))


def gain_over_alpha_0(rows: pd.DataFrame, alpha: float) -> Gain:
    """Gain in DSC on T of one alpha of a sweep over its alpha 0: the same run, no game."""
    runs = rows[rows.method == "adversarial"]
    named = runs.assign(method=runs.alpha.map("{:g}".format))
    return _gain(paired(named, f"{alpha:g}", "0"))


def recovered(rows: pd.DataFrame, method: str = "adversarial") -> float:
    """Share of the way from Train on S to Train on T: (method - source) / (oracle - source).

    Of mean DSC on T, over the seeds that have all three; NaN where there is no way to go.
    """
    each = pd.concat([per_seed(rows, name) for name in (method, "source", "oracle")], axis=1)
    reached, floor, ceiling = each.dropna().mean()
    return float((reached - floor) / (ceiling - floor)) if ceiling > floor else float("nan")


def report(rows: pd.DataFrame, methods: pd.DataFrame | None = None) -> str:
    """The tables as text: scores, structures, costs, gains; the lecture's own table below them.

    Parameters
    ----------
    rows, methods
        Of results.csv, and of methods.csv for what each method saw and took.
    """
    table = summary(rows)
    parts = ["Mean (std) over test subjects of all seeds, in percent (T = target, S = source):"]
    if {"source", "oracle"} <= set(table.index):
        shares = {name: recovered(rows, name) for name in table.index.drop(["source", "oracle"])}
        told = pd.Series(shares, dtype=float).map(lambda share: _told(100 * share, "{:.0f} %"))
        table["recovered"] = told
        parts.append("(recovered: of the way from source to oracle, in DSC on T)")
    parts.append(table.fillna("-").to_string())
    if rows.structure.nunique() > 1:
        parts += ["\nDSC on T by structure:", by_structure(rows).to_string()]
    if methods is not None:
        parts += [
            "\nWhat each was allowed to see and what it took, mean over seeds (weights: changed;"
            "\nECE: calibration error in percent, everywhere and near the truth):",
            costs(methods).to_string(),
        ]
    compared = gains(rows)
    if len(compared):
        drawn = "seeds and their subjects" if rows.seed.nunique() > 1 else "one seed's subjects"
        parts += [
            f"\nDSC on T against the control, in points (interval: bootstrap over {drawn};"
            "\np: Wilcoxon over subjects, trainings as they are):",
            compared.to_string(),
        ]
        people = rows[rows.domain == "target"].subject.nunique()
        if out_of_reach(people, len(compared)):
            parts.append(
                f"\nToo few for a test of significance: with {people} tested on T and "
                f"{len(compared)} compared, Holm's p is {smallest_p(people, len(compared)):.2f} "
                "at least."
            )
    if set(rows.task) == {"brain"}:
        parts += [
            f"\nFor comparison, the lecture's own table ({LECTURE_SOURCE}), on T:",
            LECTURE.to_string(),
        ]
    return "\n".join(parts)


def sweep_report(rows: pd.DataFrame) -> str:
    """DSC over alpha as text: mean over seeds, and its spread."""
    each = rows.groupby(["alpha", "domain", "seed"])["dsc"].mean().unstack("domain")
    lines = each.groupby("alpha").agg(mean_std)
    lines.columns = [f"DSC on {'S' if name == 'source' else 'T'}" for name in lines.columns]
    parts = ["Mean (std) over seeds, in percent:", lines.to_string()]
    alphas = sorted(set(rows.alpha))
    if 0 in alphas:
        parts += [f"alpha {x:g} - alpha 0, on T: {gain_over_alpha_0(rows, x)}" for x in alphas if x]
    return "\n".join(parts)


def _told(number: float, form: str) -> str:
    """A number in a form such as "{:.1f}", or a dash where there is none."""
    return "-" if np.isnan(number) else form.format(number)


def _gain(difference: pd.Series) -> Gain:
    """The gain that differences by seed, subject and structure amount to."""
    subjects = by_subject(difference)
    means = subjects.groupby("seed").mean()
    return Gain(float(means.mean()), *interval(subjects), len(means))
