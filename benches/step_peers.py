"""One training step side by side: Burn, this library, PyTorch and Opacus, in one run.

Install the peers (they may be missing), build our side and run:

    python3 -m venv peers
    peers/bin/pip install torch opacus
    cargo build --release --bin step_times --config 'profile.release.package.burn-dispatch.opt-level=1'
    peers/bin/python benches/step_peers.py --models handout_cnn,wide_mlp --rounds 5

A step is forward, backward and optimizer (SGD) on made-up data; with privacy also norms, clipping and noise. Every
measurement is a process of its own, so that its peak memory is its own: start, two steps not timed, `--steps` timed,
their median. The contenders take turns, so that a busy machine slows all alike; the table has the medians over the
rounds. Times differ between machines: quote the ratios.

    burn            Burn's own layers, no privacy
    layers          the same network through this library's layers, no privacy
    ours, DP        this library
    torch           PyTorch, no privacy
    opacus hooks    Opacus, per-sample gradients
    opacus ghost    Opacus, ghost clipping
    DP / plain      throughput with privacy over the faster plain one of the same framework
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

OURS = Path(__file__).resolve().parent.parent / "target/release/step_times"
MODELS = ["affordability_mlp", "wide_mlp", "handout_cnn", "tanh_cnn", "wrn16_4", "transformer"]
CONTENDERS = {
    "burn": ["ours", "stock"],
    "layers": ["ours", "layers"],
    "ours, DP": ["ours", "private"],
    "torch": ["torch", "plain"],
    "opacus hooks": ["torch", "hooks"],
    "opacus ghost": ["torch", "ghost"],
}


def torch_network(name):
    """The network of benches/models/networks.rs with this name, and a maker of inputs."""
    import torch
    from torch import nn
    from torch.nn import functional

    class Block(nn.Module):
        def __init__(self, channels_in, channels_out, stride):
            super().__init__()
            self.norm1, self.conv1 = nn.GroupNorm(16, channels_in), nn.Conv2d(channels_in, channels_out, 3, stride, 1)
            self.norm2, self.conv2 = nn.GroupNorm(16, channels_out), nn.Conv2d(channels_out, channels_out, 3, 1, 1)
            differs = channels_in != channels_out or stride != 1
            self.skip = nn.Conv2d(channels_in, channels_out, 1, stride) if differs else None

        def forward(self, x):
            h = functional.relu(self.norm1(x))
            residual = self.skip(h) if self.skip is not None else x
            return self.conv2(functional.relu(self.norm2(self.conv1(h)))) + residual

    class EncoderLayer(nn.Module):
        def __init__(self, width, heads):
            super().__init__()
            self.heads = heads
            self.query, self.key, self.value, self.merge = (nn.Linear(width, width) for _ in range(4))
            self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.feed1, self.feed2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

        def forward(self, x):
            batch, length, width = x.shape
            y = self.norm1(x)
            split = lambda z: z.view(batch, length, self.heads, width // self.heads).transpose(1, 2)
            heads = [split(layer(y)) for layer in (self.query, self.key, self.value)]
            attended = functional.scaled_dot_product_attention(*heads).transpose(1, 2).reshape(batch, length, width)
            x = x + self.merge(attended)
            return x + self.feed2(functional.gelu(self.feed1(self.norm2(x))))

    class Transformer(nn.Module):
        def __init__(self):
            super().__init__()
            self.tokens = nn.Embedding(1000, 128)
            self.layers = nn.ModuleList(EncoderLayer(128, 4) for _ in range(2))
            self.norm, self.output = nn.LayerNorm(128), nn.Linear(128, 10)

        def forward(self, x):
            x = self.tokens(x)
            for layer in self.layers:
                x = layer(x)
            return self.output(self.norm(x).mean(1))

    def images(batch):
        return torch.randn(batch, 3, 32, 32)

    if name == "affordability_mlp":
        return nn.Sequential(nn.Linear(4, 10), nn.ReLU(), nn.Linear(10, 1)), lambda batch: torch.randn(batch, 4)
    if name == "wide_mlp":
        layers = [nn.Linear(784, 1024), nn.ReLU(), nn.Linear(1024, 1024), nn.ReLU(), nn.Linear(1024, 10)]
        return nn.Sequential(*layers), lambda batch: torch.randn(batch, 784)
    if name == "handout_cnn":
        layers = [nn.Conv2d(3, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2)]
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(2304, 64), nn.ReLU(), nn.Linear(64, 10)), images
    if name == "tanh_cnn":
        layers, channels = [], 3
        for width in (32, 64, 128):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.Tanh()]
            layers += [nn.Conv2d(width, width, 3, padding=1), nn.Tanh(), nn.MaxPool2d(2)]
            channels = width
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(2048, 128), nn.Tanh(), nn.Linear(128, 10)), images
    if name == "wrn16_4":
        layers, channels = [nn.Conv2d(3, 16, 3, padding=1)], 16
        for width, stride in ((64, 1), (128, 2), (256, 2)):
            layers += [Block(channels, width, stride), Block(width, width, 1)]
            channels = width
        layers += [nn.GroupNorm(16, 256), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, 10)]
        return nn.Sequential(*layers), images
    return Transformer(), lambda batch: torch.randint(0, 1000, (batch, 64))


def torch_steps(name, mode, batch, steps, threads):
    """Times PyTorch or Opacus in this process and prints what step_times prints."""
    import resource
    import warnings

    import torch
    from torch import nn

    warnings.simplefilter("ignore")
    torch.set_num_threads(threads)
    model, inputs = torch_network(name)
    regression = name == "affordability_mlp"
    x = inputs(batch)
    y = torch.randn(batch, 1) if regression else torch.randint(0, 10, (batch,))
    criterion = nn.MSELoss() if regression else nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    if mode != "plain":
        from opacus import PrivacyEngine

        loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=batch)
        settings = {"module": model, "optimizer": optimizer, "data_loader": loader, "noise_multiplier": 1.1}
        settings |= {"max_grad_norm": 1.0, "poisson_sampling": False, "grad_sample_mode": mode}
        if mode == "ghost":
            model, optimizer, criterion, _ = PrivacyEngine().make_private(criterion=criterion, **settings)
        else:
            model, optimizer, _ = PrivacyEngine().make_private(**settings)
    times = []
    for step in range(steps + 2):
        start = time.perf_counter()
        optimizer.zero_grad()
        criterion(model(x), y).backward()
        optimizer.step()
        if step >= 2:
            times.append((time.perf_counter() - start) * 1e3)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"median_ms": median(times), "peak_mib": memory}))


def measure(contender, model, batch, steps, threads):
    """One measurement: (milliseconds a step, peak MiB), or the reason why there is none."""
    kind, mode = CONTENDERS[contender]
    if kind == "ours":
        command = [OURS, "--model", model, "--mode", mode, "--batch", str(batch), "--steps", str(steps)]
    else:
        command = [sys.executable, __file__, "--worker", mode, "--models", model, "--batch", str(batch)]
        command += ["--steps", str(steps), "--threads", str(threads)]
    environment = os.environ | {"RAYON_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        return (done.stderr.strip().splitlines() or ["failed"])[-1]
    found = json.loads(done.stdout.strip().splitlines()[-1])
    return found["median_ms"], found["peak_mib"]


def compare(model, args):
    """Measures every contender in turn and prints the model's table."""
    found = {contender: [] for contender in args.contenders}
    missing = {}
    for _ in range(args.rounds):
        for contender in args.contenders:
            if contender in missing:
                continue
            result = measure(contender, model, args.batch, args.steps, args.threads)
            if isinstance(result, str):
                missing[contender] = result
            else:
                found[contender].append(result)
    times = {name: median(time for time, _ in runs) for name, runs in found.items() if runs}

    def ratio(name):
        plain = ["burn", "layers"] if name == "ours, DP" else ["torch"] if name.startswith("opacus") else []
        plain = [times[other] for other in plain if other in times]
        return f"{min(plain) / times[name]:.2f}" if plain else ""

    print(f"\n{model}, batch {args.batch}, {args.threads} threads\n")
    print("| | ms a step | examples/s | DP / plain | peak MiB |")
    print("|---|---|---|---|---|")
    for name, runs in found.items():
        if not runs:
            print(f"| {name} | {missing[name]} | | | |")
            continue
        memory = median(memory for _, memory in runs)
        print(f"| {name} | {times[name]:.3g} | {args.batch / times[name] * 1e3:,.0f} | {ratio(name)} | {memory:.0f} |")
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default=",".join(MODELS), help="separated by commas")
    parser.add_argument("--contenders", default=";".join(CONTENDERS), help="separated by semicolons")
    parser.add_argument("--batch", type=int, default=250)
    parser.add_argument("--steps", type=int, default=5, help="timed steps of a measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        torch_steps(args.models, args.worker, args.batch, args.steps, args.threads)
        return
    args.contenders = args.contenders.split(";")
    unknown = set(args.contenders) - set(CONTENDERS) | set(args.models.split(",")) - set(MODELS)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    for model in args.models.split(","):
        compare(model, args)


if __name__ == "__main__":
    main()
