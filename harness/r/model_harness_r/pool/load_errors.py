"""Messages for handlers that R cannot load."""

import os
from typing import cast


def rscript_error(error: OSError) -> str:
    """Return the message for an R that cannot be started; most likely it is not installed."""
    hint = "; is this the image for R?" if isinstance(error, FileNotFoundError) else ""
    return f"cannot run Rscript ({error.strerror}){hint}"


def exit_error(label: str, reason: str) -> str:
    """Return the message for a process that ended before its first answer."""
    return f"handler {label}: {reason} while it loaded {_file(label)}; see its output in the log"


def load_error(label: str, failure: object) -> str:
    """Return the message for a failure of load_file in worker.R: [kind, details...]."""
    kind, *details = cast("list[object]", failure)
    file, function = _file(label), label.partition(":")[2]
    detail = details[0] if details else ""
    line = details[1] if len(details) > 1 else 0
    match kind:
        case "missing file":
            text = f"{file} does not exist in {os.getcwd()}"
        case "syntax":
            text = f"cannot parse {file}: {str(detail).splitlines()[0]}"
        case "package":
            text = (
                f"{file} requires the package {detail!r} (line {line}), which is not installed; "
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
            text = f"{function!r} of {file} has no readable formal arguments"
    return f"handler {label}: {' '.join(text.splitlines())}"


def _file(label: str) -> str:
    return label.partition(":")[0] + ".R"
