"""The tutorial's chapter "Change a patch", run as it stands on the real CPU stack."""

import json

import pytest

from tests.pages import blocks, run

pytestmark = pytest.mark.e2e


def test_the_tutorial_changes_a_patch_of_vllm_and_sees_it_run(clone):
    """The chapter's blocks as they stand; they leave the clone with a patch more."""
    changing = blocks(clone.folder / "docs/tutorial.md", "Change a patch")
    said = [run(clone.folder, clone.tools, block) for block in changing]
    # what the grep of the second block found in the engine's log
    record = json.loads((clone.folder / "results/smoke/cpu/smollm2-135m.json").read_text())
    version = record["versions"]["vllm"]
    assert f"Initializing a V1 LLM engine (v{version}, patched) with config" in said[1]
    assert "?? patches/vllm/" in said[2]
    assert record["passed"] and record["work"] == {}
    wheels = [
        json.loads(f.read_text()) for f in clone.folder.glob("results/wheels/cpu/vllm/*/wheel.json")
    ]
    (patched,) = (w for w in wheels if "patched" in w["patches"][-1]["subject"])
    assert patched["key"] in {
        spec.stem for spec in clone.folder.glob("results/stamps/wheel/cpu/vllm/*")
    }
