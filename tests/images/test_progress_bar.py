"""The progress bar is shown in terminals only."""

import pytest

from breastcls.images.progress_bar import progress_bar


@pytest.mark.parametrize("show", [None, True])
def test_silent_outside_of_a_terminal(capsys, monkeypatch, show):
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    with progress_bar("Reading", 3, show=show) as advance:
        advance()
    assert capsys.readouterr() == ("", "")


def test_shown_when_asked_for(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    with progress_bar("Reading", 3, show=True) as advance:
        for _ in range(3):
            advance()
    assert "Reading" in capsys.readouterr().err
