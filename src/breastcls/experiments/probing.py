"""`probe`: exact probes on the vectors of one or several encoders, cross-validated over cases."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from breastcls.datasets.dataset import Dataset
from breastcls.datasets.image_rows import Unit
from breastcls.environment import describe_environment
from breastcls.errors import LeakageWarning
from breastcls.experiments.class_mean_head import ClassMeanHead
from breastcls.experiments.few_shot import few_shot_splits, most_cases, score_few_shot
from breastcls.experiments.fold_plan import FoldPlan
from breastcls.experiments.fold_scores import FoldScorer
from breastcls.experiments.label_permutation import NULLS, Permute, count_permutations, permute_labels
from breastcls.experiments.logistic_head import LogisticHead
from breastcls.experiments.neighbour_head import NeighbourHead
from breastcls.experiments.permutation_result import PermutationTest
from breastcls.experiments.probe_arguments import HEADS, check_probe_data, check_probe_numbers
from breastcls.experiments.probe_folds import LabelledFolds, divide_again, score_in_batches
from breastcls.experiments.probe_limitations import assumed_penalty_notes, few_shot_notes, find_probe_limitations
from breastcls.experiments.probe_result import ProbeResult
from breastcls.experiments.probe_scores import score_rows, summarise_rows
from breastcls.experiments.probe_splits import ProbeHead, predict_out_of_fold
from breastcls.experiments.probed_images import ProbedImages, gather_images
from breastcls.features.nearest_neighbours import Distance
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.limitations import few_cases
from breastcls.intervals.paired_scores import check_metrics
from breastcls.intervals.score_tables import count_units
from breastcls.predictions.aggregation import Aggregation, Level
from breastcls.predictions.dataset_predictions import predictions_of
from breastcls.predictions.predictions import Predictions
from breastcls.training.class_weights import ClassWeight

DEFAULT_METRICS = ("roc_auc", "balanced_accuracy")


def probe(
    data: Dataset | Mapping[str, Dataset],
    *,
    heads: Sequence[str] = HEADS,
    metrics: Sequence[str] = DEFAULT_METRICS,
    aggregation: Aggregation | Level | None = None,
    folds: int = 5,
    by: Unit = "case",
    class_weight: ClassWeight = "balanced",
    neighbours: int = 20,
    distance: Distance = "cosine",
    few_shot: Sequence[int] = (),
    draws: int = 20,
    baselines: Sequence[str] | None = None,
    permutations: int = 0,
    permute: Permute | None = None,
    seed: int = 0,
    bootstrap: Bootstrap | None = None,
    workers: int | None = None,
) -> ProbeResult:
    """Evaluate encoders by probes on their vectors: each image is predicted once, by a probe not trained on its case.

    There is nothing to tune. "logistic" is an exact logistic regression on standardised vectors, its penalty chosen
    by inner folds over the training cases (see `breastcls.features.fit_linear_probe`). "knn" is the share of each class
    among the nearest training images. "nearest-mean" is the nearest class mean of centred vectors of length 1
    (SimpleShot, Wang et al. 2019, arXiv 1911.04623). The values of the last two rank images and are not calibrated.

    Args:
        data: Images with vectors, as `breastcls.features.extract_features` and `load_embeddings` return them; or
            several by the name of their encoder. Encoders of the same images get the same folds, and one baseline.
        heads: Some of "logistic", "knn" and "nearest-mean".
        metrics: Names of metrics, as in `Evaluation.metrics`; the first is the one that is compared with the baseline,
            tested and drawn.
        aggregation: Score by "image", "slide" or "case"; default: by case, or by image where most cases hold several
            classes.
        folds: Number of folds.
        by: Unit that is kept whole, as in `cross_validate`.
        class_weight: Class weights of the logistic regression, as in `fit`.
        neighbours: Number of neighbours k of "knn"; fewer where a training part has fewer images.
        distance: Of the neighbours, "cosine" or "euclidean".
        few_shot: Numbers of training cases per class, such as (1, 2, 5): so many *cases* of each class are drawn, and
            all other cases are tested.
        draws: How often they are drawn.
        baselines: Baselines on the same folds, see `breastcls.baselines.list_baselines`; None for "colour" where the
            images are at their paths.
        permutations: Number of permutations of the labels of cases for p-values, such as 200; 0 for none. See
            `breastcls.experiments.permutation_test`.
        permute: "cases" or "within-cases", as in `permutation_test`.
        seed: Of folds, draws and permutations.
        bootstrap: How confidence intervals are computed; default: `Bootstrap(seed=seed)`.
        workers: Number of threads for the permutations; default: one per processor. The result does not depend on it.

    Returns:
        One table with a row per encoder and probe; print or plot it.

    Raises:
        TrainingError: If an argument is not valid, data has no vectors, or labels cannot be permuted so.
        DatasetError: If `data` is not a `Dataset`, or has no labels or cases.
        SplitError: If a class has fewer cases than there are folds.
        LeakageError: If the folds share files, pixels or vectors.
        EvaluationError: If a metric or `distance` is not known.

    Example:
        >>> encoded = bc.features.extract_features("mobilenetv2", data)  # doctest: +SKIP
        >>> result = bc.experiments.probe({"MobileNetV2": encoded}, permutations=200)  # doctest: +SKIP
        >>> print(result)  # doctest: +SKIP
    """
    named = check_probe_data(data, baselines or ("colour",))
    check_probe_numbers(heads, neighbours, few_shot, draws, permutations)
    wanted = check_metrics(metrics)
    bootstrap = bootstrap or Bootstrap(seed=seed)
    plan = FoldPlan(folds, by, seed)
    with warnings.catch_warnings():
        if plan.divides_cases:
            # The result states it.
            warnings.simplefilter("ignore", LeakageWarning)
        sets = gather_images(named, plan, baselines=baselines, permute=permute, aggregation=aggregation)
    rows: list[dict[str, Any]] = []
    curves: dict[tuple[str, str, int], dict[str, float]] = {}
    predictions: dict[tuple[str, str], Predictions] = {}
    tests: dict[tuple[str, str], PermutationTest] = {}
    notes: list[str] = []
    seconds: dict[str, float] = {}
    counts: dict[str, Any] = {}
    for images in sets:
        notes += images.notes
        predicted: dict[tuple[str, str], Predictions] = {}
        drawn = _draw(images, permutations, folds, by, seed)
        for name in images.names:
            began = time.perf_counter()
            vectors = named[name].vectors
            for head in _heads(heads, vectors, images.data, class_weight, neighbours, distance, seed):
                [found] = predict_out_of_fold(head, [images.data.labels], [images.parts])
                predicted[name, head.title] = predictions_of(images.data, found, part="out-of-fold")
                if drawn:
                    tests[name, head.title] = _test(head, images, found, drawn, wanted[0], plan, workers)
                for count in few_shot:
                    if count <= most_cases(images.data):
                        splits = few_shot_splits(images.data, count, draws, seed)
                        notes += few_shot_notes(head, splits, count)
                        curves[name, head.title, count] = score_few_shot(
                            head, images.data, splits, wanted, images.aggregation, bootstrap
                        )
            seconds[name] = time.perf_counter() - began
        fewest = len(images.data) - int(np.bincount(images.parts).max())
        if "logistic" in heads:
            notes += assumed_penalty_notes(images)
        if "knn" in heads and fewest < neighbours:
            notes.append(f"A training part has {fewest} images, fewer than {neighbours}: all of them are neighbours.")
        too_many = [count for count in few_shot if count > most_cases(images.data)]
        if too_many:
            notes.append(
                f"Few-shot curves of {', '.join(images.names)} leave out {', '.join(map(str, too_many))} cases per "
                f"class: with more than {most_cases(images.data)} no case of a class remains to be tested."
            )
        rows += score_rows(predicted, images, wanted, bootstrap, labelled=len(sets) > 1)
        predictions |= predicted
        counts[images.names[0]] = count_units(next(iter(predicted.values())))
    for row in rows:
        test = tests.get((row["encoder"], row["probe"]))
        if permutations:
            values = {} if test is None else test.table["p"].to_dict()
            row["p"], row["p_mean_over_folds"] = values.get("pooled", np.nan), values.get("mean_over_folds", np.nan)
    few = [name for images in sets if few_cases(counts[images.names[0]]) for name in images.names]
    return ProbeResult(
        table=pd.DataFrame(rows).set_index(["encoder", "probe"]),
        few_shot=_curve_table(curves),
        predictions=predictions,
        permutation_tests=tests,
        verdicts=summarise_rows(
            rows, wanted[0], [name for images in sets for name in images.baselines], few,
            {key for key, test in tests.items() if test.smallest_p >= 0.05},
        ),
        counts=counts,
        settings={
            "folds": folds, "by": by, "seed": seed, "metrics": list(wanted),
            "levels": {name: images.aggregation.level for images in sets for name in images.names},
            "neighbours": neighbours, "distance": distance, "class_weight": class_weight, "draws": draws,
            "permutations": permutations, "bootstrap": asdict(bootstrap),
        },
        limitations=find_probe_limitations(sets, counts, notes, plan, len(heads) * len(named)),
        environment=describe_environment(),
        seconds=seconds,
    )  # fmt: skip


def _heads(
    names: Sequence[str],
    vectors: Any,
    data: Dataset,
    class_weight: ClassWeight,
    neighbours: int,
    distance: Distance,
    seed: int,
) -> list[ProbeHead]:
    count = len(data.classes)
    made: dict[str, ProbeHead] = {
        "logistic": LogisticHead(vectors[None], vectors, data.classes, data.cases, class_weight, seed, threads=True),
        "knn": NeighbourHead(vectors, count, neighbours, distance),
        "nearest-mean": ClassMeanHead(vectors, count),
    }
    return [made[name] for name in dict.fromkeys(names)]


def _draw(images: ProbedImages, permutations: int, folds: int, by: Unit, seed: int) -> list[LabelledFolds]:
    data = images.data
    generators = np.random.default_rng(seed).spawn(permutations)
    labels = [permute_labels(data.labels, data.cases, images.permute, one) for one in generators]
    return divide_again(data, labels, folds, by, seed)


def _test(
    head: ProbeHead,
    images: ProbedImages,
    found: Any,
    drawn: list[LabelledFolds],
    metric: str,
    plan: FoldPlan,
    workers: int | None,
) -> PermutationTest:
    data = images.data
    scorer = FoldScorer(data.classes, data.cases, data.slides, metric, images.aggregation)
    observed = scorer.score(found, data.labels, images.parts)
    scores = score_in_batches(head, scorer, drawn, workers)
    return PermutationTest(
        metric=metric,
        observed={"pooled": observed[0], "mean_over_folds": observed[1]},
        null={"pooled": tuple(one[0] for one in scores), "mean_over_folds": tuple(one[1] for one in scores)},
        null_hypothesis=NULLS[images.permute].format(within=""),
        counts=count_units(predictions_of(data, found)),
        distinct=count_permutations(data.labels, data.cases, images.permute),
        settings={
            "folds": plan.folds, "by": plan.by, "seed": plan.seed, "permute": images.permute, "strata": None,
            "level": images.aggregation.level, "val_fraction": 0.0, "features_kept": True,
        },
    )  # fmt: skip


def _curve_table(curves: Mapping[tuple[str, str, int], Mapping[str, float]]) -> pd.DataFrame | None:
    if not curves:
        return None
    table = pd.DataFrame.from_dict(dict(curves), orient="index")
    table.index = pd.MultiIndex.from_tuples(list(curves), names=["encoder", "probe", "cases_per_class"])
    return table
