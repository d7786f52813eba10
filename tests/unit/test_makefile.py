"""make: what a shell has set for pip and Python leads neither away from the environment."""

import os
import subprocess

import pytest

from tests.project import PROJECT


@pytest.mark.parametrize(
    "name",
    [
        *("PIP_TARGET", "PIP_USER", "PIP_REQUIRE_VIRTUALENV"),
        *("PYTHONHOME", "PYTHON_GIL", "PYTHONSAFEPATH", "PYTHONDONTWRITEBYTECODE"),
    ],
)
def test_nothing_leads_pip_away_from_the_environment(name):
    shown = subprocess.run(
        ["make", "--eval=shown: ; @env", "shown"],
        cwd=PROJECT,
        env=os.environ | {name: "1", "PIP_INDEX_URL": "https://example.org/simple"},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert f"\n{name}=" not in f"\n{shown}"
    # where packages come from is the person's to say
    assert "PIP_INDEX_URL=https://example.org/simple\n" in shown
