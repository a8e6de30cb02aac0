"""`python -m bench bench|drill [NAME ...]`: run the benchmarks in sequence and record the figures.

Each benchmark is a separate module that prints a line `ok ...` or `FAIL ...` per figure; these
lines become its section of bench/RESULTS.md. A benchmark whose name is missing in KINDS runs only
by its module, for example `python -m bench.traffic NAME`. Exits with 1 if a figure misses its
limit.
"""

import argparse
import subprocess
import sys

from bench import command, record

KINDS: dict[str, dict[str, tuple[str, ...]]] = {
    "bench": {
        "preview": ("bench.preview", "100", "1000"),
        "traffic": (
            "bench.traffic",
            *("split", "split-while-others-change", "sticky", "header", "mirror", "failover"),
            *("among-200", "change-1", "change-200", "change-200-full"),
            *("change-200-whole", "change-200-full-whole", "change-200-whole-two-traefiks"),
        ),
        "harness": ("bench.harness", "python", "pythons", "peers", "r", "steady", "start"),
        "events": ("bench.events", "latency", "scale"),
    },
    "drill": {
        "events-kills": ("bench.events", "kills"),
        "events-api-server": ("bench.events", "apiserver"),
        "events-outage": ("bench.events", "outage"),
        "promotion": (
            "bench.traffic",
            *("steady", "killed-pods", "killed-pods-with-failover"),
            *("killed-processes", "killed-processes-with-failover"),
        ),
        "attack": ("bench.harness", "memory", "killed", "fuzz"),
    },
}
_SAYS = ("ok ", "FAIL ")


def _run(name: str, arguments: tuple[str, ...]) -> bool:
    """Print the benchmark's output while it runs; keep the lines with figures."""
    print(f"== {name}: python -m {' '.join(arguments)}", flush=True)
    lines = []
    with subprocess.Popen(
        [sys.executable, "-m", *arguments], stdout=subprocess.PIPE, text=True, cwd=record.ROOT
    ) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            if line.startswith(_SAYS):
                lines.append(" ".join(line.split()))
    if process.returncode:
        lines.append(f"ended with status {process.returncode}")
    record.write(name, f"python -m {' '.join(arguments)}", lines)
    return process.returncode == 0


def main() -> int:
    """Run the benchmarks that the command line names, or all of a kind."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("names", nargs="*", metavar="NAME")
    arguments = parser.parse_args()
    benchmarks = KINDS[arguments.kind]
    names = command.chosen(parser, arguments.names, benchmarks)
    holds = [_run(name, benchmarks[name]) for name in names]
    return 0 if all(holds) else 1


if __name__ == "__main__":
    sys.exit(main())
