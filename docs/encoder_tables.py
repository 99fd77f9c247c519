"""MkDocs hook: the tables of encoders, generated from the results of benchmarks when the site is built."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

ENCODERS = "<!-- table of encoders -->"
FINDINGS = "<!-- findings on encoders -->"
SMALL_CPU = "<!-- small-cpu judged again -->"
RESULTS = Path(__file__).resolve().parents[1] / "benchmarks" / "results"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace the markers of a page by their tables."""
    for marker, table in ((ENCODERS, encoder_tables), (FINDINGS, encoder_findings), (SMALL_CPU, small_cpu_table)):
        if marker in markdown:
            markdown = markdown.replace(marker, table())
    return markdown


def encoder_tables() -> str:
    """Return the results of `benchmarks/encoders.py` as one Markdown table per set of images."""
    lines = []
    for name, found in _encoder_sets().items():
        [counts] = found["probe"]["counts"].values()
        settings = found["probe"]["settings"]
        level = next(iter(settings["levels"].values()))
        lines += [
            f"**{name}**: {counts['images']:,} images of {counts['cases']} cases, scored by {level}, p from "
            f"{settings['permutations']} permutations",
            "",
            "| encoder | probe | ROC AUC (95% CI) | mean over folds | balanced accuracy "
            "| minus colour-only baseline (95% CI) | p pooled | p over folds |",
            "|---" * 8 + "|",
        ]
        for row in _encoder_rows(found):
            p = [f"{row[key]:.2g}" if row.get(key) is not None else "–" for key in ("p", "p_mean_over_folds")]
            change = "–" if row["difference"] is None else _estimate(row, "difference", "+.3f")
            cells = [
                row["encoder"], row["probe"], _estimate(row, "roc_auc", ".3f"),
                f"{row['roc_auc_mean_over_folds']:.3f}", _estimate(row, "balanced_accuracy", ".3f"), change, *p,
            ]  # fmt: skip
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


def encoder_findings() -> str:
    """Return sentences on which encoders are better than the colour-only baseline, and than permuted labels."""
    lines = []
    for name, found in _encoder_sets().items():
        rows = [row for row in _encoder_rows(found) if row["difference"] is not None]
        better = [row for row in rows if (row["difference_low"] or 0) > 1e-9]
        worse = [row for row in rows if (row["difference_high"] or 0) < -1e-9]
        sure = [row for row in rows if row.get("p") is not None and row["p"] < 0.05]
        tested = sum(row.get("p") is not None for row in rows)
        named = _names(better) or "none"
        text = f"- **{name}**: better than the colour-only baseline (the CI of the difference excludes 0): {named}"
        text += f" of {len(rows)} rows." if not better else "."
        if worse:
            text += f" Worse: {_names(worse)}."
        lines.append(
            f"{text} The pooled score is better than permuted labels (p < 0.05) in {len(sure)} of {tested} rows."
        )
    return "\n".join(lines)


def _names(rows: list[dict[str, Any]]) -> str:
    return ", ".join(f"{row['encoder']} ({row['probe']})" for row in rows)


def _encoder_sets() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / "encoders.json").read_text(encoding="utf-8"))["sets"]
    return found


def _encoder_rows(found: dict[str, Any]) -> list[dict[str, Any]]:
    table = found["probe"]["table"]
    rows = [
        {"encoder": key[0], "probe": key[1], **dict(zip(table["columns"], cells, strict=True))}
        for key, cells in zip(table["index"], table["data"], strict=True)
    ]
    others = [
        {key: None if isinstance(value, float) and np.isnan(value) else value for key, value in row.items()}
        for row in found["others"]
    ]
    return [*rows, *others]


def _estimate(row: dict[str, Any], name: str, form: str) -> str:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    bounds = "not estimable" if low is None or low != low else f"{low:{form}} to {high:{form}}"
    return f"{row[name]:{form}} ({bounds})"


def small_cpu_table() -> str:
    """Return the results of `benchmarks/small_cpu_again.py` as Markdown."""
    found = json.loads((RESULTS / "small_cpu_again.json").read_text(encoding="utf-8"))
    lines = [
        "| seed of the folds | images | shipped | chosen within the training cases (95% CI) | difference (95% CI) |",
        "|---" * 5 + "|",
    ]
    for run in found["runs"]:
        for of in [name for name in run if name not in ("seed", "chosen")]:
            row = run[of]
            lines.append(
                f"| {run['seed']} | {of} | {row['shipped']:.3f} | {_estimate(row, 'nested', '.3f')} "
                f"| {_estimate(row, 'difference', '+.3f')} |"
            )
    chosen = ", ".join(f"{name} ({count})" for name, count in found["chosen"].items())
    verdict = (
        "The choice over both magnifications is better in every comparison."
        if found["nested_choice_is_better"]
        else "The recipe is therefore kept: the CI of the difference excludes 0 in favour of the choice in "
        f"{found['nested_choice_is_better_in']}, and against it in {found['nested_choice_is_worse_in']}."
    )
    fixed = [
        "",
        "Each configuration by itself, AUC by case of each seed:",
        "",
        "| configuration | 100X | 200X |",
        "|---|---|---|",
    ]
    for name, by_set in found["configurations"].items():
        fixed.append(
            f"| {name} | {' | '.join(', '.join(f'{one:.3f}' for one in by_seed) for by_seed in by_set.values())} |"
        )
    return "\n".join([*lines, "", f"{verdict} In the outer folds were chosen: {chosen}.", *fixed])
