"""Images a second of the scattering transform beside Kymatio (NumPy, and PyTorch where it is installed), in one run, one thread each.

    cargo build --release -p burn-privacy-features --example scattering_speed
    python -m venv venv && venv/bin/pip install kymatio "scipy<1.17"   # and torch
    venv/bin/python benches/scattering_peers.py target/release/examples/scattering_speed

Rates are for each second of processor time, so that a busy machine does not decide; ratios of one run are what counts.
"""

import os
import subprocess
import sys
import time

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np


def rate(transform, images, count):
    transform(images)  # warm up
    start = time.process_time()
    transform(images)
    return count / (time.process_time() - start)


def peers():
    # Not `kymatio.numpy`, which imports more of scipy than it needs.
    from kymatio.scattering2d.frontend.numpy_frontend import ScatteringNumPy2D

    yield "kymatio, NumPy", ScatteringNumPy2D, lambda x: x
    try:
        import torch
        from kymatio.scattering2d.frontend.torch_frontend import ScatteringTorch2D
    except ImportError:
        return
    torch.set_num_threads(1)
    yield "kymatio, PyTorch", ScatteringTorch2D, torch.from_numpy


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else "target/release/examples/scattering_speed"
    for _ in range(3):
        print(subprocess.run([program], check=True, capture_output=True, text=True).stdout, end="")
        for name, scattering, convert in peers():
            for colors, side, count in ((1, 28, 200), (3, 32, 60)):
                images = convert(np.random.default_rng(0).random((count, colors, side, side), dtype=np.float32))
                transform = scattering(J=2, shape=(side, side), L=8)
                kind = "gray" if colors == 1 else "color"
                print(f"{name}: {kind} {side} x {side}: {rate(transform, images, count):.0f} for each second of processor time")


main()
