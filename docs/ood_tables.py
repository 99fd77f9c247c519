"""MkDocs hook: tables of out-of-distribution detection, from the result of `benchmarks/out_of_distribution.py`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SCORES = "<!-- out-of-distribution detection on real images -->"
LIMITS = "<!-- limits of out-of-distribution images on real images -->"
RESULT = Path(__file__).resolve().parents[1] / "benchmarks" / "results" / "out_of_distribution.json"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace the markers of a page by their tables."""
    for marker, table in ((SCORES, score_table), (LIMITS, limit_table)):
        if marker in markdown:
            markdown = markdown.replace(marker, table(json.loads(RESULT.read_text(encoding="utf-8"))))
    return markdown


def score_table(found: dict[str, Any]) -> str:
    """Return AUROC and FPR at 95% of each score as a Markdown table."""
    train, test, ood = (
        f"{found[part]['images']} images of {found[part]['cases']}" for part in ("train", "test", "ood")
    )
    lines = [
        f"The head was trained on {train} cases. In-distribution are {test} other cases; out-of-distribution are "
        f"{ood} patients. 95% confidence intervals over cases:",
        "",
        "| score | AUROC | FPR at 95% |",
        "|---|---|---|",
    ]
    for key, suffix in (("scores", ""), ("scores_of_members", " with test-time augmentation")):
        table = found[key]
        for name, values in zip(table["index"], table["data"], strict=True):
            row = dict(zip(table["columns"], values, strict=True))
            cells = [f"{row[m]:.2f} ({row[f'{m}_low']:.2f} to {row[f'{m}_high']:.2f})" for m in ("auroc", "fpr95")]
            lines.append(f"| `{name}`{suffix} | {' | '.join(cells)} |")
    return "\n".join(lines)


def limit_table(found: dict[str, Any]) -> str:
    """Return what the stored limit flags in each split as a Markdown table."""
    kinds = [name for name, value in found["limits"][0].items() if isinstance(value, dict)]
    head = ["validation cases", "test images flagged", *(f"{name}: flagged, AUROC (95% CI)" for name in kinds)]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for row in found["limits"]:
        cells = [str(row["val_cases"]), f"{row['test_flagged']:.0%}"]
        for name in kinds:
            one = row[name]
            interval = f"({one['auroc_low']:.2f} to {one['auroc_high']:.2f})"
            cells.append(f"{one['flagged']:.0%}, {one['auroc']:.2f} {interval}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
