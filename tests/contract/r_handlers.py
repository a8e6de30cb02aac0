"""The R functions that the tests of the R harness serve."""

from pathlib import Path

from tests.contract.harness_process import HarnessProcess

PACKAGE = "model_harness_r"
FUNCTIONS = r"""
quick <- function() 0
process <- function() Sys.getpid()
temporary <- function() { writeLines("x", tempfile()); dirname(tempdir()) }
wait <- function(seconds) { Sys.sleep(seconds); Sys.getpid() }
size <- function(text) nchar(text)
column <- function(values) list(n = length(values), sum = sum(values), back = values)
die <- function(how) {
  if (how == "quit") quit("no", status = 3)
  if (how == "closed") { for (fd in 3:20) parallel:::closeFD(fd); Sys.sleep(30) }
  if (how == "child") system("sleep 30 &")
  tools::pskill(Sys.getpid(), if (how == "segfault") tools::SIGQUIT - 3L + 11L else tools::SIGKILL)
  Sys.sleep(30)
}
hang <- function() repeat sum(1:10)
partial <- function(wt = 1, ..., digits = 2) list(wt = wt, rest = list(...), digits = digits)
na.rm <- function(na.rm = TRUE) na.rm
own <- function() {
  inner <- function(x) stop(structure(
    class = c("flower_error", "error", "condition"), list(message = "blue", call = sys.call(-1))
  ))
  inner(1)
}
recurse <- function(n = 1) recurse(n + 1)
leave <- function() { closeAllConnections(); rm(list = ls(globalenv()), envir = globalenv()); 7 }
chatter <- function() {
  print("to the log"); cat("and this\n"); message("this too"); warning("with care")
  system("echo from a child")
  readline("a question")
}
fitted <- function() lm(mpg ~ wt, mtcars)
frame <- function(rows) data.frame(
  id = seq_len(rows), kind = factor(rep("a", rows)), on = as.Date("2026-11-22"), x = NA_real_
)
text <- function(x) deparse(substitute(x))
"""


def workers(harness: HarnessProcess) -> list[int]:
    """Return the process ids of R."""
    processes = []
    for task in Path(f"/proc/{harness.child()}/task").iterdir():
        processes += [int(child) for child in (task / "children").read_text().split()]
    return processes
