"""MkDocs hook: tables that are generated from the registries and the results of benchmarks when the site is built."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import breastcls

MARKER = "<!-- table of backbones -->"
BENCHMARKS = "<!-- table of benchmarks -->"
SECTIONS = "<!-- table of sections -->"
COVERAGE = "<!-- table of interval coverage -->"
RECIPES = "<!-- table of recipes -->"
RECIPE_RESULTS = "<!-- results of recipes -->"
SPLITS = "<!-- comparison of splits -->"
PROTOCOL = "<!-- breakhis protocol -->"
BASELINE = "<!-- simple baseline, nested -->"
BASELINE_ALL = "<!-- simple baseline, all configurations -->"
TRAINING = "<!-- checks of training -->"
FEW_CASES = "<!-- calibration with few cases -->"
PUBLISHED_SPLITS = "<!-- leakage of published splits -->"
NULL = "<!-- cross-validation of few cases -->"
FEW_COVERAGE = "<!-- coverage with few cases -->"
REPAIR = "<!-- repair of a published split -->"
NEAR_DUPLICATES = "<!-- detection of near duplicates -->"
SERVICE = "<!-- rates of the service -->"
METHOD_COMPARISON = "<!-- comparison of explanation methods -->"
FOUNDATION_MODELS = "<!-- table of foundation models -->"
POOLING = "<!-- pooling over the images of a case -->"
EXPLANATION_METHODS = "<!-- table of explanation methods -->"
ENGINES = "<!-- ratios of engines -->"
HEATMAPS = "<!-- ratios of heat-maps -->"
SIMILAR = "<!-- search of similar images -->"
RESULTS = Path(__file__).resolve().parents[1] / "benchmarks" / "results"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace the markers of a page by their tables."""
    tables = (
        (MARKER, backbone_table),
        (BENCHMARKS, benchmark_table),
        (SECTIONS, section_table),
        (COVERAGE, coverage_table),
        (RECIPES, recipe_table),
        (RECIPE_RESULTS, recipe_results),
        (SPLITS, split_table),
        (PROTOCOL, protocol_table),
        (BASELINE, nested_table),
        (BASELINE_ALL, configuration_table),
        (TRAINING, training_checks),
        (FEW_CASES, few_case_table),
        (PUBLISHED_SPLITS, published_split_table),
        (NULL, null_table),
        (FEW_COVERAGE, few_coverage_table),
        (REPAIR, repair_table),
        (NEAR_DUPLICATES, near_duplicate_table),
        (SERVICE, service_table),
        (POOLING, pooling_table),
        (EXPLANATION_METHODS, explanation_method_table),
        (METHOD_COMPARISON, method_comparison_tables),
        (FOUNDATION_MODELS, foundation_model_table),
        (ENGINES, lambda: ratio_table("engines_predict")),
        (HEATMAPS, lambda: ratio_table("explain")),
        (SIMILAR, similar_table),
    )
    for marker, table in tables:
        if marker in markdown:
            markdown = markdown.replace(marker, table())
    return markdown


def benchmark_table() -> str:
    """Return the ratios in the results of all benchmarks as a Markdown table."""
    lines = ["| benchmark | compared with | speed-up | target |", "|---|---|---|---|"]
    for path in sorted(RESULTS.glob("*.json")):
        lines += _ratios(json.loads(path.read_text(encoding="utf-8")), path.stem.replace("_", " "))
    return "\n".join(lines)


def ratio_table(name: str) -> str:
    """Return the ratios in the rows of a benchmark that compares several pairs of sides in a row."""
    found = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    lines = ["| row | sides | ratio |", "|---|---|---|"]
    for row, result in found.items():
        for sides, value in result.get("ratios", {}).items() if isinstance(result, dict) else ():
            lines.append(f"| {row} | {sides.replace('_', ' ').replace('/', ' / ')} | {value:.2f} |")
    return "\n".join(lines)


def similar_table() -> str:
    """Return time, memory and recall of the search of similar images as a Markdown table."""
    found = json.loads((RESULTS / "similar_images.json").read_text(encoding="utf-8"))
    lines = [
        "| components | search | making the index | 512 queries | one query | memory | recall |",
        "|---|---|---|---|---|---|---|",
    ]
    for row, result in found.items():
        if not row.startswith("components_"):
            continue
        recalls = {"exact": "1", "index": f"{result['recall']:.3f}"}
        for side, name in (("exact", "exact"), ("index", "approximate")):
            parts = result[side]
            peak = max(part["peak_megabytes"] for part in parts.values() if isinstance(part, dict))
            lines.append(
                f"| {row.removeprefix('components_')} | {name} | {parts['build']['processor_seconds']:.1f} s | "
                f"{parts['search']['processor_seconds']:.1f} s | {parts['search_one']['processor_seconds']:.2f} s | "
                f"{peak} MB | {recalls[side]} |"
            )
    return "\n".join(lines)


def section_table() -> str:
    """Return every section of an evaluation as a Markdown table."""
    from breastcls.evaluation import list_sections

    lines = ["| section | content | needs | columns |", "|---|---|---|---|"]
    for section in list_sections():
        needs = " and ".join(need.value for need in section.needs) or "-"
        needs = "attached" if section.compute is None else needs
        columns = ", ".join(f"`{name}`" for name in section.columns) or "-"
        lines.append(f"| `{section.name}` | {section.title}. {section.description} | {needs} | {columns} |")
    return "\n".join(lines)


def service_table() -> str:
    """Return the rates and latencies of the example of a web service as a Markdown table."""
    lines = [
        "| engine | requests at a time | images per second | median (ms) | 99% (ms) | lost |",
        "|---|---|---|---|---|---|",
    ]
    for row in json.loads((RESULTS / "service.json").read_text(encoding="utf-8")).values():
        for way in ("one_after_another", "at_a_time") if "engine" in row else ():
            one = row[way]
            lines.append(
                f"| {row['engine']} | {one['number']} | {one['images_per_second']:.0f} | {one['p50_ms']:.0f} | "
                f"{one['p99_ms']:.0f} | {one['lost']} |"
            )
    return "\n".join(lines)


def null_table() -> str:
    """Return the scores of a cross-validation of few cases beside those with permuted labels as a Markdown table."""
    found = json.loads((RESULTS / "permutation_null.json").read_text(encoding="utf-8"))
    lines = [
        "| ROC AUC | true labels | permuted labels, mean (95%) | p |",
        "|---|---|---|---|",
    ]
    for level, key in (("case", "permutation_test"), ("image", "permutation_test_by_image")):
        table = found[key]["table"]
        for kind, row in zip(table["index"], table["data"], strict=True):
            value, mean, low, high, p = row
            name = f"by {level}, {kind.replace('_', ' ')}"
            lines.append(f"| {name} | {value:.3f} | {mean:.3f} ({low:.3f} to {high:.3f}) | {p:.2g} |")
    components = found["repeated"]["components"]
    row = dict(
        zip(components["columns"], components["data"][components["index"].index(["case", "roc_auc"])], strict=True)
    )
    text = (
        f"Of the pooled ROC AUC by case, the standard deviation is {row['sd_folds']:.3f} between divisions into folds, "
        f"{row['sd_seed']:.3f} between seeds, and {row['sd_cases']:.3f} over resampled cases."
    )
    return "\n".join([*lines, "", text])


def pooling_table() -> str:
    """Return the scores by case of attention, of the mean and of simple baselines as a Markdown table."""
    sets = json.loads((RESULTS / "case_pooling.json").read_text(encoding="utf-8"))["sets"]
    columns = ("ROC AUC by case (95% CI)", "over folds", "ROC AUC minus mean", "balanced accuracy minus mean")
    lines = [f"| images | pooling | {' | '.join(columns)} |", "|---|---|---|---|---|---|"]
    for name, found in sets.items():
        cases = ", ".join(f"{count} {label}" for label, count in found["cases"].items())
        title = f"{name}, {found['images']} images, {cases} cases"
        table = found["poolings"]
        for pooling, values in zip(table["index"], table["data"], strict=True):
            row = dict(zip(table["columns"], values, strict=True))
            cells = [title, pooling, _with_interval(*(row[f"roc_auc{end}"] for end in ("", "_low", "_high")))]
            cells.append(f"{row['roc_auc_folds']:.3f}")
            for metric in ("roc_auc", "balanced_accuracy"):
                against = [row[f"{metric}_difference{end}"] for end in ("", "_low", "_high")]
                cells.append("-" if pooling == "mean" else _with_interval(*against, sign="+"))
            lines.append(f"| {' | '.join(cells)} |")
            title = ""
        for key, label in (("mean of probabilities", "mean of probabilities"), ("colour", "colour-only baseline")):
            lines.append(f"| | {label} | {_with_interval(*found[key]['roc_auc'])} | | | |")
    return "\n".join(lines)


def _with_interval(value: float, low: float, high: float, *, sign: str = "") -> str:
    # Adding zero makes -0.0 a 0.0.
    value, low, high = (round(one, 3) + 0.0 for one in (value, low, high))
    return f"{value:{sign}.3f} ({low:{sign}.3f} to {high:{sign}.3f})"


def few_coverage_table() -> str:
    """Return the coverage of the intervals of `evaluate` with few cases of a class as a Markdown table."""
    few = json.loads((RESULTS / "interval_coverage.json").read_text(encoding="utf-8"))["few_cases"]
    lines = [
        "| classes | cases of each class | level | specificity | recall | balanced accuracy | ROC AUC |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, by_counts in few["found"].items():
        for counts, by_level in by_counts.items():
            for level, figures in by_level.items():
                cells = []
                for figure in ("specificity", "recall", "balanced_accuracy", "roc_auc"):
                    one = figures[figure]
                    given = "not estimable" if not one["given"] else f"{100 * one['held']:.0f}%"
                    cells.append(f"{given} ({100 * one['bootstrap_held']:.0f}%)")
                lines.append(f"| {name} | {counts.removesuffix(' cases')} | {level} | {' | '.join(cells)} |")
    return "\n".join(lines)


def coverage_table() -> str:
    """Return the coverage of the confidence intervals in the simulation as a Markdown table."""
    found = json.loads((RESULTS / "interval_coverage.json").read_text(encoding="utf-8"))["found"]
    names = list(found["one class"]["truth"])
    heads = ["classes of a case", "cases", "resampled units, method", *(name.replace("_", " ") for name in names)]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for design, result in found.items():
        for cases, by_unit in result["cases"].items():
            for unit, by_name in by_unit.items():
                cells = [f"{100 * by_name[name]['held']:.1f}%" if name in by_name else "–" for name in names]
                lines.append(f"| {' | '.join([design, cases, unit, *cells])} |")
    return "\n".join(lines)


def few_case_table() -> str:
    """Return the results of `benchmarks/few_cases.py` for calibration on a dozen cases as a Markdown table."""
    found = json.loads((RESULTS / "few_cases.json").read_text(encoding="utf-8"))["calibration"]
    names = {"right": "calibrated before", "2.5 times too sure": "overconfident before (logits times 2.5)"}
    heads = [f"{names.get(name, name)}: log loss higher in | log loss, ratio to before" for name in found]
    lines = [f"| method | {' | '.join(heads)} |", "|---" * (1 + 2 * len(found)) + "|"]
    for method in next(iter(found.values())):
        cells = [f"{side[method]['much_worse']:.0%} | {side[method]['times']:.2f}" for side in found.values()]
        name = method if " " in method else f"`{method}`"
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def published_split_table() -> str:
    """Return the leakage of every published split, counted on the complete list of BreakHis slides."""
    data = _breakhis_without_files()
    lines = ["| split | test images | of a case in an earlier part | by subtype |", "|---|---|---|---|"]
    for entry in breastcls.datasets.list_published_splits():
        *earlier, test = _split(data, entry.name)
        seen = np.isin(test.cases.astype(str), np.concatenate([part.cases.astype(str) for part in earlier]))
        by_subtype = pd.Series(seen).groupby(test.table["subtype"].to_numpy(dtype=object), sort=False)
        cells = ", ".join(f"{name} {int(of.sum())}/{len(of)}" for name, of in by_subtype)
        lines.append(f"| `{entry.name}` | {len(test)} | {int(seen.sum())} ({seen.mean():.1%}) | {cells} |")
    return "\n".join(lines)


def repair_table() -> str:
    """Return what both repairs of the split of eva cost by subtype."""
    proposals = breastcls.datasets.propose_repairs(*_split(_breakhis_without_files(), "eva"), pixels=False)
    lines = ["| repair | part | subtype | images before | after | cases before | after |", "|---" * 7 + "|"]
    for repair in (proposals.move, proposals.drop):
        for row in repair.cost.itertuples(index=False):
            if row.images_before:
                lines.append(f"| {repair.how}, {repair.images} images | {' | '.join(map(str, row))} |")
    return "\n".join(lines)


def near_duplicate_table() -> str:
    """Return the results of `benchmarks/near_duplicates.py` as a Markdown table."""
    found = json.loads((RESULTS / "near_duplicates.json").read_text(encoding="utf-8"))["sets"]
    lines = [f"| | {' | '.join(found)} |", "|---" * (1 + len(found)) + "|"]
    for key, title in (("pairs_of_different_cases", "pairs of different cases"), ("false_alarms", "false alarms")):
        lines.append(f"| {title} | {' | '.join(f'{result[key]:,}' for result in found.values())} |")
    for change in next(iter(found.values()))["found"]:
        cells = [f"{result['found'][change]:.1%}" if change in result["found"] else "–" for result in found.values()]
        lines.append(f"| found: {change} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _breakhis_without_files() -> breastcls.Dataset:
    """Return all 7,909 images of BreakHis by slide, subtype and magnification; their paths are numbers."""
    slides = breastcls.datasets.list_breakhis_slides()
    parts = [
        slides.loc[slides.index.repeat(slides[f"images_{value}"])].assign(magnification=value)
        for value in (40, 100, 200, 400)
    ]
    table = pd.concat(parts, ignore_index=True)
    table = table.assign(label=table["subtype"], path=table.index.astype(str) + ".png")
    columns = ["path", "label", "case", "slide", "subtype", "magnification"]
    return breastcls.Dataset(table[columns], tuple(slides["subtype"].unique()))


def _split(data: breastcls.Dataset, name: str) -> tuple[breastcls.Dataset, ...]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return breastcls.datasets.split_as_published(data, name)


def nested_table() -> str:
    """Return the nested estimates of `benchmarks/small_cpu.py` as a Markdown table, one row per seed of the folds."""
    found = json.loads((RESULTS / "small_cpu.json").read_text(encoding="utf-8"))["nested"]
    lines = ["| seed of the folds | AUC of the selected configurations | 95% CI |", "|---|---|---|"]
    lines += [f"| {row['seed']} | {row['auc']:.3f} | {row['low']:.3f} to {row['high']:.3f} |" for row in found]
    return "\n".join(lines)


def configuration_table() -> str:
    """Return every configuration of `benchmarks/small_cpu.py` as a Markdown table, the best first."""
    found = json.loads((RESULTS / "small_cpu.json").read_text(encoding="utf-8"))["configurations"]
    seeds = [row["seed"] for row in found[0]["by_case"]]
    head = " | ".join(f"seed {seed}" for seed in seeds)
    lines = [f"| configuration | mean | {head} | inner folds | image-wise |", "|---|---|" + "---|" * (len(seeds) + 2)]
    for row in found:
        cells = " | ".join(f"{one['auc']:.3f} ({one['low']:.2f} to {one['high']:.2f})" for one in row["by_case"])
        inner = "control" if row["mean_inner_auc"] is None else f"{row['mean_inner_auc']:.3f}"
        lines.append(
            f"| {row['configuration']} | {row['mean_auc']:.3f} | {cells} | {inner} | {row['random_split_auc']:.3f} |"
        )
    return "\n".join(lines)


def split_table() -> str:
    """Return the comparison of splits that `benchmarks/compare_splits.py` wrote."""
    return str(json.loads((RESULTS / "compare_splits.json").read_text(encoding="utf-8"))["comparison"]["markdown"])


def protocol_table() -> str:
    """Return the results of the BreakHis protocol that `benchmarks/compare_splits.py` wrote."""
    return str(json.loads((RESULTS / "compare_splits.json").read_text(encoding="utf-8"))["protocol"]["markdown"])


def recipe_table() -> str:
    """Return every published recipe as a Markdown table; loads neither Keras nor TensorFlow."""
    from breastcls.experiments.recipes.published import PUBLISHED

    lines = ["| recipe | method of the project | fractions of the split | reported |", "|---|---|---|---|"]
    lines += [
        f"| `{entry.name}` | {entry.summary} | {entry.split_in_words} | {entry.reported} |" for entry in PUBLISHED
    ]
    return "\n".join(lines)


def recipe_results() -> str:
    """Return the results of `benchmarks/recipes.py` as a Markdown table, and the departures of its runs."""
    found = json.loads((RESULTS / "recipes.json").read_text(encoding="utf-8"))["recipes"]
    heads = (
        "recipe, model",
        "images of",
        "images, cases",
        "reported",
        "accuracy, image-wise split",
        "accuracy, case-wise split",
    )
    heads += ("AUC, image-wise split", "AUC, case-wise split")
    heads += ("colour-only baseline, AUC, image-wise split", "colour-only baseline, AUC, case-wise split")
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    notes = []
    for key, result in found.items():
        # A row is named by its recipe, perhaps another backbone, and its images.
        recipe, data = key.split(", ")
        name = recipe.split(" with ")[0]
        for model in result["models"]:
            reported = ", ".join(f"{key} {value:.4g}" for key, value in model["reported"].items()) or "–"
            splits = [model[split]["metrics"] for split in ("image_split", "case_split")]
            cells = [_interval(metrics[metric]) for metric in ("accuracy", "roc_auc") for metrics in splits]
            cells += [_interval(metrics["colour-only baseline: roc_auc"]) for metrics in splits]
            lines.append(
                f"| `{name}`, {model['model']} | {data} | {model['images']:,}, {model['cases']} | {reported} "
                f"| {' | '.join(cells)} |"
            )
        notes.append(f"- `{name}`{recipe.removeprefix(name)}, {data}: {'; '.join(result['departures'])}.")
    return "\n".join([*lines, "", "Departures of these runs from the recipes:", "", *notes])


def _interval(bounds: list[float | None]) -> str:
    value, low, high = bounds
    if value is None:
        return "not defined"
    return f"{value:.3f}" if low is None else f"{value:.3f} ({low:.3f}–{high:.3f})"


def _ratios(result: dict[str, Any], name: str) -> Iterator[str]:
    what = result.get("what", name)
    if {"ratio", "target", "sides"} <= set(result):
        # The ratio without the waits of Keras is compared with the target; see `keras_clock.py`.
        peer = list(result["sides"])[2 if "ratio_without_waits" in result else 1]
        ratio = f"{result.get('ratio_without_waits', result['ratio']):.2f}"
        if "ratio_without_waits" in result:
            ratio += f" (with waits {result['ratio']:.2f})"
        yield f"| {what} | {peer} | {ratio} | {result['target']:g}, {_verdict(result)} |"
    for key, value in result.items():
        if isinstance(value, dict) and key not in ("sides", "environment"):
            yield from _ratios({"what": f"{key}: {what}", **value} if "what" not in value else value, key)


def _verdict(result: dict[str, Any]) -> str:
    return "met" if result["met"] else "not met"


def training_checks() -> str:
    """Return the measurements of the training benchmarks other than speed-ups as a Markdown table."""
    overhead = json.loads((RESULTS / "training_overhead.json").read_text(encoding="utf-8"))
    frozen = json.loads((RESULTS / "training_frozen.json").read_text(encoding="utf-8"))
    equal = json.loads((RESULTS / "frozen_equals_plain.json").read_text(encoding="utf-8"))
    probe = json.loads((RESULTS / "training_probe.json").read_text(encoding="utf-8"))
    saved, start = overhead["checkpoints"], overhead["start"]
    lines = [
        "| quantity | measured | target |",
        "|---|---|---|",
        f"| increase of the time of an epoch by a checkpoint at its end | {saved['overhead']:.1%} "
        f"| under {saved['most']:.0%}, {_verdict(saved)} |",
        f"| time from the call of `fit` to the end of its first step, minus that of Keras | {start['beyond']:.2f} s "
        f"| under {start['most']:g} s, {_verdict(start)} |",
    ]
    for row in frozen.values():
        if "auc" in row:
            scores = [f"{value:.3f}" for value in row["auc"]["by_image"].values()]
            lines.append(
                f"| AUC after {row['what']}, {row['auc']['folds']} folds over cases | {scores[0]}, Keras {scores[1]} "
                f"| within {row['auc']['most']:g}, {_verdict(row['auc'])} |"
            )
    for row in equal.values():
        if "differences" in row:
            found = row["differences"]["image_auc"]
            between = found["root_mean_square_between_runs_of_one_mode"]
            verdict = "met" if found["zero_in_interval"] else "not met"
            lines.append(
                f"| AUC of training on features minus AUC of training on images, {row['what']} | {found['mean']:+.4f} "
                f"({found['low']:+.4f} to {found['high']:+.4f}); RMS difference of two runs with the same input mode "
                f"{between:.4f} "
                f"| 0 in the confidence interval, {verdict} |"
            )
    for row in probe.values():
        if "auc" in row:
            ours, peer = (row["auc"][side] for side in row["sides"])
            cells = [
                f"{ours[name]:.3f}, Keras {peer[name]:.3f} ({called})"
                for name, called in (("mean_over_folds", "mean over folds"), ("pooled_by_image", "pooled"))
            ]
            widest = max(row["auc"]["pooled_differences"], key=lambda one: abs(one["difference"]))
            cells.append(
                f"the largest pooled difference of {len(row['auc']['pooled_differences'])} seeds of the folds is "
                f"{widest['difference']:+.3f} ({widest['low']:+.3f} to {widest['high']:+.3f} over cases)"
            )
            lines.append(f"| AUC of the {row['what']} | {'; '.join(cells)} | not lower, {_verdict(row['auc'])} |")
    return "\n".join(lines)


def backbone_table() -> str:
    """Return every registered backbone as a Markdown table; loads neither Keras nor TensorFlow."""
    from breastcls.models.backbones.backbone_registry import list_backbones

    lines = [
        "| backbone | size | scaling | options | ImageNet weights | licence of the weights | paper |",
        "|---|---|---|---|---|---|---|",
    ]
    for entry in list_backbones():
        height, width = entry.image_size
        options = ", ".join(f"`{name}`" for name in entry.options) or "–"
        pretrained = "yes" if entry.pretrained is not None else "no"
        lines.append(
            f"| `{entry.name}` | {height}×{width} | {_scaling(entry)} | {options} | {pretrained} | {entry.licence} "
            f"| {_link(entry.paper)} |"
        )
    return "\n".join(lines)


def foundation_model_table() -> str:
    """Return the registered vision transformers as a Markdown table, and what was not verified for each."""
    from breastcls.models.backbones.backbone_registry import list_backbones

    lines = [
        "| backbone | features | size, patch | scaling | pooling | licence | restriction | weights | paper |",
        "|---" * 9 + "|",
    ]
    notes = []
    for entry in list_backbones():
        network = entry.factory
        if not isinstance(network, breastcls.models.VisionTransformer | breastcls.models.SwinTransformer):
            continue
        weights = re.sub(
            r"https://[^/\s]+/(\S*[^\s,;])",
            lambda found: f"[{found[1]}]({found[0]})",
            entry.obtain.partition("; pass")[0],
        )
        lines.append(
            f"| `{entry.name}` | {network.features} | {entry.image_size[0]}, {network.patch_size} | {_scaling(entry)} "
            f"| {entry.pooling} | {entry.licence} | {entry.restriction or '–'} | {weights} | {_link(entry.paper)} |"
        )
        own = entry.unverified.partition("small random networks.")[2].strip()
        notes += [f"- `{entry.name}`: {own}"] if own else []
    return "\n".join([*lines, "", "Notes on single entries:", "", *notes])


def _scaling(entry: Any) -> str:
    return f"`{entry.scaling}`" if isinstance(entry.scaling, str) else entry.scaling_text


def explanation_method_table() -> str:
    """Return every registered explanation method as a Markdown table."""
    from breastcls.explanation.methods.method_registry import METHODS

    lines = ["| name | shows | passes | reference |", "|---|---|---|---|"]
    for entry in METHODS.values():
        lines.append(f"| `{entry.name}` | {entry.shows} | {entry.passes} | {entry.reference} |")
    return "\n".join(lines)


def method_comparison_tables() -> str:
    """Return faithfulness, localisation and the choice of the default as Markdown."""
    target = RESULTS / "explanation_methods.json"
    if not target.exists():
        return "The comparison has not been run on this version."
    found = json.loads(target.read_text(encoding="utf-8"))
    parts = []
    for level in ("200X", "100X"):
        counts, auc = found[level]["counts"], found[level]["auc"]
        parts += [
            f"## Faithfulness at {level}",
            f"{counts['images']} images of {counts['cases']} cases; the AUC of the model on the images of all held-out "
            f"cases is {auc:.3f}.",
            _method_table(found[level]["table"], ("deletion", "insertion", "imputation")),
        ]
    counts = found["localisation"]["counts"]
    parts += [
        "## Localisation of synthetic tumour",
        f"The real images have no masks. {counts['images']} synthetic images of {counts['cases']} cases, and a head "
        "fitted to other synthetic images. The columns are the gains over random maps of the pointing game, of the "
        "overlap with the tumour, and of the share of the evidence inside it.",
        _method_table(found["localisation"]["table"], ("pointing", "iou", "inside")),
        "## Which finer map is better than Grad-CAM",
        "A finer map would become the default only if its confidence interval were above that of Grad-CAM for at least "
        "two of the three measures of faithfulness, at 200X and again at 100X.",
    ]
    above = found["choice"]["measures_above_grad_cam"]
    lines = ["| map | measures above Grad-CAM at 200X | at 100X |", "|---|---|---|"]
    lines += [
        f"| {name} | {counts.get('200X', 0)} of 3 | {counts.get('100X', 0)} of 3 |" for name, counts in above.items()
    ]
    parts += ["\n".join(lines), f"The default is {found['choice']['default']}."]
    return "\n\n".join(parts)


def _method_table(table: dict[str, Any], measures: tuple[str, ...]) -> str:
    rows = pd.DataFrame(table["data"], index=table["index"], columns=table["columns"])
    head = ["method", *(f"{measure}, gain (95% CI)" for measure in measures), "on glass", "s per image"]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for name, row in rows.iterrows():
        cells = [f"`{name}`"]
        for measure in measures:
            gain = f"{measure}_gain_random"
            low, high = row[f"{gain}_low"], row[f"{gain}_high"]
            known = pd.notna(low) and pd.notna(high)
            cells.append(_with_interval(row[gain], low, high, sign="+") if known else f"{row[gain]:+.3f}")
        cells += [f"{row['glass_share']:.2f}", f"{row['seconds']:.2f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _link(paper: str) -> str:
    return f"[paper]({paper})" if paper.startswith("https://") else paper or "–"
