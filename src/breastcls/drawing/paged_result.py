"""Results that are written as a page."""

from __future__ import annotations

import abc
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from breastcls.result import Result

if TYPE_CHECKING:
    from breastcls.drawing.result_page import PagePart


class PagedResult(Result):
    """Base class of results with a page; a subclass defines its heading and its parts."""

    _page_title: ClassVar[str]

    @abc.abstractmethod
    def _page_parts(self) -> Sequence[PagePart]:
        """Return the parts of the page, from top to bottom."""

    def to_html(self, path: str | os.PathLike[str], *, title: str | None = None) -> Path:
        """Write one page with the sentences, figures and tables, which opens offline, and return its path.

        Args:
            path: Where to write.
            title: Heading of the page; by default the kind of the result.

        Raises:
            OutputError: If the file cannot be written.
        """
        from breastcls.drawing.result_page import write_result_page

        return write_result_page(path, title or self._page_title, self._page_parts())
