"""How the time and the memory of a training step grow, with privacy and without.

    cargo build --release --bin step_times --config 'profile.release.package.burn-dispatch.opt-level=1'
    python3 benches/step_growth.py

Each measurement is a process of its own: start, two steps not timed, `--steps` timed, their median, and the process's
peak memory. Plain steps are Burn's own layers. The last table says how many examples fit into the memory of
`--memory` MiB at once, from the growth of the peak between the two largest batches.
"""

import argparse
import json
import math
import subprocess
from pathlib import Path

STEP_TIMES = Path(__file__).resolve().parent.parent / "target/release/step_times"
MODES = ["stock", "private"]


def measure(model, mode, batch, steps):
    command = [STEP_TIMES, "--model", model, "--mode", mode, "--batch", str(batch), "--steps", str(steps)]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(result.stdout)


def table(title, rows, first, steps):
    """Prints a table with a row for each (label, model, batch); returns what was measured."""
    print(f"\n{title}\n")
    print(f"| {first} | plain, ms | DP, ms | DP / plain throughput | plain, peak MiB | DP, peak MiB | DP / plain memory |")
    print("|---|---|---|---|---|---|---|", flush=True)
    found = []
    for label, model, batch in rows:
        plain, private = (measure(model, mode, batch, steps) for mode in MODES)
        times = [result["median_ms"] for result in (plain, private)]
        peaks = [result["peak_mib"] for result in (plain, private)]
        print(
            f"| {label} | {times[0]:.3g} | {times[1]:.3g} | {times[0] / times[1]:.2f}"
            f" | {peaks[0]} | {peaks[1]} | {peaks[1] / peaks[0]:.2f} |",
            flush=True,
        )
        found.append((batch, peaks))
    return found


def largest_batch(found, mode, memory):
    """Examples that fit into `memory` MiB, were the peak to grow on as between the two largest batches."""
    (small, low), (large, high) = found[-2:]
    growth = (high[mode] - low[mode]) / (large - small)
    return large + (memory - high[mode]) / growth if growth > 0 else math.inf


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="wide_mlp,handout_cnn,tanh_cnn,transformer", help="whose batches grow")
    parser.add_argument("--batches", default="32,128,512", help="separated by commas, growing, two or more")
    parser.add_argument("--steps", type=int, default=5, help="timed steps of a measurement")
    parser.add_argument("--memory", type=int, default=8192, help="MiB of the last table")
    args = parser.parse_args()
    batches = [int(batch) for batch in args.batches.split(",")]

    grown = {}
    for model in args.models.split(","):
        grown[model] = table(f"{model}, by batch", [(batch, model, batch) for batch in batches], "batch", args.steps)
    widths = [("0.27 million", "wide_mlp_256"), ("1.9 million", "wide_mlp"), ("10.2 million", "wide_mlp_2816")]
    table("784-w-w-10, batch 256, by parameters", [(label, model, 256) for label, model in widths], "parameters", args.steps)
    lengths = [(64, "transformer"), (128, "transformer_128"), (256, "transformer_256")]
    table("transformer, batch 32, by length", [(label, model, 32) for label, model in lengths], "tokens", args.steps)

    print(f"\nLargest batch in {args.memory:,} MiB\n\n| model | plain | DP | DP / plain |\n|---|---|---|---|")
    for model, found in grown.items():
        plain, private = (largest_batch(found, mode, args.memory) for mode in (0, 1))
        print(f"| {model} | {plain:,.0f} | {private:,.0f} | {private / plain:.2f} |")


if __name__ == "__main__":
    main()
