"""Reproducer for vllm-cpu-kernels.md: `python vllm_cpu_kernels.py [shared] [SECONDS]`.

Threads multiply matrices with vLLM's oneDNN kernels for CPUs, each with a layer of its own, or all
with one (`shared`). No model. Exit status 1 says that a product was wrong; or it crashes.
"""

import faulthandler
import sys
import threading
import time
from collections import Counter

import torch
from vllm import _custom_ops as ops
from vllm.platforms import current_platform

faulthandler.enable()
torch.set_num_threads(1)
current_platform.import_kernels()
shared = "shared" in sys.argv
seconds = float(sys.argv[-1]) if sys.argv[-1][0].isdigit() else 10
THREADS = 4
weights = [torch.randn(64 * (1 + number), 96).contiguous() for number in range(THREADS)]
layers = [ops.create_onednn_mm(weight, 32) for weight in weights]
end = 0.0
counts = [Counter() for _ in range(THREADS)]


def work(number: int) -> None:
    own = 0 if shared else number
    rows = 0
    while time.monotonic() < end:
        rows = rows % 40 + 1
        given = torch.randn(rows, weights[own].shape[0])
        try:
            got = ops.onednn_mm(layers[own], given, None)
            near = torch.allclose(got, given @ weights[own], atol=1e-3, rtol=1e-3)
            counts[number]["right" if near else "WRONG"] += 1
        except Exception as error:
            counts[number][f"{type(error).__name__}: {str(error)[:60]}"] += 1


for number in range(THREADS):
    end = time.monotonic() + 0.5
    work(number)
print("one thread after the other:", dict(sum(counts, Counter())), flush=True)
counts, end = [Counter() for _ in range(THREADS)], time.monotonic() + seconds
threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
total = sum(counts, Counter())
print(f"GIL {'on' if sys._is_gil_enabled() else 'off'}: {dict(total)}")
sys.exit(int(set(total) != {"right"}))
