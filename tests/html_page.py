"""What is wrong with an HTML page: elements left open, ids that stand twice, references to none."""

from collections import Counter
from html.parser import HTMLParser

_VOID = {
    "area",
    "base",
    "br",
    "col",
    "embed",
    "hr",
    "img",
    "input",
    "link",
    "meta",
    "source",
    "wbr",
}
# their end may be left out
_OPEN = {"li", "dt", "dd", "p", "tr", "td", "th", "thead", "tbody", "tfoot", "option", "colgroup"}
_REFERRING = {"for", "aria-labelledby", "aria-describedby", "aria-controls", "list", "headers"}


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.ids: Counter[str] = Counter()
        self.named: list[str] = []
        self.open: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        twice = [name for name, times in Counter(name for name, _ in attrs).items() if times > 1]
        self.wrong += [f"<{tag}> has {name} twice" for name in twice]
        for name, value in attrs:
            value = value or ""
            if name == "id":
                self.ids[value] += 1
                if not value or value.split() != [value]:
                    self.wrong.append(f"no id: {value!r}")
            elif name in _REFERRING:
                self.named += value.split()
            elif name in ("href", "xlink:href") and value.startswith("#"):
                self.named += filter(None, [value[1:]])

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open[-1] != tag and self.open[-1] in _OPEN:
            self.open.pop()
        if not self.open or self.open[-1] != tag:
            self.wrong.append(f"</{tag}> ends {self.open[-1:]}")
        else:
            self.open.pop()


def faults(text: str) -> list[str]:
    """A line for each fault of a page."""
    page = _Page()
    page.feed(text)
    page.close()
    twice = [f"the id {name} stands {n} times" for name, n in page.ids.items() if n > 1]
    lost = [f"nothing has the id {name}" for name in page.named if name not in page.ids]
    left = [f"<{tag}> is left open" for tag in page.open if tag not in _OPEN]
    return [*page.wrong, *twice, *lost, *left]
