"""The result of `evaluate`: every section with its confidence intervals, in one object."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from breastcls.errors import EvaluationError
from breastcls.evaluation.evaluation_schema import SCHEMA
from breastcls.evaluation.evaluation_scores import EvaluationScores
from breastcls.evaluation.headline_text import headline
from breastcls.evaluation.notebook_view import show_evaluation
from breastcls.evaluation.section_registry import SECTIONS
from breastcls.evaluation.source_references import SourceReferences
from breastcls.evaluation.text_summary import summarise
from breastcls.files import export_text
from breastcls.intervals.printed_table import PrintedTable
from breastcls.intervals.table_export import to_latex, to_markdown
from breastcls.json_values import to_json_values
from breastcls.predictions.prediction_fingerprint import fingerprint_predictions
from breastcls.predictions.pseudonyms import Pseudonyms
from breastcls.result import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation(EvaluationScores, Result):
    """What `breastcls.evaluate` returns. Print it, plot it, write it as HTML, JSON, Markdown or LaTeX.

    The value of a section, such as `calibration`, is `evaluation.sections["calibration"]`, `evaluation["calibration"]`
    or `evaluation.calibration`; the last one is None where the evaluation does not have the section.
    `breastcls.evaluation.list_sections` lists all sections with what each needs.
    """

    # Any: the type depends on the section.
    def __getattr__(self, name: str) -> Any:
        """Return the value of a section, or None where the evaluation does not have it."""
        if name in SECTIONS:
            # Not an attribute: while an object is unpickled it has no fields yet.
            return _printed(self.__dict__.get("sections", {}).get(name))
        raise AttributeError(
            f"An evaluation has no attribute or section {name!r}. Its sections: {', '.join(SECTIONS)}."
        )

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *SECTIONS]

    def __getitem__(self, section: str) -> Any:
        """Return the value of a section.

        Raises:
            KeyError: If there is no such section, or the evaluation does not have it.
        """
        value = self.value_of(SECTIONS[section].name)
        if value is None:
            raise KeyError(self._lacks(section))
        return _printed(value)

    def with_sections(self, **sections: Any) -> Evaluation:
        """Return the same evaluation with attached sections, which the report and the JSON then show.

        Args:
            **sections: By the names of sections that can be attached (see `breastcls.evaluation.list_sections`):
                tables, or results that have one as `table`, such as `robustness=measure_robustness(model, test)`; None
                removes one. The limitations of such a result become those of the section.

        Raises:
            EvaluationError: If there is no such section, or a table lacks a column.
        """
        values = dict(self.sections)
        limitations = dict(self.section_limitations)
        cases = dict(self.section_cases)
        for name, given in sections.items():
            if name not in SECTIONS or not SECTIONS[name].can_be_attached:
                known = ", ".join(section.name for section in SECTIONS.values() if section.can_be_attached)
                raise EvaluationError(f"An evaluation has no section {name!r} to attach; those to attach: {known}.")
            for held in (values, limitations, cases):
                held.pop(name, None)
            value = getattr(given, "table", given)
            if value is None:
                continue
            SECTIONS[name].check(value)
            values[name] = value
            found = tuple(f"{SECTIONS[name].title}: {one}" for one in getattr(given, "limitations", ()))
            limitations |= {name: found} if found else {}
            classes = getattr(given, "counts", {}).get("classes")
            cases |= {name: {key: int(of["cases"]) for key, of in classes.items()}} if classes else {}
        return dataclasses.replace(self, sections=values, section_limitations=limitations, section_cases=cases)

    def with_pseudonyms(self, pseudonyms: Pseudonyms | None = None) -> Evaluation:
        """Return the same evaluation under pseudonyms: print, JSON, tables, figures and report have none of the names.

        Pictures in the report are those of the same images; their files are not named.

        Args:
            pseudonyms: The pseudonyms, to use the same for several results, or to keep which name each stands for.
                Without them, new ones are drawn and not kept; see `Predictions.with_pseudonyms`.

        Raises:
            EvaluationError: If a name has no pseudonym.

        Example:
            >>> shared = result.with_pseudonyms()  # doctest: +SKIP
            >>> shared.to_html("report.html")  # doctest: +SKIP
        """
        names = pseudonyms or Pseudonyms.of(self)
        predictions = self.predictions.with_pseudonyms(names)
        fields = ("sections", "general_limitations", "section_limitations", "model", "settings")
        images = None if self.images is None else self.images.with_pseudonyms(names)
        return dataclasses.replace(
            self,
            **{field: names.replace_in(getattr(self, field)) for field in fields},
            predictions=predictions,
            images=images,
            leakage=None if self.leakage is None else dataclasses.replace(names.replace_in(self.leakage), root=None),
            fingerprints={**self.fingerprints, "predictions": fingerprint_predictions(images or predictions)},
            # The test set has the names; the model is needed for heat-maps.
            source=SourceReferences(self.source.model),
        )

    def __str__(self) -> str:
        return summarise(self)

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        return show_evaluation(self)

    def __repr__(self) -> str:
        return f"Evaluation({headline(self.value_of('metrics'))})"

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the single predictions as plain dicts, lists, numbers and strings; NaN becomes None.

        The form is that of `breastcls.evaluation.read_schema()`, a JSON Schema.
        """
        return {
            "schema": SCHEMA,
            "counts": to_json_values(self.counts),
            "settings": to_json_values(self.settings),
            **{name: _to_json(self.value_of(name)) for name in SECTIONS},
            "leakage": _to_json(self.leakage),
            "leak_allowed": self.leak_allowed,
            "limitations": list(self.limitations),
            "section_cases": to_json_values(self.section_cases),
            "model": to_json_values(self.model),
            "fingerprints": to_json_values(self.fingerprints),
            "origin": to_json_values(self.origin),
        }

    def table_of(self, section: str) -> pd.DataFrame:
        """Return the table of a section, as `to_markdown` and `to_latex` write it.

        Raises:
            EvaluationError: If there is no table of that name, or this evaluation does not have it.
        """
        tables = {
            name: known.table(self.value_of(name))
            for name, known in SECTIONS.items()
            if self.value_of(name) is not None
        }
        held = [name for name, table in tables.items() if table is not None]
        if section not in SECTIONS or (section in tables and section not in held):
            raise EvaluationError(f"An evaluation has no table {section!r}; its tables: {', '.join(held)}.")
        table = tables.get(section)
        if table is None:
            raise EvaluationError(f"{self._lacks(section)} Its tables: {', '.join(held)}.")
        return table

    def to_markdown(
        self, path: str | os.PathLike[str] | None = None, *, table: str = "metrics", digits: int = 3
    ) -> str:
        """Return a table as Markdown and, given a path, write it there.

        Args:
            path: Where to write.
            table: Name of the section, such as "metrics", "by_level", "operating" or "by_subtype".
            digits: Decimals.

        Raises:
            EvaluationError: If there is no such table.
        """
        return export_text(to_markdown(self.table_of(table), digits=digits, positive=self._positive_class), path)

    def to_latex(self, path: str | os.PathLike[str] | None = None, *, table: str = "metrics", digits: int = 3) -> str:
        """Return a table as LaTeX for the package booktabs; see `to_markdown`."""
        return export_text(to_latex(self.table_of(table), digits=digits, positive=self._positive_class), path)

    def plot(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        figure: str = "overview",
        width_mm: float | None = None,
        dpi: int = 300,
    ) -> Figure:
        """Draw one figure as a `matplotlib.figure.Figure`; given a path, save it as SVG, PNG or PDF.

        Args:
            path: Where to save; the suffix chooses the format.
            figure: "overview", or a figure of a section, as `breastcls.evaluation.list_sections` lists them: "roc",
                "precision-recall", "confusion", "metrics", "reliability", ...
            width_mm: Width in millimetres, for many journals 85 (one column) or 174 (two); default: the figure's own.
            dpi: Dots per inch of a PNG.

        Raises:
            EvaluationError: If there is no such figure, or the evaluation lacks the section.
            OutputError: If the suffix is another one, or the file cannot be written.
        """
        from breastcls.drawing.figures import export_figure
        from breastcls.evaluation.figures.overview_figure import plot_overview

        figures = {one.name: (section, one) for section in SECTIONS.values() for one in section.figures}
        if figure == "overview":
            drawn = plot_overview(self.sections, confidence=self.confidence)
        elif figure not in figures:
            raise EvaluationError(f"There is no figure {figure!r}; expected one of overview, {', '.join(figures)}.")
        else:
            section, chosen = figures[figure]
            if self.value_of(section.name) is None:
                raise EvaluationError(self._lacks(section.name))
            drawn = chosen.draw(self.value_of(section.name), self, None)
        return export_figure(drawn, path, width_mm=width_mm, dpi=dpi)

    def to_html(
        self,
        path: str | os.PathLike[str],
        *,
        model: Any = None,
        heatmaps: Any = None,
        method: str = "grad-cam",
        similar: Any = None,
        title: str | None = None,
        thumbnails: int = 8,
    ) -> Path:
        """Write one HTML file that opens offline, and return its path.

        Args:
            path: Where to write.
            model: The model that was scored, whose heat-maps of the images are shown; by default the one that was
                evaluated, as long as it is in memory and has not been trained further.
            heatmaps: Heat-maps made before, instead of a model: the `Explanation` of images among these.
            method: How the model is explained; see `breastcls.explain`.
            similar: Similar training images, from `breastcls.features.find_similar`, which are shown with each image.
            title: Heading of the report.
            thumbnails: How many misclassified and how many correctly classified images to show at most, 0 to 100 of
                each, spread over the cases, the most confident predictions first.

        Raises:
            EvaluationError: If `thumbnails` is out of range, or both a model and heat-maps are given.
            OutputError: If the file cannot be written.
        """
        from breastcls.evaluation.report.html_report import write_report

        options: Mapping[str, Any] = {"model": model, "heatmaps": heatmaps, "method": method, "similar": similar}
        return write_report(self, path, title=title, thumbnails=thumbnails, **options)

    @property
    def _positive_class(self) -> str | None:
        return self.classes[-1] if len(self.classes) == 2 else None

    def _lacks(self, name: str) -> str:
        section = SECTIONS[name]
        if section.compute is None:
            how = f"attach it with `with_sections({name}=...)`"
        else:
            how = f"it needs {' and '.join(need.value for need in section.needs) or 'other data'}"
        return f"This evaluation does not have the section {name!r} ({section.title}): {how}."


def _printed(value: Any) -> Any:
    return PrintedTable(value) if isinstance(value, pd.DataFrame) else value


def _to_json(value: Any) -> Any:
    return to_json_values(
        value.to_dict() if hasattr(value, "to_dict") and not isinstance(value, pd.DataFrame) else value
    )
