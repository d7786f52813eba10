"""The GIL report by the real workflow: made once for an environment, and again for another."""

import pandas as pd

from tests.small_project import Project


def rows(project: Project) -> list[tuple[str, str, str]]:
    """Module, outcome and declaration of each row of the table."""
    table = pd.read_csv(project.folder / "results/reports/gil.csv")
    return list(zip(table.module, table.outcome, table.declares, strict=True))


def test_the_report_is_made_once_for_an_environment(project: Project) -> None:
    project.config["smoke"]["variants"] = ["cpu"]
    first = project.run("gil_report")
    assert first.code == 0, first.text
    assert {"environment", "gil_trial", "gil_page", "gil_report"} <= set(first.jobs)
    assert rows(project) == [("greeter._greet", "off", "not used")]
    # this environment has no vLLM
    assert "vLLM could not be imported: from vllm import LLM, vllm serve" in first.text
    assert "<h1>" in (project.folder / "results/reports/gil.html").read_text()
    assert "Nothing to be done" in project.run("gil_report").text

    project.add_patch("greeter", "0001-say-hi", "greeter/_greet.c", '"hello"', '"hi"')
    changed = project.run("gil_report")
    assert {"wheel", "environment", "gil_trial", "gil_page"} <= set(changed.jobs)
