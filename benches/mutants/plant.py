#!/usr/bin/env python3
"""Plants the faults of mutants.toml in a copy of the sources, one at a time, and says which tests catch each.

    python3 benches/mutants/plant.py /tmp/planted light     # a few minutes: crates without Burn
    python3 benches/mutants/plant.py /tmp/planted burn      # those with it; CARGO_TARGET_DIR may name a built target

All faults of a group are compiled at once, each behind a question to the environment, so that there is one build: the variable
PLANTED names the fault that is on. The first run has none on, and must pass. A fault that no test catches ends this with an error.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

MOST_SECONDS = 600
ROOT = Path(__file__).resolve().parents[2]
QUESTION = '''
#[doc(hidden)]
#[allow(dead_code, missing_docs)]
pub(crate) fn planted(name: &str) -> bool {
    static ON: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    ON.get_or_init(|| std::env::var("PLANTED").ok()).as_deref() == Some(name)
}
'''


def copy(scratch):
    """The tracked files, and those that are new."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True)
    for name in listed.stdout.splitlines():
        source, target = ROOT / name, scratch / name
        if source.is_file():
            if target.is_file() and target.read_bytes() == source.read_bytes():
                continue  # its time stays, and with it what was built of it
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


def plant(scratch, mutants):
    """Puts all faults into the copy, switched off."""
    places, crates = {}, set()
    for mutant in mutants:
        crates.add("/".join(mutant["file"].split("/")[:2]))
        places.setdefault((mutant["file"], mutant["old"]), []).append(mutant)
    texts = {}
    for (file, old), at in places.items():
        text = texts.setdefault(file, (ROOT / file).read_text())
        if text.count(old) != 1:
            sys.exit(f"{at[0]['name']}: {old!r} stands {text.count(old)} times in {file}: mend mutants.toml")
        if at[0].get("kind") == "text":
            new = at[0]["new"]
        else:
            questions = "".join(f'if crate::planted("{m["name"]}") {{ {m["new"]} }} else ' for m in at)
            new = f"{{ {questions}{{ {old} }} }}"
        texts[file] = text.replace(old, new)
    for crate in crates:
        texts[f"{crate}/src/lib.rs"] = texts.get(f"{crate}/src/lib.rs", (ROOT / crate / "src/lib.rs").read_text()) + QUESTION
    for file, text in texts.items():
        if not (scratch / file).is_file() or (scratch / file).read_text() != text:
            (scratch / file).write_text(text)


def cargo(scratch, group, binary, tests, name=None, build_only=False):
    """Runs tests; gives the exit status, the names of those that failed, and what was printed."""
    selection = binary if group == "light" else "--workspace " + binary
    command = ["cargo", "test", "--release", *selection.split(), "--no-fail-fast"]
    command += ["--no-run"] if build_only else ["--", *[test for test in tests if test]]
    environment = {key: value for key, value in os.environ.items() if key != "PLANTED"}
    if name:
        environment["PLANTED"] = name
    with subprocess.Popen(
        command, cwd=scratch, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        errors="replace", start_new_session=True,
    ) as run:
        try:
            text = run.communicate(timeout=None if build_only or not name else MOST_SECONDS)[0]
        except subprocess.TimeoutExpired:
            os.killpg(run.pid, signal.SIGKILL)
            return 1, ["a test that does not end"], run.communicate()[0]
    return run.returncode, re.findall(r"^test (\S+) \.\.\. FAILED$", text, re.M), text


def main():
    scratch, group = Path(sys.argv[1]), sys.argv[2]
    only = sys.argv[3:]
    mutants = [m for m in tomllib.loads((Path(__file__).parent / "mutants.toml").read_text())["mutant"] if m["group"] == group]
    scratch.mkdir(parents=True, exist_ok=True)
    copy(scratch)
    plant(scratch, mutants)
    chosen = [m for m in mutants if not only or m["name"] in only]
    sound, caught, survivors = set(), 0, []
    print("| fault | caught by |\n|---|---|", flush=True)
    for mutant in chosen:
        binary, tests = mutant["binary"], mutant["tests"]
        if (binary, *tests) not in sound:
            status, failed, text = cargo(scratch, group, binary, tests)
            if status != 0:
                print(text[-6000:])
                sys.exit(f"without a fault {failed or 'the build'} failed")
            sound.add((binary, *tests))
        status, failed, text = cargo(scratch, group, binary, tests, mutant["name"])
        if failed:
            caught += 1
            more = f" and {len(failed) - 3} more" if len(failed) > 3 else ""
            print(f"| {mutant['name']} | {', '.join(f'`{name}`' for name in failed[:3])}{more} |", flush=True)
        else:
            survivors.append(mutant["name"])
            print(f"| {mutant['name']} | **nothing** (status {status}) |", flush=True)
            if status != 0:
                print(text[-3000:])
    print(f"\n{caught} of {len(chosen)} faults are caught")
    if survivors:
        sys.exit(f"not caught: {survivors}")


if __name__ == "__main__":
    main()
