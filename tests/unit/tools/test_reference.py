"""The pages that are written from the code are current, and say what the code says."""

from tools.reference import FOLDER, make_targets, pages, rules


def test_the_written_pages_are_current():
    for name, text in pages().items():
        assert (FOLDER / name).read_text(encoding="utf-8") == text, (
            f"docs/reference/{name}: run `python -m tools.reference`"
        )


def test_targets_have_their_names_and_their_texts():
    targets = dict(pair for pairs in rules().values() for pair in pairs)
    assert targets["smoke_report"].startswith("Build what changed")
    assert targets["smoke_report"].endswith("The default.")
    assert {"env_VARIANT", "edit_REPO", "export_REPO"} <= targets.keys()
    assert {"smoke", "test", "e2e", "docs"} <= make_targets().keys()


def test_keys_have_type_default_and_meaning():
    text = pages()["config.md"]
    assert "- **`isa`** (`native` or `all` or list of `avx2`, `avx512` or `amx`, default" in text
    assert "## `interpreter.git`" in text and "## `models.NAME` with `package`" in text
    assert "- **`commit`** (text, needed)" in text


def test_records_have_the_texts_below_their_fields():
    text = pages()["records.md"]
    assert "- **`without`** (mapping to text): Repos that it could have taken in" in text
    assert "### `WheelPatch`" in text and "[WheelPatch](#wheelpatch)" in text
