"""The sentences for what keeps R from serving the handler."""

import os
from typing import cast


def not_run(error: OSError) -> str:
    """R itself could not be started; most likely it is not there."""
    hint = "; is this the image for R?" if isinstance(error, FileNotFoundError) else ""
    return f"Rscript cannot be run ({error.strerror}){hint}"


def ended(label: str, reason: str) -> str:
    """The process ended before it said anything."""
    return f"handler {label}: {reason} while it loaded {_file(label)}; the log has its output"


def told(label: str, failure: object) -> str:
    """What worker.R's load_file found: [kind, details...]."""
    what, *details = cast("list[object]", failure)
    file, function = _file(label), label.partition(":")[2]
    detail = details[0] if details else ""
    line = details[1] if len(details) > 1 else 0
    match what:
        case "missing file":
            text = f"there is no {file} in {os.getcwd()}"
        case "syntax":
            text = f"{file} cannot be parsed: {str(detail).splitlines()[0]}"
        case "package":
            text = (
                f"{file} needs the package {detail!r} (line {line}), which is not installed; "
                f"add r-cran-{str(detail).lower()} to the version's dependencies file"
            )
        case "raised":
            text = f"loading {file} failed at line {line}: {detail}"
        case "missing function":
            names = ", ".join(cast("list[str]", detail)) or "no function"
            text = f"{file} has no {function!r}; it defines {names}"
        case "no function":
            text = f"{function!r} of {file} is not a function: it is a {detail}"
        case _:
            text = f"{function!r} of {file} has no formal arguments that can be read"
    return f"handler {label}: {' '.join(text.splitlines())}"


def _file(label: str) -> str:
    return label.partition(":")[0] + ".R"
