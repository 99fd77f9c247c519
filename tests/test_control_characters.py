from breastcls.control_characters import show_controls


def test_controls_are_shown():
    assert show_controls("a\u202eb\x1b[2J\tc\n") == r"a\u202eb\u001b[2J" + "\tc\n"
    assert show_controls("Müller \u200d") == "Müller \u200d"
