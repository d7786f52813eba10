"""Decodes videos with vLLM's own loader, in many threads at once, and prints what came of it.

Run by the run environment's Python, as `decode_video.py FOLDER VIDEO…`: two videos are written into
the folder first.
"""

import hashlib
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

GIL_AT_START = sys._is_gil_enabled()

import cv2  # noqa: E402
import numpy as np  # noqa: E402
from vllm.multimodal.video import VIDEO_LOADER_REGISTRY  # noqa: E402

THREADS = 8
FRAMES = 24
WIDTH, HEIGHT = 96, 64


def level(frame: int) -> int:
    """The grey of a frame of the videos that are written here."""
    return 8 * frame + 20


def write(path: Path, code: str) -> Path:
    """Write a video whose frames are of one grey each."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*code), 12, (WIDTH, HEIGHT))
    assert writer.isOpened(), f"no encoder {code} for {path.name}"
    for frame in range(FRAMES):
        writer.write(np.full((HEIGHT, WIDTH, 3), level(frame), np.uint8))
    writer.release()
    return path


def decode(path: Path) -> dict[str, object]:
    """What all threads together make of a video."""
    data = path.read_bytes()
    start = Barrier(THREADS)

    def load(_: int) -> tuple[str, np.ndarray]:
        start.wait()
        frames, _ = VIDEO_LOADER_REGISTRY.load("opencv").load_bytes(data, num_frames=-1)
        return hashlib.sha256(frames.tobytes()).hexdigest(), frames

    with ThreadPoolExecutor(THREADS) as pool:
        results = list(pool.map(load, range(THREADS)))
    frames = results[0][1]
    return {
        "shape": frames.shape,
        "results": len({digest for digest, _ in results}),
        "means": [round(float(frame.mean()), 1) for frame in frames],
        "spread": float(frames.std()),
    }


def main() -> None:
    folder, *others = map(Path, sys.argv[1:])
    written = [write(folder / "mjpeg.avi", "MJPG"), write(folder / "mpeg4.mp4", "mp4v")]
    videos = {path.name: decode(path) for path in (*written, *others)}
    levels = [level(frame) for frame in range(FRAMES)]
    gil = [GIL_AT_START, sys._is_gil_enabled()]
    print(json.dumps({"gil": gil, "cv2": cv2.__file__, "levels": levels, "videos": videos}))


main()
