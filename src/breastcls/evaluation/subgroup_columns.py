"""The columns of a table of subgroups."""

from __future__ import annotations

from breastcls.intervals.limitations import RAREST
from breastcls.intervals.score_tables import SHOWN

GROUP_COLUMNS = (
    "images",
    "slides",
    "cases",
    RAREST,
    *(f"{name}{end}" for name in SHOWN for end in ("", "_low", "_high")),
)
