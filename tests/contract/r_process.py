"""R outside the harness."""

import subprocess

_EVALUATE = """
for (line in readLines(file("stdin"), encoding = "UTF-8")) {
  value <- eval(parse(text = line, encoding = "UTF-8"), new.env(parent = globalenv()))
  cat(paste(serialize(value, NULL, xdr = FALSE, version = 2L), collapse = ""), "\\n", sep = "")
}
"""


def serialized(expressions: list[str]) -> list[bytes]:
    """Return the bytes that R's `serialize` writes for each expression of one line."""
    completed = subprocess.run(
        ["Rscript", "--no-init-file", "-e", _EVALUATE],
        input="\n".join(expressions).encode() + b"\n",
        capture_output=True,
        env={"LANG": "C.UTF-8", "PATH": "/usr/local/bin:/usr/bin:/bin"},
        check=False,
    )
    assert completed.returncode == 0, completed.stderr.decode()
    return [bytes.fromhex(line) for line in completed.stdout.decode().split()]
