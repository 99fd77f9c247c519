"""What the parts of the HTML report consist of, as values that the templates show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from markupsafe import Markup

Facts = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Block:
    """A part of a page; `macro` names the macro of `blocks.html.j2` that shows it."""

    macro: ClassVar[str]


@dataclass(frozen=True)
class Verdict(Block):
    """A finding in words: `tone` is "good", "bad", "caution", or "" for a neutral statement."""

    macro: ClassVar[str] = "notice"
    tone: str
    text: str
    explanation: str


@dataclass(frozen=True)
class Paragraph(Block):
    """A paragraph of text; a note is smaller."""

    macro: ClassVar[str] = "paragraph"
    text: str
    note: bool = False


@dataclass(frozen=True)
class Heading(Block):
    """A heading within a part."""

    macro: ClassVar[str] = "heading"
    text: str


@dataclass(frozen=True)
class BulletList(Block):
    """Sentences, one below the other."""

    macro: ClassVar[str] = "bullets"
    items: Sequence[str]


@dataclass(frozen=True)
class FactList(Block):
    """Pairs of title and text, in two columns unless the texts are long."""

    macro: ClassVar[str] = "facts"
    pairs: Facts
    long: bool = False


@dataclass(frozen=True)
class Glossary(Block):
    """Terms and their explanations."""

    macro: ClassVar[str] = "glossary"
    pairs: Facts


@dataclass(frozen=True)
class Details(Block):
    """Blocks that are folded away under a summary."""

    macro: ClassVar[str] = "details"
    summary: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class FigureRow(Block):
    """Figures side by side, as HTML."""

    macro: ClassVar[str] = "figure_row"
    figures: Sequence[Markup]


@dataclass(frozen=True)
class Cell:
    """One cell of a table: what it shows, and what it is sorted by ("" goes last)."""

    text: str
    value: str = ""
    detail: str = ""
    undefined: bool = False


@dataclass(frozen=True)
class Column:
    """One column: its title and whether it holds "text" or a "number"."""

    title: str
    kind: str


@dataclass(frozen=True)
class Table(Block):
    """A sortable table; the first cell of a row names the row."""

    macro: ClassVar[str] = "table"
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class CountCell:
    """A count of the confusion matrix, its share of the row, and whether the class is the true one."""

    count: str
    share: float
    percent: str
    correct: bool


@dataclass(frozen=True)
class ConfusionMatrix(Block):
    """The confusion matrix as a table with shaded cells: `rows` are (true class, cells, total)."""

    macro: ClassVar[str] = "confusion"
    caption: str
    names: tuple[str, ...]
    rows: tuple[tuple[str, tuple[CountCell, ...], str], ...]


@dataclass(frozen=True)
class KeyValue:
    """A value of the headline, with its confidence interval where it has one."""

    name: str
    value: str
    detail: str = ""


@dataclass(frozen=True)
class Headline(Block):
    """The result in one sentence and in its most important values, and the findings with links to their parts."""

    macro: ClassVar[str] = "headline"
    sample: str
    task: str
    percent: str
    balanced_accuracy: KeyValue
    roc_auc: KeyValue
    values: tuple[KeyValue, ...]
    findings: tuple[tuple[Verdict, str], ...]


@dataclass(frozen=True)
class Part:
    """A part of the report: its anchor, its heading, and its blocks."""

    key: str
    title: str
    blocks: Sequence[Block]
