"""`python -m tests.chaos [--seconds N] [--seed S]`: one session; on failure its folder is kept."""

from __future__ import annotations

import argparse
import random
import shutil
import sys

from tests.chaos.session import make_folder, run_session


def main() -> int:
    parser = argparse.ArgumentParser(prog="nox -s chaos --", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--keep", action="store_true", help="keep the folder also where nothing is wrong")
    options = parser.parse_args()
    again = f"nox -s chaos -- --seconds {options.seconds:g} --seed {options.seed}"
    folder = make_folder(options.seed)
    print(f"chaos: seed {options.seed}, {options.seconds:g} s; in {folder}", flush=True)
    report = run_session(options.seed, options.seconds, folder)
    print(report.summary)
    if report.faults:
        print(f"FAILED: {len(report.faults)} faults")
        print(*report.faults[:20], sep="\n")
        print(f"The journals and logs are in {folder}; again: {again}")
        return 1
    if not options.keep:
        shutil.rmtree(folder)
    print("Nothing was lost, stuck or doubled without a cause.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
