"""What the command lines of the benchmarks have in common."""

import argparse
import os
import shutil
from collections.abc import Iterable

from bench.figures import Figure


def parser(module: str, about: str | None, names: Iterable[str]) -> argparse.ArgumentParser:
    """Takes the names of benchmarks, none for all, and by how much to make them smaller."""
    arguments = argparse.ArgumentParser(prog=f"python -m {module}", description=about)
    arguments.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names))
    arguments.add_argument("--scale", type=float, default=1.0, help="0.1: a tenth of the work")
    return arguments


def chosen(
    parser: argparse.ArgumentParser, names: Iterable[str], known_names: Iterable[str]
) -> list[str]:
    """Those that the command line names, or all. Ends the process where one is not `known`.

    Not argparse's `choices`, which refuses an empty list of names.
    """
    named, all_names = list(names), list(known_names)
    unknown = set(named) - set(all_names)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(all_names)}")
    return named or all_names


def need_cluster(parser: argparse.ArgumentParser) -> None:
    """End the process where no cluster is chosen: never the one that some file happens to name."""
    if not shutil.which("kubectl") or "KUBECONFIG" not in os.environ:
        parser.error('kubectl or its KUBECONFIG is missing: eval "$(make -s env)"')


def report(result: Figure | list[Figure]) -> bool:
    """Print what a benchmark found; whether all of it is as it must be."""
    figures = result if isinstance(result, list) else [result]
    for figure in figures:
        figure.print()
    return all(figure.holds for figure in figures)
