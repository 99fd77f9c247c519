"""The names of the BreakHis subtypes."""

from __future__ import annotations

SUBTYPE_NAMES = {
    "A": "adenosis",
    "F": "fibroadenoma",
    "PT": "phyllodes tumour",
    "TA": "tubular adenoma",
    "DC": "ductal carcinoma",
    "LC": "lobular carcinoma",
    "MC": "mucinous carcinoma",
    "PC": "papillary carcinoma",
}


def describe_subtype(code: str) -> str:
    """Return a subtype code with its name, if it is one of BreakHis.

    Example:
        >>> describe_subtype("DC"), describe_subtype("other")
        ('DC, ductal carcinoma', 'other')
    """
    return f"{code}, {SUBTYPE_NAMES[code]}" if code in SUBTYPE_NAMES else code
