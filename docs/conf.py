"""How Sphinx makes the site: README.md, CONTRIBUTING.md and docs/, as they stand on a forge."""

import re
from pathlib import Path

_PROJECT = Path(__file__).parents[1]
_PAGES = {"README.md", "CONTRIBUTING.md", "docs"}

project = "snakedev-vllm"
html_title = project
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
root_doc = "README"
# nothing else is looked into: results/ alone has more files than Sphinx should walk through
exclude_patterns = [
    *(path.name for path in _PROJECT.iterdir() if path.name not in _PAGES),
    "docs/images",
    "docs/site",
]
# what a forge makes of headings
myst_heading_anchors = 3
html_theme = "furo"
html_extra_path = ["site/index.html"]
html_static_path = ["site/site.css"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False


def _tree(app, page, source):
    """Give a page that lists others the tree of them that Sphinx needs, by its headings."""
    lists = {"README": "docs/README.md", "docs/findings/README": "docs/findings/README.md"}
    if page not in lists:
        return
    file = _PROJECT / lists[page]
    if file != _PROJECT / f"{page}.md":
        source[0] += f"\n\n```{{toctree}}\n:hidden:\n\n/{lists[page].removesuffix('.md')}\n```\n"
    for part in re.split(r"^## ", file.read_text(encoding="utf-8"), flags=re.MULTILINE):
        caption = part.split("\n", 1)[0] if not part.startswith("# ") else ""
        linked = [
            (file.parent / link).resolve().relative_to(_PROJECT)
            for link in re.findall(r"^(?:- |\| )\[.*\]\(([^):]+\.md)\)", part, re.MULTILINE)
        ]
        if linked:
            # a name from the top, without its ending
            names = "\n".join(f"/{path.with_suffix('')}" for path in linked)
            head = f":caption: {caption}\n" if caption else ""
            source[0] += f"\n\n```{{toctree}}\n:hidden:\n{head}\n{names}\n```\n"


def setup(app):
    """Called by Sphinx."""
    app.connect("source-read", _tree)
