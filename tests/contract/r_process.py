"""R outside of the harness: what tests ask it directly."""

import subprocess

_EVALUATE = """
for (line in readLines(file("stdin"), encoding = "UTF-8")) {
  value <- eval(parse(text = line, encoding = "UTF-8"), new.env(parent = globalenv()))
  cat(paste(serialize(value, NULL, xdr = FALSE, version = 2L), collapse = ""), "\\n", sep = "")
}
"""


def serialized(expressions: list[str]) -> list[bytes]:
    """What R's `serialize` makes of each; an expression is one line."""
    done = subprocess.run(
        ["Rscript", "--no-init-file", "-e", _EVALUATE],
        input="\n".join(expressions).encode() + b"\n",
        capture_output=True,
        env={"LANG": "C.UTF-8", "PATH": "/usr/local/bin:/usr/bin:/bin"},
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return [bytes.fromhex(line) for line in done.stdout.decode().split()]
