"""The files behind pseudonyms, known to the running program only."""

from __future__ import annotations

from collections.abc import Mapping

from breastcls.text_tables import format_count


class HiddenFiles:
    """The file of each image whose path is a pseudonym.

    They are no part of a pickle, a copy on disk or the printed text.

    Args:
        files: The file by the pseudonym.

    Example:
        >>> import pickle
        >>> files = HiddenFiles({"image-0001.png": "/data/14-22549AB.png"})
        >>> files.file_of("image-0001.png"), files.file_of("other.png")
        ('/data/14-22549AB.png', 'other.png')
        >>> pickle.loads(pickle.dumps(files)).file_of("image-0001.png")
        'image-0001.png'
    """

    def __init__(self, files: Mapping[str, str] | None = None) -> None:
        self._files = dict(files or {})

    def file_of(self, path: str) -> str:
        """Return the file behind a pseudonym, and any other path as it is."""
        return self._files.get(path, path)

    def __repr__(self) -> str:
        return f"HiddenFiles({format_count(len(self._files), 'file')})"

    def __reduce__(self) -> tuple[type[HiddenFiles], tuple[()]]:
        return HiddenFiles, ()
