"""What a table of results says: means and spreads, the paired gain, the way recovered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from cdseg_teach.evaluation import RATIOS, mean_std

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
    """A paired difference in points: its mean over seeds, and the 95 % interval of that mean."""

    mean: float
    low: float
    high: float
    seeds: int

    def __str__(self) -> str:
        if self.seeds < 2:
            return f"{self.mean:+.1f} points (one seed: no interval)"
        interval = f"{self.low:+.1f} to {self.high:+.1f}"
        return f"{self.mean:+.1f} points, 95 % interval {interval} over {self.seeds} seeds"


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """One line a method, in percent: mean (std) over the subjects of all seeds pooled.

    Columns: DSC, recall and precision on T, `± seeds` (standard deviation of the seeds' mean DSC),
    and DSC on S.
    """
    target, source = rows[rows.domain == "target"], rows[rows.domain == "source"]
    names = rows.method.drop_duplicates()
    lines = {
        name: _line(target[target.method == name], source[source.method == name]) for name in names
    }
    return pd.DataFrame.from_dict(lines, orient="index").rename_axis("method")


def per_seed(
    rows: pd.DataFrame, method: str, metric: str = "dsc", domain: str = "target"
) -> pd.Series:
    """Mean of a metric over subjects and structures, in percent, by seed."""
    chosen = rows[(rows.method == method) & (rows.domain == domain)]
    return chosen.groupby("seed")[metric].mean() * 100


def paired_gain(
    rows: pd.DataFrame,
    better: str = "adversarial",
    worse: str = "source_longer",
    metric: str = "dsc",
    domain: str = "target",
) -> Gain:
    """Mean over seeds of the difference between two methods, with Student's t interval.

    mean +- t(0.975, n - 1) s / sqrt(n), over the n seeds that have both.
    """
    return _gain(per_seed(rows, better, metric, domain) - per_seed(rows, worse, metric, domain))


def gain_over_alpha_0(rows: pd.DataFrame, alpha: float) -> Gain:
    """Paired gain in DSC on T of one alpha of a sweep over its alpha 0: the same run, no game."""
    played, idle = rows[rows.alpha == alpha], rows[rows.alpha == 0]
    return _gain(per_seed(played, "adversarial") - per_seed(idle, "adversarial"))


def recovered(rows: pd.DataFrame, method: str = "adversarial") -> float:
    """Share of the way from Train on S to Train on T: (method - source) / (oracle - source).

    Of mean DSC on T, over the seeds that have all three; NaN where there is no way to go.
    """
    each = pd.concat([per_seed(rows, name) for name in (method, "source", "oracle")], axis=1)
    reached, floor, ceiling = each.dropna().mean()
    return float((reached - floor) / (ceiling - floor)) if ceiling > floor else float("nan")


def report(rows: pd.DataFrame) -> str:
    """The summary as text, the lecture's own table beside it."""
    parts = [
        "Mean (std) over test subjects of all seeds, in percent (T = target, S = source):",
        summary(rows).to_string(),
    ]
    if {"adversarial", "source_longer"} <= set(rows.method):
        parts.append(f"\nadversarial - source_longer, DSC on T: {paired_gain(rows)}")
    if {"adversarial", "source", "oracle"} <= set(rows.method):
        share = recovered(rows)
        told = "there is none" if np.isnan(share) else f"{100 * share:.0f} %"
        parts.append(f"way from source to oracle that adversarial recovers: {told}")
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


def _gain(difference: pd.Series) -> Gain:
    """Mean of the seeds that have both, with Student's t interval."""
    difference = difference.dropna()
    n = len(difference)
    mean = float(difference.mean()) if n else float("nan")
    if n < 2:
        return Gain(mean, float("nan"), float("nan"), n)
    half = float(stdtrit(n - 1, 0.975) * difference.std() / np.sqrt(n))
    return Gain(mean, mean - half, mean + half, n)


def _line(target: pd.DataFrame, source: pd.DataFrame) -> dict[str, str]:
    spread = target.groupby("seed")["dsc"].mean().std() * 100
    names = dict(zip(RATIOS, ("DSC", "recall", "precision"), strict=True))
    return {
        **{name: mean_std(target[metric]) for metric, name in names.items()},
        "± seeds": "-" if np.isnan(spread) else f"{spread:.1f}",
        "DSC on S": mean_std(source["dsc"]),
    }
