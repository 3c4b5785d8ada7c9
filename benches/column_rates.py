"""Rows a second of `burn-privacy anonymize apply` on 8 mixed columns, as CPU time, beside a plain copy and FF1.

    cargo build --release -p burn-privacy-cli
    python3 benches/column_rates.py target/release/burn-privacy 2000000

All treatments are measured in one run, so that their ratios hold on a busy machine; the rate on two quiet cores is about
twice the rate of one CPU second. Peak memory is that of the process.
"""

import os
import random
import subprocess
import sys
import tempfile
import time

COLUMNS = ["id", "email", "name", "city", "phone", "age", "amount", "date"]
HMAC = 'treatment = "pseudonym"\nmethod = "hmac"'
KEEP = 'treatment = "keep"'
MIXED = {
    "id": HMAC,
    "email": 'treatment = "pseudonym"\nmethod = "email"',
    "name": 'treatment = "pseudonym"\nmethod = "realistic"\nkind = "name"',
    "city": HMAC,
    "phone": 'treatment = "mask"\nlast = 2',
    "amount": 'treatment = "round"\nto = 10',
    "date": 'treatment = "shift-dates"\nsubject = "id"\ndays = 30',
}
SCHEMAS = {
    "all kept": {},
    "mixed: 3 HMAC, names, mask, round, dates, 1 kept": MIXED,
    "all 8 by HMAC": dict.fromkeys(COLUMNS, HMAC),
    "FF1 of the phone numbers alone": {"phone": 'treatment = "pseudonym"\nmethod = "ff1"'},
}


def rows(count):
    """Rows that differ in all but city and age within a block of 50,000, again and again."""
    pick = random.Random(5)
    names = ["Ann", "Bob", "Cid", "Dan", "Eva", "Fay", "Gus", "Hal", "Ida", "Joe"]
    block = []
    for place in range(50_000):
        first, last = pick.choice(names), pick.choice(names)
        number = pick.getrandbits(40)
        block.append(
            f"{10**7 + place},{first}.{last}{number % 10**6}@mail.example,{first} {last} {number % 997},"
            f"{'Bonn Graz Lyon Riga'.split()[place % 4]},+49 171 {number % 10**7:07d},{18 + number % 80},"
            f"{number % 10**6 / 100:.2f},{1990 + number % 30}-{1 + number % 12:02d}-{1 + number % 28:02d}\n"
        )
    text = "".join(block)
    for _ in range(max(1, count // 50_000)):
        yield text


def main():
    binary, count = os.path.abspath(sys.argv[1]), int(sys.argv[2])
    count = max(1, count // 50_000) * 50_000
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        with open("in.csv", "w") as file:
            file.write(",".join(COLUMNS) + "\n")
            file.writelines(rows(count))
        with open("key", "w") as file:
            file.write("1f" * 32)
        size = os.path.getsize("in.csv") / count
        print(f"{count} rows of {size:.0f} bytes")
        for name, treatments in SCHEMAS.items():
            with open("schema.toml", "w") as file:
                for column in COLUMNS:
                    treatment = treatments.get(column, KEEP)
                    role = "identifier" if treatment != KEEP else "insensitive"
                    file.write(f'[[column]]\nname = "{column}"\nrole = "{role}"\n{treatment}\n')
            command = [binary, "anonymize", "apply", "schema.toml", "in.csv", "out.csv", "--key", "key", "--force"]
            begun = time.monotonic()
            child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            _, status, usage = os.wait4(child.pid, 0)
            seconds = time.monotonic() - begun
            if status != 0:
                sys.exit(f"{name}: failed")
            cpu = usage.ru_utime + usage.ru_stime
            print(
                f"{name}: {count / seconds / 1e6:.2f} million rows a second, {count / cpu / 1e6:.2f} a CPU second ({usage.ru_utime:.2f} s user, "
                f"{usage.ru_stime:.2f} s system), {usage.ru_maxrss / 1024:.0f} MiB"
            )


main()
