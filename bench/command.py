"""Common parts of the benchmarks' command lines."""

import argparse
import os
import shutil
from collections.abc import Iterable

from bench.figures import Figure


def parser(module: str, about: str | None, names: Iterable[str]) -> argparse.ArgumentParser:
    """Return a parser for names of benchmarks (none means all) and a scale."""
    arguments = argparse.ArgumentParser(prog=f"python -m {module}", description=about)
    arguments.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names))
    arguments.add_argument("--scale", type=float, default=1.0, help="0.1: a tenth of the work")
    return arguments


def chosen(
    parser: argparse.ArgumentParser, names: Iterable[str], known_names: Iterable[str]
) -> list[str]:
    """Return the named benchmarks, or all. Exits if a name is unknown.

    argparse's `choices` refuses an empty list of names.
    """
    named, all_names = list(names), list(known_names)
    unknown = set(named) - set(all_names)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(all_names)}")
    return named or all_names


def need_cluster(parser: argparse.ArgumentParser) -> None:
    """Exit if no cluster is selected: a default kubeconfig must not select one."""
    if not shutil.which("kubectl") or "KUBECONFIG" not in os.environ:
        parser.error('kubectl or its KUBECONFIG is missing: eval "$(make -s env)"')


def report(result: Figure | list[Figure]) -> bool:
    """Print the figures of a benchmark; return whether all limits hold."""
    figures = result if isinstance(result, list) else [result]
    for figure in figures:
        figure.print()
    return all(figure.holds for figure in figures)
