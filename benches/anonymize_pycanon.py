"""pyCANON's k, l and t of releases, beside what the command says of them.

    python -m venv venv && venv/bin/pip install pycanon
    cargo build --release -p burn-privacy-cli
    venv/bin/python benches/anonymize_pycanon.py FOLDER [--command target/release/burn-privacy]

FOLDER holds a table `adult.csv` (separator `;`) with ARX's hierarchies `*hierarchy_COLUMN.csv`. Each kind of release is written by
the command and read by pyCANON, and the script fails if pyCANON finds a smaller k or l, or a larger t, than was asked for.
Freeform recodings have no classes, which pyCANON counts; they are left out. pyCANON 1.3.6 says t-closeness of a text column by the
equal distance and of a number column by the ordered one.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import pandas
from pycanon import anonymity

QUASI = ["sex", "age", "race", "marital-status", "education", "native-country", "workclass", "salary-class"]
CASES = [
    ("search", "--k 5 --suppression 0.02"),
    ("search", "--k 5 --suppression 1 --distinct-l 3 --sensitive occupation"),
    ("search", "--k 5 --suppression 1 --entropy-l 3 --sensitive occupation"),
    ("search", "--k 5 --suppression 1 --equal-t 0.2 --sensitive occupation"),
    ("recode", "--k 5 --method mondrian"),
    ("recode", "--k 5 --method mondrian-strict"),
    ("recode", "--k 5 --method mondrian-relaxed"),
    ("recode", "--k 5 --method top-down"),
    ("recode", "--k 5 --method k-member"),
    ("recode", "--k 5 --method clusters --passes 1"),
    ("recode", "--k 5 --method iterated"),
    ("recode", "--k 5 --method mondrian --distinct-l 3 --sensitive occupation"),
    ("recode", "--k 5 --method k-member --distinct-l 3 --sensitive occupation"),
    ("recode", "--k 5 --method mondrian-relaxed --equal-t 0.2 --sensitive occupation"),
    ("recode", "--k 5 --method top-down --recursive-l 3 --recursive-c 2 --sensitive occupation"),
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--command", default="target/release/burn-privacy")
    given = parser.parse_args()
    wrong = 0
    for command, options in CASES:
        with tempfile.TemporaryDirectory() as folder:
            output = pathlib.Path(folder) / "release.csv"
            words = [given.command, "anonymize", command, str(given.folder / "adult.csv"), "--separator", ";",
                     "--hierarchies", str(given.folder), "--output", str(output), "--json", *options.split()]
            if command == "recode":
                words.append("--no-bound")
            said = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
            table = pandas.read_csv(output, sep=";", dtype=str, keep_default_na=False)
        quasi = [name for name in [*QUASI, "occupation"] if name in table.columns]
        asked = dict(zip(options.split()[::2], options.split()[1::2]))
        sensitive = asked.get("--sensitive")
        if sensitive:
            quasi.remove(sensitive)
        k = anonymity.k_anonymity(table, quasi)
        line, good = f"k {k}", k == said["class_min"] and k >= int(asked["--k"])
        if sensitive:
            l = anonymity.l_diversity(table, quasi, [sensitive])
            line += f", l {l}"
            good &= l >= int(asked.get("--distinct-l", 1))
            if "--entropy-l" in asked:
                entropy = anonymity.entropy_l_diversity(table, quasi, [sensitive])
                line += f", entropy l {entropy}"
                good &= entropy >= int(float(asked["--entropy-l"]))
            if "--recursive-c" in asked:
                c, recursive = anonymity.recursive_c_l_diversity(table, quasi, [sensitive])
                line += f", recursive ({c}, {recursive})"
            if "--equal-t" in asked:
                # pyCANON compares with the release, we with the whole table: the same where nothing is suppressed.
                t = anonymity.t_closeness(table, quasi, [sensitive])
                line += f", t {t:.4f} (suppressed {said['suppressed']})"
                good &= t <= float(asked["--equal-t"]) + 1e-9 or said["suppressed"] > 0
        print(f"{'ok   ' if good else 'WRONG'} {command} {options}: {line}", flush=True)
        wrong += not good
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
