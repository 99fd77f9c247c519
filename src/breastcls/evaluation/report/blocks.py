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


# The mark and the word of each tone of a finding, so that a finding is understood without its colour.
TONES = {
    "good": ("✓", "Good"),
    "caution": ("!", "Warning"),
    "bad": ("✕", "Problem"),
    "not-estimable": ("?", "Not estimable"),
    "": ("i", "Information"),
}


@dataclass(frozen=True)
class Verdict(Block):
    """A finding in words.

    Attributes:
        tone: "good", "caution", "bad", "not-estimable" where too few cases support any finding, or "" for a neutral
            statement.
        text: The finding in one short sentence.
        explanation: What supports it.
    """

    macro: ClassVar[str] = "notice"
    tone: str
    text: str
    explanation: str

    @property
    def mark(self) -> str:
        """The sign in front of it."""
        return TONES[self.tone][0]

    @property
    def status(self) -> str:
        """The tone as a word."""
        return TONES[self.tone][1]


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
    """Pairs of title and text, in two columns where the page has room; a small one is in smaller type."""

    macro: ClassVar[str] = "facts"
    pairs: Facts
    small: bool = False


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
class Beside(Block):
    """A figure, as HTML, with blocks beside it."""

    macro: ClassVar[str] = "beside"
    figure: Markup
    blocks: Sequence[Block]


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
    sortable: bool = True


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
class FirstPage(Block):
    """What was tested on what, the most important metrics, the confusion matrix, the classes and the findings.

    Attributes:
        notice: The limitations that matter most, or None.
        lead: What was tested on what, in one sentence.
        tested: The same in detail, with the date and the versions.
        metrics: The most important metrics with confidence intervals.
        classes: The numbers of cases and images of each class.
        confusion: The confusion matrix.
        findings: Each with the anchor and the heading of the part that explains it.
    """

    macro: ClassVar[str] = "first_page"
    notice: Verdict | None
    lead: str
    tested: Facts
    metrics: Table
    classes: Table
    confusion: Block | None
    findings: tuple[tuple[Verdict, str, str], ...]


@dataclass(frozen=True)
class Part:
    """A part of the report: its anchor, its heading, and its blocks."""

    key: str
    title: str
    blocks: Sequence[Block]
