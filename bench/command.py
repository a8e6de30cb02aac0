"""What the command lines of the benchmarks have in common."""

import argparse
import os
import shutil
from collections.abc import Iterable

from bench.figures import Figure


def parser(module: str, about: str | None, known: Iterable[str]) -> argparse.ArgumentParser:
    """Takes the names of benchmarks, none for all, and by how much to make them smaller."""
    made = argparse.ArgumentParser(prog=f"python -m {module}", description=about)
    made.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    made.add_argument("--scale", type=float, default=1.0, help="0.1: a tenth of the work")
    return made


def chosen(
    parser: argparse.ArgumentParser, names: Iterable[str], known: Iterable[str]
) -> list[str]:
    """Those that the command line names, or all. Ends the process where one is not `known`.

    Not argparse's `choices`, which refuses an empty list of names.
    """
    named, there = list(names), list(known)
    unknown = set(named) - set(there)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(there)}")
    return named or there


def need_cluster(parser: argparse.ArgumentParser) -> None:
    """End the process where no cluster is chosen: never the one that some file happens to name."""
    if not shutil.which("kubectl") or "KUBECONFIG" not in os.environ:
        parser.error('kubectl or its KUBECONFIG is missing: eval "$(make -s env)"')


def told(found: Figure | list[Figure]) -> bool:
    """Print what a benchmark found; whether all of it is as it must be."""
    figures = found if isinstance(found, list) else [found]
    for figure in figures:
        figure.print()
    return all(figure.holds for figure in figures)
