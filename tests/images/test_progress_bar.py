"""The progress bar is shown in terminals only."""

from breastcls.images.progress_bar import progress_bar


def test_silent_by_default(capsys):
    with progress_bar("Reading", 3) as advance:
        advance()
    assert capsys.readouterr() == ("", "")


def test_shown_when_asked_for(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    with progress_bar("Reading", 3, show=True) as advance:
        for _ in range(3):
            advance()
    assert "Reading" in capsys.readouterr().err
