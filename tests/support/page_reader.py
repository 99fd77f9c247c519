"""The elements of an HTML page, for tests of reports."""

from html.parser import HTMLParser

VOID = {"meta", "link", "img", "br", "line", "circle", "path", "rect"}


class Page(HTMLParser):
    """Every element with its attributes and the text within it; unbalanced tags fail at once."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements = []
        self._open = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        element = {
            "tag": tag,
            "attributes": dict(attrs),
            "text": "",
            "parents": [item["tag"] for item in self._open],
        }
        assert len(attrs) == len(dict(attrs)), f"an attribute twice: {attrs}"
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self._open.pop()["tag"] == tag

    def handle_data(self, data):
        for element in self._open:
            element["text"] += data

    def find(self, tag, **attributes):
        return [
            element
            for element in self.elements
            if element["tag"] == tag
            and all(element["attributes"].get(name) == value for name, value in attributes.items())
        ]

    def text(self, **attributes):
        return next(
            " ".join(element["text"].split())
            for element in self.elements
            if all(element["attributes"].get(name) == value for name, value in attributes.items())
        )
