"""A wheel for AMD's GPUs, by the wheel rule and a compiler for them, as Debian's hipcc is one."""

import json
import shutil
from pathlib import Path

import pytest

from tests.small_project import EXTENSION, PYPROJECT, Project
from tests.unit.package_index import served

HIPCC = shutil.which("hipcc")
pytestmark = pytest.mark.skipif(HIPCC is None, reason="there is no hipcc: apt-get install hipcc")

SETUP = """
import os, subprocess, sysconfig
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

class Hip(build_ext):
    def build_extension(self, ext):
        subprocess.check_call([
            os.environ["ROCM_PATH"] + "/bin/hipcc", "-shared", "-fPIC",
            *(f"--offload-arch={arch}" for arch in os.environ["PYTORCH_ROCM_ARCH"].split(";")),
            "-I" + sysconfig.get_path("include"), *ext.sources,
            "-o", self.get_ext_fullpath(ext.name)])

setup(name="vllm", version=os.environ["VLLM_VERSION_OVERRIDE"], packages=["vllm"],
      ext_modules=[Extension("vllm._greet", ["vllm/_greet.hip"])], cmdclass={"build_ext": Hip})
"""
KERNEL = """
#include <hip/hip_runtime.h>
__global__ void twice(float *numbers) { numbers[threadIdx.x] *= 2; }
"""


def test_a_wheel_s_device_code_is_listed_and_is_for_the_gpus_that_were_asked_for(tmp_path, python):
    project = Project(tmp_path / "project", python)
    files = {
        "setup.py": SETUP,
        "pyproject.toml": PYPROJECT,
        "requirements/rocm.txt": "",
        "requirements/build/rocm.txt": "",
        "vllm/__init__.py": "",
        "vllm/_greet.hip": KERNEL + EXTENSION,
    }
    project.add_repo("vllm", "vllm", files)
    rocm = {"architectures": ["gfx90a", "gfx1030"], "toolkit": str(Path(HIPCC).parents[1])}
    project.config["variants"] = {"rocm": rocm}
    with served(tmp_path / "index") as index:
        project.write_lock("build-rocm", ["setuptools"], index=index)
        project.write_lock("run-rocm", [], index=index)
        project.config["registries"] = {"torch_rocm": index}
        done = project.run("wheels_rocm")
    assert done.code == 0, done.text
    (file,) = project.folder.glob("results/wheels/rocm/vllm/*/wheel.json")
    record = json.loads(file.read_bytes())
    assert record["device_code"] == {"vllm._greet": ["gfx1030", "gfx90a"]}
    assert record["gil"] == {"vllm._greet": "off"}
