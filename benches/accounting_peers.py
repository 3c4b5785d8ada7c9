"""Privacy accounting side by side: this library, dp-accounting, Opacus and prv-accountant, in one run.

Install the peers (any may be missing; Opacus' accountants do without its dependencies), build our side and run:

    python3 -m venv peers
    peers/bin/pip install dp-accounting==0.6.0 prv-accountant==0.2.0
    peers/bin/pip install --no-deps opacus==1.6.0
    cargo build --release -p burn-privacy-accounting --example accounting_times
    peers/bin/python benches/accounting_peers.py

Every answer is computed from nothing in a process that is already running: start-ups, imports and pipes are not timed.
The contenders take turns, one measurement each per round, so that a busy machine slows all alike; one that took more
than 5 s is not measured again unless --slow-rounds says so. Times differ between machines: quote the ratios.

    Answer          the upper bound, or the calibrated noise multiplier
    Certified width upper minus lower bound; "-" if no lower bound is certified. A peer with a wider one did less
    Error           the limits of the answer's error, by our bracket; the difference from our answer if that has no
                    lower bound. Above 0 is looser than need be; an upper bound with both limits below 0 is wrong
"""

import argparse
import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import distributions
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any, NamedTuple

try:
    import dp_accounting
    from dp_accounting import pld, rdp
except ImportError:
    dp_accounting = None
try:
    import prv_accountant
except ImportError:
    prv_accountant = None

OURS = Path(__file__).resolve().parent.parent / "target/release/examples/accounting_times"
SLOW_SECONDS = 5.0
DELTA = 1e-5
CALIBRATION: dict[str, Any] = {"sampling_rate": 0.005, "steps": 2_000, "epsilon": 3.0}


class Phase(NamedTuple):
    """A run of equal DP-SGD steps."""

    sampling_rate: float
    noise_multiplier: float
    steps: int


class Result(NamedTuple):
    answer: float
    lower: float | None = None


# A name, and what gives the seconds of one computation and its result: None for a peer that is not installed.
Contender = tuple[str, Callable[[], tuple[float, Result]] | None]
Measured = dict[str, tuple[list[float], Result]]


def load_opacus() -> tuple[Any, Any] | None:
    """Opacus' RDP accountant and calibration, without PyTorch: the package's root and optimizers stay unloaded."""
    spec = importlib.util.find_spec("opacus")
    if spec is None:
        return None
    package, optimizers = ModuleType("opacus"), ModuleType("opacus.optimizers")
    package.__path__ = list(spec.submodule_search_locations or [])
    # The accountants import this name for an annotation only.
    setattr(optimizers, "DPOptimizer", object)
    sys.modules.update({"opacus": package, "opacus.optimizers": optimizers})
    try:
        from opacus.accountants import RDPAccountant
        from opacus.accountants.utils import get_noise_multiplier
    except ImportError:
        return None
    return RDPAccountant, get_noise_multiplier


OPACUS: Any = load_opacus()


def ask_ours(process: subprocess.Popen[str], query: dict[str, Any]) -> tuple[float, Result]:
    """Our example times itself; `process` is kept running."""
    assert process.stdin and process.stdout
    print(json.dumps(query | {"delta": DELTA, "runs": 1}), file=process.stdin, flush=True)
    fields = json.loads(process.stdout.readline() or '{"error": "it ended"}')
    if "error" in fields:
        raise RuntimeError(f"our side, asked {query}: {fields['error']}")
    return fields["median_ms"] / 1e3, Result(fields["answer"], fields.get("lower"))


def dp_accountant(grid: float | None) -> Any:
    """dp-accounting's by RDP, or by PLD on a grid."""
    return rdp.RdpAccountant() if grid is None else pld.PLDAccountant(value_discretization_interval=grid)


def dp_event(rate: float, noise_multiplier: float, steps: int) -> Any:
    step = dp_accounting.PoissonSampledDpEvent(rate, dp_accounting.GaussianDpEvent(noise_multiplier))
    return dp_accounting.SelfComposedDpEvent(step, steps)


def dp_epsilon(grid: float | None, *phases: Phase) -> Result:
    accountant = dp_accountant(grid)
    for phase in phases:
        accountant.compose(dp_event(*phase))
    return Result(accountant.get_epsilon(DELTA))


def dp_noise_multiplier(grid: float | None) -> Result:
    rate, steps, epsilon = CALIBRATION.values()
    accountant, event = partial(dp_accountant, grid), lambda noise: dp_event(rate, noise, steps)
    return Result(dp_accounting.calibrate_dp_mechanism(accountant, event, epsilon, DELTA))


def opacus_epsilon(phase: Phase) -> Result:
    accountant = OPACUS[0]()
    accountant.history = [(phase.noise_multiplier, phase.sampling_rate, phase.steps)]
    return Result(accountant.get_epsilon(DELTA))


def opacus_noise_multiplier() -> Result:
    rate, steps, epsilon = CALIBRATION.values()
    return Result(OPACUS[1](target_epsilon=epsilon, target_delta=DELTA, sample_rate=rate, steps=steps))


def prv_epsilon(eps_error: float, phase: Phase) -> Result:
    rate, noise, steps = phase
    step = prv_accountant.PoissonSubsampledGaussianMechanism(sampling_probability=rate, noise_multiplier=noise)
    accountant = prv_accountant.PRVAccountant(
        prvs=[step], eps_error=eps_error, delta_error=DELTA / 1000, max_self_compositions=[steps]
    )
    lower, _, upper = accountant.compute_epsilon(DELTA, [steps])
    return Result(upper, lower)


def peer(name: str, library: Any, compute: Callable[..., Result], *arguments: Any) -> Contender:
    def measure() -> tuple[float, Result]:
        start = time.perf_counter()
        result = compute(*arguments)
        return time.perf_counter() - start, result

    return name, measure if library else None


def questions(process: subprocess.Popen[str]) -> dict[str, list[Contender]]:
    """Who answers what."""

    def ours(name: str = "ours", **query: Any) -> Contender:
        return name, partial(ask_ours, process, query)

    asked: dict[str, list[Contender]] = {}
    for steps in (2_000, 100_000):
        phase = Phase(0.005, 1.1, steps)
        asked[f"epsilon by RDP, {steps} steps"] = [
            ours(query="epsilon", accountant="rdp", **phase._asdict()),
            peer("dp-accounting", dp_accounting, dp_epsilon, None, phase),
            peer("Opacus", OPACUS, opacus_epsilon, phase),
        ]
        # The truth at 2000 steps is 1.007673204.
        asked[f"epsilon by PLD, {steps} steps"] = [
            ours(query="epsilon", accountant="pld", **phase._asdict()),
            peer("dp-accounting, grid 1e-4", dp_accounting, dp_epsilon, 1e-4, phase),
            # Where the peer's error is below our default width, ours at a width of that error.
            ours("ours, accuracy 2e-5", query="epsilon", accountant="pld", accuracy=2e-5, **phase._asdict()),
            peer("dp-accounting, grid 1e-5", dp_accounting, dp_epsilon, 1e-5, phase),
            ours("ours, accuracy 2e-7", query="epsilon", accountant="pld", accuracy=2e-7, **phase._asdict()),
            peer("prv-accountant, eps_error 0.01", prv_accountant, prv_epsilon, 0.01, phase),
        ]
    # Ours stops at a relative 1e-9 in the noise multiplier, dp-accounting at 1e-6, Opacus at 0.01 in epsilon.
    asked["noise multiplier for epsilon 3 by RDP, 2000 steps"] = [
        ours(query="noise_multiplier", accountant="rdp", **CALIBRATION),
        peer("dp-accounting", dp_accounting, dp_noise_multiplier, None),
        peer("Opacus", OPACUS, opacus_noise_multiplier),
    ]
    asked["noise multiplier for epsilon 3 by PLD, 2000 steps"] = [
        ours(query="noise_multiplier", accountant="pld", **CALIBRATION),
        peer("dp-accounting, grid 1e-4", dp_accounting, dp_noise_multiplier, 1e-4),
    ]
    phases = [Phase(0.01, 1.0, 500), Phase(0.01, 2.0, 1_000)]
    asked["epsilon by PLD, rate 0.01: 500 steps with noise 1, 1000 with noise 2"] = [
        ours(query="epsilon", accountant="pld", phases=[phase._asdict() for phase in phases]),
        peer("dp-accounting, grid 1e-4", dp_accounting, dp_epsilon, 1e-4, *phases),
    ]
    return asked


def measure(contenders: list[Contender], rounds: int, slow_rounds: int) -> Measured:
    """Every installed contender's times and its result, by name."""
    measured: Measured = {}
    for _ in range(rounds):
        for name, measure_one in contenders:
            times = measured[name][0] if name in measured else []
            if measure_one and len(times) < (slow_rounds if max(times, default=0.0) > SLOW_SECONDS else rounds):
                seconds, result = measure_one()
                measured[name] = (times + [seconds], result)
    return measured


def row(question: str, contender: str, measured: Measured) -> str:
    """A line of the table."""
    if contender not in measured:
        return line(question, contender, "not installed", *[""] * 5)
    (our_times, ours), (times, (answer, lower)) = measured["ours"], measured[contender]
    seconds, ratio = median(times), median(times) / median(our_times)
    error = f"{answer - ours.answer:+.1e}" + ("" if ours.lower is None else f" to {answer - ours.lower:+.1e}")
    return line(
        *(question, contender, f"{seconds:.2f} s" if seconds >= 1.0 else f"{1e3 * seconds:.3f} ms", str(len(times))),
        *(f"{answer:.9g}", "-" if lower is None else f"{answer - lower:.1e}", error),
        f"{ratio:,.0f}" if ratio >= 100.0 else f"{ratio:.3g}",
    )


def line(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description="Times this library beside its peers, as a Markdown table.")
    parser.add_argument("--ours", type=Path, default=OURS, help="the built example accounting_times")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each contender (default 5)")
    parser.add_argument("--slow-rounds", type=int, default=1, help="of one that takes over 5 s (default 1)")
    parser.add_argument("--only", default="", metavar="TEXT", help="only questions with this text in their title")
    args = parser.parse_args()
    if min(args.rounds, args.slow_rounds) < 1:
        parser.error("--rounds and --slow-rounds must be at least 1")
    if not args.ours.is_file():
        build = "cargo build --release -p burn-privacy-accounting --example accounting_times"
        sys.exit(f"{args.ours} does not exist: run `{build}` in the repository, or say where it is with --ours")

    versions = {found.name.replace("_", "-"): found.version for found in distributions()}
    names = ["dp-accounting", "opacus", "prv-accountant", "numpy", "scipy"]
    print(", ".join(f"{name} {versions.get(name, 'not installed')}" for name in names))
    print("Sampling rate 0.005, noise multiplier 1.1 and delta 1e-5 unless said.\n")
    columns = ["Question", "Contender", "Median", "Runs", "Answer", "Certified width", "Error", "Time / ours"]
    print(line(*columns), line(*["---"] * len(columns)), sep="\n", flush=True)
    with subprocess.Popen([args.ours], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        for question, contenders in questions(process).items():
            if args.only in question:
                measured = measure(contenders, args.rounds, args.slow_rounds)
                print(*[row(question, name, measured) for name, _ in contenders], sep="\n", flush=True)


if __name__ == "__main__":
    main()
