"""Defects of other maskers of places, each shown by numbers, beside this project's masks on the same measures.

    python -m venv venv && venv/bin/pip install maskmypy numpy && venv/bin/pip install --no-deps geoprivacy
    venv/bin/python benches/places_peers.py target/release/burn-privacy

GeoPrivacy imports the commercial gurobipy; an empty module stands in for it, since only its Laplace noise is run.
"""

import csv
import math
import subprocess
import sys
import tempfile
import types
import warnings
from pathlib import Path

import numpy as np

warnings.filterwarnings("ignore")
POINTS = 100_000
HOME = (60.0, 10.0)
METERS = 111_412.0, 55_800.0  # of a degree of latitude and of longitude at 60 degrees north


def evenness(name, east, north, outer):
    """Directions: chi-square of 36 sectors (35 freedoms; above 90 by chance once in a million). Radii: share of the area."""
    sectors, _ = np.histogram(np.arctan2(east, north), 36, (-math.pi, math.pi))
    expected = len(east) / 36
    chi_square = ((sectors - expected) ** 2 / expected).sum()
    radii = ""
    if outer < math.inf:
        inner = (np.hypot(east, north) <= outer / math.sqrt(2)).mean()
        radii = f"   within half of the area {inner:.3f} (even: 0.5)"
    print(f"{name:44} chi-square {chi_square:9.1f}{radii}")


def handout():
    noise = np.random.default_rng(1).normal(0, 0.01, (POINTS, 2))
    north, east = noise[:, 0] * METERS[0], noise[:, 1] * METERS[1]
    evenness("handout, 0.01 degrees each way, at 60 N", east, north, math.inf)
    hundred = math.hypot(north[:100].mean(), east[:100].mean())
    print(f"{'':44} 100 reports of one home: off by {hundred:.0f} m, one by {np.hypot(north, east).mean():.0f} m")


def maskmypy_donut():
    import geopandas
    import maskmypy
    from shapely.geometry import Point

    x, y = 600_000, 6_650_000
    homes = geopandas.GeoDataFrame(geometry=[Point(x, y)] * POINTS, crs="EPSG:32632")
    masked = maskmypy.donut(homes, 0, 1_000, seed=1)
    evenness("MaskMyPy donut, 0 to 1,000 m", np.asarray(masked.geometry.x) - x, np.asarray(masked.geometry.y) - y, 1_000)


def geoprivacy():
    for name in ("gurobipy",):
        module = types.ModuleType(name)
        module.GRB = None
        sys.modules[name] = module
    try:
        from GeoPrivacy.mechanism import batch_laplace_noise
    except ImportError as error:
        print(f"{'GeoPrivacy':44} not run: {error}")
        return
    noise = np.asarray(batch_laplace_noise(1_000, 0.01, seed=7))
    angles = np.unique(np.round(np.arctan2(noise[:, 1], noise[:, 0]), 9))
    print(f"{'GeoPrivacy, a batch of 1,000 with a seed':44} {len(angles)} different direction(s)")
    import GeoPrivacy

    # Its text is read, not run: it would need the solver.
    source = (Path(GeoPrivacy.__file__).parent / "processor.py").read_text()
    fixed = "self.metric, epsilon=0.5)" in source
    print(f"{'GeoPrivacy, optimal mechanism':44} epsilon given is {'ignored: 0.5 is written in its place' if fixed else 'used'}")


def ours(command):
    with tempfile.TemporaryDirectory() as folder:
        homes, moved = Path(folder) / "homes.csv", Path(folder) / "moved.csv"
        homes.write_text("latitude,longitude\n" + f"{HOME[0]},{HOME[1]}\n" * POINTS)
        for method, parameters, outer in [
            ("disc", ["--radius", "1000"], 1_000),
            ("donut", ["--inner", "0", "--radius", "1000"], 1_000),
            ("planar-laplace", ["--epsilon", "0.002"], math.inf),
        ]:
            arguments = [command, "anonymize", "places", "mask", homes, "--method", method, *parameters]
            subprocess.run([*arguments, "--output", moved, "--force"], check=True, stdout=subprocess.DEVNULL)
            rows = [(float(row["latitude"]), float(row["longitude"])) for row in csv.DictReader(moved.open())]
            degrees = np.asarray(rows) - HOME
            evenness(f"this project, {method}, at 60 N", degrees[:, 1] * METERS[1], degrees[:, 0] * METERS[0], outer)


if __name__ == "__main__":
    handout()
    maskmypy_donut()
    geoprivacy()
    if len(sys.argv) > 1:
        ours(sys.argv[1])
