#!/usr/bin/env python3
"""Random cases of the PLD and RDP accountants against an independent computation: none may be below the truth.

One-step cases: delta at an epsilon, by mpmath from the closed forms (Gaussian and Laplace, Poisson-sampled or not, both
directions). Composed cases: epsilon at a delta, against lower bounds of the truth: dp-accounting's *optimistic* estimate for
Gaussian noise, and a plain transform of losses that are rounded down for Laplace noise. Cases of many steps (thousands to a
million, deltas down to 1e-200, where steps are composed in blocks): epsilon at a delta, against the exact composition of a
function of each step's outcome, which reveals no more than the outcome.

    pip install dp-accounting mpmath numpy
    cargo build --release -p burn-privacy-accounting --example soundness_cases
    python benches/accounting_soundness.py target/release/examples/soundness_cases [one-step cases] [composed cases] \
        [cases of many steps] [--truths FILE]

The truths take most of the time and don't depend on the build: with `--truths` they are kept in FILE, one JSON object a line,
and a run that was stopped, or one of a later build, goes on with them. The program `-` computes the truths alone.

Exits with 1 if an upper bound is below the truth, or a lower bound above it.
"""

import argparse
import json
import math
import random
import subprocess
import sys

import mpmath
import numpy as np
from dp_accounting.pld import privacy_loss_distribution as pld

mpmath.mp.dps = 40
SEED = 19


def one_step_truth(case):
    """The worse direction's delta, in 40 digits."""
    q, e = mpmath.mpf(case["sampling_rate"]), mpmath.exp(mpmath.mpf(case["epsilon"]))
    noise = mpmath.mpf(case["noise"])

    def curve(x):
        # Hockey-stick at x >= 0 of the mechanism without sampling.
        if x <= 0:
            return 1 - x
        if case["kind"] == "gaussian":
            m, log = 1 / noise, mpmath.log(x)
            return mpmath.ncdf(m / 2 - log / m) - x * mpmath.ncdf(-m / 2 - log / m)
        if mpmath.log(x) >= 1 / noise:
            return mpmath.mpf(0)
        if mpmath.log(x) <= -1 / noise:
            return 1 - x
        return 1 - mpmath.exp((mpmath.log(x) - 1 / noise) / 2)

    # P = (1-q) Q + q R against Q at x: q H_{R,Q}((x - 1 + q) / q).
    removed = q * curve((e - 1 + q) / q)
    # Q against P at x: (1 - x (1-q)) H_{Q,R}(x q / (1 - x (1-q))), and 0 beyond.
    rest = 1 - e * (1 - q)
    added = rest * curve(e * q / rest) if rest > 0 else mpmath.mpf(0)
    return max(removed, added)


def one_step_case(rng):
    kind = rng.choice(["gaussian", "laplace"])
    noise = math.exp(rng.uniform(math.log(0.3), math.log(50.0)))
    q = 1.0 if rng.random() < 0.2 else math.exp(rng.uniform(math.log(1e-5), 0.0))
    largest = math.log1p(q * math.expm1(min(1.0 / noise + (8.0 / noise if kind == "gaussian" else 0.0), 300.0)))
    epsilon = 0.0 if rng.random() < 0.05 else rng.uniform(0.0, 1.05) * largest
    return {"kind": kind, "noise": noise, "sampling_rate": q, "steps": 1, "epsilon": epsilon}


def composed_case(rng):
    kind = rng.choice(["gaussian", "gaussian", "laplace"])
    return {
        "kind": kind,
        "noise": math.exp(rng.uniform(math.log(0.6), math.log(20.0))),
        "sampling_rate": 1.0 if rng.random() < 0.1 else math.exp(rng.uniform(math.log(1e-3), 0.0)),
        "steps": int(math.exp(rng.uniform(math.log(2), math.log(2000)))),
        "delta": 10.0 ** rng.uniform(-10, -2),
    }


def composed_lower(case):
    """A lower bound of epsilon. Transforms round: the delta is raised by more than that."""
    delta = case["delta"] + 1e-12
    return gaussian_lower(case, delta) if case["kind"] == "gaussian" else laplace_lower(case, delta)


def gaussian_lower(case, delta):
    """dp-accounting's optimistic estimate."""
    # The grid follows from the standard deviation of the total, so that the estimate is within some percent of the truth.
    size = case["sampling_rate"] / case["noise"]
    step = pld.from_gaussian_mechanism(
        case["noise"],
        sampling_prob=case["sampling_rate"],
        value_discretization_interval=min(max(1e-5, 2e-3 * size), 1e-2),
        pessimistic_estimate=False,
        use_connect_dots=False,
    )
    return step.self_compose(case["steps"]).get_epsilon_for_delta(delta)


def laplace_lower(case, delta):
    """A record more as P: every loss is rounded down to a grid as long as the largest total, so that nothing folds.

    dp-accounting's optimistic estimate is not used here: with noise 0.7563229173794127, 1,332 steps, delta
    3.0094882215218855e-07 and a grid of 1e-3 it is 960.347, above the 959.99 of losses rounded *up*.
    """
    q, m, steps = case["sampling_rate"], 1.0 / case["noise"], case["steps"]
    lowest, highest = math.log1p(q * math.expm1(-m)), math.log1p(q * math.expm1(m))
    cells = max(2, (1 << 21) // steps - 2)
    width = (highest - lowest) / cells
    losses = lowest + width * np.arange(cells + 1)
    t = np.log(np.maximum((np.expm1(losses) + q) / q, math.exp(-m)))
    t[0], t[-1] = -m, m
    # Densities e^(-m/2 -+ t/2) / 4 without and with the record; atoms at both ends.
    without = 0.5 * (np.exp(-0.5 * (m + t[:-1])) - np.exp(-0.5 * (m + t[1:])))
    with_it = 0.5 * (np.exp(0.5 * (t[1:] - m)) - np.exp(0.5 * (t[:-1] - m)))
    masses = np.zeros(cells + 1)
    masses[:-1] = (1 - q) * without + q * with_it
    masses[0] += (1 - q) * 0.5 + q * 0.5 * math.exp(-m)
    masses[-1] += (1 - q) * 0.5 * math.exp(-m) + q * 0.5
    points = 1 << (cells * steps + 1).bit_length()
    total = np.fft.irfft(np.fft.rfft(masses, points) ** steps, points)
    sums = steps * lowest + width * np.arange(points)

    def delta_at(epsilon):
        above = sums > epsilon
        return float(np.sum(total[above] * -np.expm1(epsilon - sums[above])))

    low, high = 0.0, steps * highest
    if delta_at(0.0) <= delta:
        return 0.0
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if delta_at(middle) > delta else (low, middle)
    return low


def many_case(rng):
    return {
        # Intervals of Laplace noise, whose losses end in atoms, bound too little.
        "kind": "gaussian",
        "noise": math.exp(rng.uniform(math.log(0.5), math.log(30.0))),
        "sampling_rate": math.exp(rng.uniform(math.log(1e-5), math.log(0.5))),
        "steps": int(math.exp(rng.uniform(math.log(4097), math.log(1e6)))),
        "delta": 10.0 ** rng.uniform(-200, -2),
    }


def binned(case, width):
    """Whole numbers of widths, and P's masses with such losses: of intervals of outcomes that are chosen so that each has exactly one.
    Only that of the last one is rounded down."""
    q = case["sampling_rate"]
    scale = case["noise"] * math.sqrt(2.0)

    def mass(x, y):
        # Of the noise without the record; differences of what is small.
        return 0.5 * (math.erfc(-y / scale) - math.erfc(-x / scale) if y < 0 else math.erfc(x / scale) - math.erfc(y / scale))

    def both(x, y):
        without = mass(x, y)
        # (P's mass, ln of its ratio to Q's), whose difference q (R - Q) is not lost in Q.
        moved = q * (mass(x - 1.0, y - 1.0) - without)
        # Too little for its digits: to the right, or to the left.
        if without == 0 or moved <= -without:
            return max(without + moved, 0.0), math.inf if y > 0 else -math.inf
        return without + moved, math.log1p(moved / without)

    far = 38.0 * case["noise"]
    index, at, indices, masses = math.floor(math.log1p(-q) / width) + 1, -far, [], []
    while True:
        p, loss = both(at, far + 1.0)
        if p < 1e-290:
            break
        if loss < index * width:
            # All that is left: its loss is rounded down, and is no smaller than that of the interval before.
            indices.append(max(math.floor(loss / width), indices[-1]))
            masses.append(p)
            break
        low, high = at, far + 1.0
        for _ in range(80):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if both(at, middle)[1] < index * width else (low, middle)
        indices.append(index)
        masses.append(both(at, low)[0])
        at = low
        # Some way above the loss where the next one begins; rare large losses need no fine intervals.
        begins = both(at, at + 1e-3 * min(case["noise"], 1.0))[1] / width
        index = max(index + 1, math.ceil(begins + 0.5), index + index // 50)
    return np.array(indices), np.array(masses)


def many_lower(case):
    """A lower bound of epsilon: the binned steps, composed by a transform under a tilt, which makes tiny deltas as exact as others."""
    q, noise, steps = case["sampling_rate"], case["noise"], case["steps"]
    log_delta = math.log(case["delta"]) + 1e-5
    width = 0.05 * min(q * math.sqrt(math.expm1(min(1.0 / noise**2, 8.0))), 0.3)
    index, masses = binned(case, width)
    index, masses = index[masses > 0], masses[masses > 0]
    losses, logs = width * index, np.log(masses)

    def cumulants(s):
        exponents = logs + s * losses
        top = exponents.max()
        weights = np.exp(exponents - top)
        total = weights.sum()
        mean = float((weights * losses).sum() / total)
        return top + math.log(total), mean, float((weights * (losses - mean) ** 2).sum() / total)

    def log_delta_about(s):
        k, mean, variance = cumulants(s)
        return steps * (k - s * mean) - math.log(1 + s * math.sqrt(2 * math.pi * steps * variance) * (1 + s))

    low, high = -12.0, 14.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if log_delta_about(math.exp(middle)) > log_delta else (low, middle)
    s = math.exp(high)
    k, mean, variance = cumulants(s)
    deviation = math.sqrt(steps * variance)
    points = 1 << max(10, math.ceil(math.log2(80.0 * deviation / width)))
    if points > 1 << 23 or deviation < 4 * width:
        raise ValueError("no grid fits")
    center = round(steps * mean / width)
    bottom = center - points // 2
    tilted = np.zeros(points)
    np.add.at(tilted, index % points, np.exp(logs + s * losses - k))
    total = np.fft.irfft(np.fft.rfft(tilted) ** steps, points)
    total = np.roll(total, -(bottom % points))
    sums = width * (bottom + np.arange(points))
    # What folds into the window, by Chernoff's bound on either side.
    outside = 0.0
    for sign, end in ((1, sums[-1]), (-1, sums[0])):
        tries = [sign * factor / deviation for factor in (5.0, 10.0, 15.0, 20.0)]
        outside += math.exp(min(0.0, min(steps * (cumulants(s + h)[0] - k) - h * end for h in tries)))
    error = 1e-11 + 4e-16 * steps + outside

    def log_delta_at(epsilon):
        over = sums > epsilon
        distance = sums[over] - epsilon
        weighted = np.exp(-s * distance) * -np.expm1(-distance)
        amount = float((total[over] * weighted).sum() - error)
        return steps * k - s * epsilon + math.log(amount) if amount > 0 else -math.inf

    # Further down, errors are all that is seen under this tilt.
    low, high = max(0.0, steps * mean - 10 / s), float(sums[-1])
    if log_delta_at(low) <= log_delta:
        return 0.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if log_delta_at(middle) > log_delta else (low, middle)
    # The intervals' losses are rounded.
    return low - 1e-12 * steps * width - 1e-12 * steps * q


def compute(case):
    """The truth as text (40 digits), or what kept it from being computed."""
    if "epsilon" in case:
        return {"truth": mpmath.nstr(one_step_truth(case), 40)}
    try:
        lower = many_lower if case["steps"] > 4096 else composed_lower
        return {"truth": repr(float(lower(case)))}
    except (ValueError, MemoryError) as error:
        return {"skipped": str(error)}


def truths(cases, path):
    """Each case with its truth; those that the file has aren't computed again."""
    known = {}
    if path:
        with open(path, "a+", encoding="utf-8") as file:
            file.seek(0)
            for line in file:
                if line.endswith("\n"):
                    known |= {json.dumps(entry["case"]): entry["found"] for entry in [json.loads(line)]}
                else:
                    # Stopped while writing: the half line is ended, and its case computed again.
                    file.write("\n")
            file.flush()
            for case in cases:
                key = json.dumps(case)
                if key not in known:
                    known[key] = compute(case)
                    file.write(json.dumps({"case": case, "found": known[key]}) + "\n")
                    file.flush()
                yield case, known[key]
    else:
        for case in cases:
            yield case, compute(case)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("one_step", nargs="?", type=int, default=8_000)
    parser.add_argument("composed", nargs="?", type=int, default=2_000)
    parser.add_argument("many", nargs="?", type=int, default=2_000)
    parser.add_argument("--truths")
    arguments = parser.parse_args()
    rng = random.Random(SEED)
    cases = [one_step_case(rng) for _ in range(arguments.one_step)]
    cases += [composed_case(rng) for _ in range(arguments.composed)]
    rng = random.Random(SEED + 1)
    cases += [many_case(rng) for _ in range(arguments.many)]
    if arguments.program == "-":
        for number, _ in enumerate(truths(cases, arguments.truths)):
            if number % 1000 == 999:
                print(number + 1, "done", flush=True)
        return 0
    lines = "\n".join(json.dumps(case) for case in cases)
    run = subprocess.run([arguments.program], input=lines, capture_output=True, text=True, check=True)
    answers = run.stdout.splitlines()
    assert len(answers) == len(cases)
    below = above = skipped = 0
    widest = 0.0
    for number, ((case, found), line) in enumerate(zip(truths(cases, arguments.truths), answers)):
        answer = json.loads(line)
        if "skipped" in found:
            skipped += 1
            print("skipped", case, found["skipped"])
            continue
        one_step = "epsilon" in case
        truth = mpmath.mpf(found["truth"])
        tolerance = mpmath.mpf(10) ** -30 if one_step else mpmath.mpf("1e-9")
        for name in ("upper", "rdp"):
            bound = answer[name]
            if bound is not None and mpmath.mpf(bound) < truth * (1 - tolerance):
                below += 1
                print("BELOW", name, case, bound, found["truth"])
        if one_step:
            if mpmath.mpf(answer["lower"]) > truth * (1 + mpmath.mpf(10) ** -12) + mpmath.mpf(10) ** -300:
                above += 1
                print("LOWER BOUND ABOVE", case, answer["lower"], found["truth"])
        elif truth > 0.01 and answer["upper"] != "inf":
            widest = max(widest, float(answer["upper"] / truth - 1))
        if number % 1000 == 999:
            print(number + 1, "done", flush=True)
    print(f"{len(cases) - skipped} cases: {below} below the truth, {above} lower bounds above it, {skipped} skipped")
    print(f"composed: at most {widest:.4f} above the lower bound, relative")
    return 1 if below or above else 0


if __name__ == "__main__":
    sys.exit(main())
