"""How R's harness behaves: its workers' ends, its start, its log, its end."""

import json
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.contract.harness_process import ROOT, HarnessProcess, Serve, in_flight, result, runs

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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "predict.R").write_text(FUNCTIONS, encoding="utf-8")
    return tmp_path


@pytest.fixture
def package() -> str:
    return PACKAGE


def workers(harness: HarnessProcess) -> list[int]:
    """Process ids of R."""
    found = []
    for task in Path(f"/proc/{harness.child()}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return found


def test_the_sample_model_predicts() -> None:
    with HarnessProcess(ROOT / "models/mpg/v1", "predict:predict", package=PACKAGE) as harness:
        by_name = result(harness.call({"wt": 2.62, "hp": 110}))
        body = json.dumps({"parameters": [2.62, 110]}).encode()
        headers = {"Content-Type": "application/json"}
        by_place = result(harness.ask("POST", "/model", headers, body))
        many = result(harness.call({"wt": [2.62, 2.875], "hp": [110, 110]}))
    assert by_name == by_place == pytest.approx(23.572329, abs=1e-6)
    assert many == [by_name, pytest.approx(22.583483, abs=1e-6)]


def test_each_worker_is_a_process_and_calls_run_side_by_side(
    serve: Serve, threads: ThreadPoolExecutor
) -> None:
    harness = serve("wait", MODEL_WORKERS="3")
    began = time.monotonic()
    answers = [call.result() for call in in_flight(threads, harness, 3, {"seconds": 0.6})]
    assert time.monotonic() - began < 1.1
    assert {result(answer) for answer in answers} == set(workers(harness))
    assert len(workers(harness)) == 3


def test_one_worker_serves_one_call_at_a_time(serve: Serve, threads: ThreadPoolExecutor) -> None:
    harness = serve("wait")
    began = time.monotonic()
    answers = [call.result() for call in in_flight(threads, harness, 4, {"seconds": 0.2})]
    assert {result(answer) for answer in answers} == set(workers(harness))
    assert time.monotonic() - began > 0.75


ENDS = [
    ("quit", "the R process ended with status 3"),
    ("killed", "the R process was killed by SIGKILL; out of memory?"),
    ("child", "the R process was killed by SIGKILL; out of memory?"),
    ("closed", "the R process was killed: it closed its pipe"),
    ("segfault", "the R process was killed by SIGSEGV"),
]


@pytest.mark.parametrize(("how", "message"), ENDS, ids=[how for how, _ in ENDS])
def test_a_worker_that_ends_fails_its_call_and_is_replaced(
    serve: Serve, how: str, message: str
) -> None:
    harness = serve("die")
    answer = harness.call({"how": how})
    assert (answer.status, answer.errors()) == (
        500,
        [f"WorkerEndedError: {message}; a new one is being started"],
    )
    assert answer.seconds < 2
    before = workers(harness)
    again = harness.call({"how": "quit"})
    assert again.status == 500
    assert "status 3" in again.errors()[0]
    assert harness.health("ready") == 200
    assert workers(harness) != before or before == []


def test_a_worker_that_ends_between_calls_is_replaced(serve: Serve) -> None:
    harness = serve("process")
    first = result(harness.call({}))
    assert isinstance(first, int)
    os.kill(first, signal.SIGKILL)
    end = time.monotonic() + 5
    while workers(harness) in ([], [first]) and time.monotonic() < end:
        time.sleep(0.02)
    assert [result(harness.call({}))] == workers(harness) != [first]


def test_an_r_that_does_not_start_again_ends_the_container(serve: Serve, folder: Path) -> None:
    harness = serve("process")
    (folder / "predict.R").write_text("stop('the weights are gone')\n")
    answer = harness.call({})
    os.kill(workers(harness)[0], signal.SIGKILL)
    status, _, errors = harness.finish()
    assert answer.status == 200
    assert status == 70
    tries = [line for line in errors.splitlines() if "does not start again: " in line]
    assert len(tries) == 5
    assert "loading predict.R failed at line 1: simpleError: the weights are gone" in tries[0]
    assert "R does not start again; ending the process" in errors.splitlines()[-1]


def test_a_call_that_hangs_gets_504_and_leaves_the_others_alone(
    serve: Serve, folder: Path, threads: ThreadPoolExecutor
) -> None:
    text = FUNCTIONS + "\nmay_hang <- function(x) if (x) hang() else Sys.getpid()\n"
    (folder / "predict.R").write_text(text)
    harness = serve("may_hang", MODEL_WORKERS="2", MODEL_TIMEOUT_SECONDS="0.5")
    before = set(workers(harness))
    hanging = in_flight(threads, harness, 1, {"x": True})[0]
    others = [harness.call({"x": False}) for _ in range(20)]
    assert max(answer.seconds for answer in others) < 0.4
    assert not hanging.done()
    answer = hanging.result()
    assert (answer.status, answer.errors()) == (504, ["the function took longer than 0.5 s"])
    assert answer.seconds < 1.0
    end = time.monotonic() + 5
    while set(workers(harness)) - before == set() and time.monotonic() < end:
        time.sleep(0.02)
    assert len(before & set(workers(harness))) == 1, "the one that hung is gone"
    answers = [harness.call({"x": False}) for _ in range(8)]
    assert {answer.status for answer in answers} == {200}
    harness.terminate()
    assert "the R process was killed: its call took too long; starting" in harness.finish()[2]


def test_a_slow_call_keeps_no_other_waiting(serve: Serve, threads: ThreadPoolExecutor) -> None:
    harness = serve("wait", MODEL_WORKERS="2")
    for call in in_flight(threads, harness, 24, {"seconds": 0}):  # it seems to be quick
        assert call.result().status == 200
    slow = in_flight(threads, harness, 1, {"seconds": 1.5})
    quick = in_flight(threads, harness, 14, {"seconds": 0.001})
    assert max(call.result().seconds for call in quick) < 0.7
    assert not slow[0].done()
    assert slow[0].result().status == 200


def test_one_worker_after_a_slow_call_goes_on(serve: Serve, threads: ThreadPoolExecutor) -> None:
    harness = serve("wait", MODEL_TIMEOUT_SECONDS="1")
    for call in in_flight(threads, harness, 24, {"seconds": 0}):
        assert call.result().status == 200
    slow = in_flight(threads, harness, 1, {"seconds": 30})[0]
    quick = in_flight(threads, harness, 7, {"seconds": 0})
    assert slow.result().status == 504
    # What came after it is overdue as well, in the same moment or the next; nothing else fails.
    assert {call.result().status for call in quick} <= {200, 504}
    assert harness.call({"seconds": 0}).status == 200


def test_answers_do_not_get_mixed_up(serve: Serve, threads: ThreadPoolExecutor) -> None:
    harness = serve("column", MODEL_WORKERS="2")

    def ask(count: int) -> bool:
        values = [count + number / 7 for number in range(count)]
        found = result(harness.call({"values": values}))
        return isinstance(found, dict) and found["back"] == values

    counts = [2 + 50_000 * (number % 9 == 0) + number for number in range(300)]
    assert all(threads.map(ask, counts))


def test_answers_do_not_get_mixed_up_where_calls_are_taken_back(
    serve: Serve, threads: ThreadPoolExecutor, folder: Path
) -> None:
    # One in forty is slow: what was sent after it is taken back while R goes on to read.
    text = "slow <- function(x) { if (x %% 40 == 0) Sys.sleep(0.0052); x }\n"
    (folder / "predict.R").write_text(text)
    harness = serve("slow", MODEL_WORKERS="2")

    def ask(number: int) -> bool:
        return result(harness.call({"x": number})) == number

    assert all(threads.map(ask, range(3000)))


def test_a_long_request_is_not_overtaken_for_ever(
    serve: Serve, threads: ThreadPoolExecutor
) -> None:
    harness = serve("size")
    stop = threading.Event()

    def call_on() -> None:
        while not stop.is_set():
            harness.call({"text": "x"})

    loops = [threads.submit(call_on) for _ in range(16)]
    time.sleep(0.3)
    seconds = [harness.call({"text": "x" * 100_000}).seconds for _ in range(20)]
    stop.set()
    for loop in loops:
        loop.result()
    assert max(seconds) < 0.4


def test_the_time_to_wait_counts(serve: Serve, threads: ThreadPoolExecutor) -> None:
    harness = serve("wait", MODEL_TIMEOUT_SECONDS="3")
    first = in_flight(threads, harness, 1, {"seconds": 2})[0]
    second = in_flight(threads, harness, 1, {"seconds": 30})[0]
    assert first.result().status == 200
    assert second.result().status == 504
    # R is killed then, not three seconds after it had begun with the second.
    time.sleep(0.7)
    assert not runs(result(first.result()))


def test_health_and_refusals_do_not_wait_for_r(serve: Serve, threads: ThreadPoolExecutor) -> None:
    harness = serve("wait")
    call = in_flight(threads, harness, 1, {"seconds": 1})[0]
    began = time.monotonic()
    assert harness.health("live") == harness.health("ready") == 200
    assert harness.call({"second": 1}).errors() == [
        "argument 'second' is unknown; the function takes seconds",
        "argument 'seconds' is missing",
    ]
    assert time.monotonic() - began < 0.6
    assert not call.done()


def test_a_name_is_never_matched_in_part(serve: Serve) -> None:
    harness = serve("partial")
    assert result(harness.call({"w": 5})) == {"wt": 1.0, "rest": {"w": 5.0}, "digits": 2.0}
    assert result(harness.call({"w": 5, "wt": 2, "dig": 1})) == {
        "wt": 2.0,
        "rest": {"w": 5.0, "dig": 1.0},
        "digits": 2.0,
    }


def test_a_default_that_json_does_not_have_is_no_obstacle(serve: Serve, folder: Path) -> None:
    (folder / "predict.R").write_text("real <- function(x = 2i) Re(x * x)\n")
    assert result(serve("real").call({})) == -4.0


def test_a_dot_is_a_letter_of_a_name(serve: Serve) -> None:
    assert result(serve("na.rm").call({"na.rm": None})) is None


def test_a_condition_is_answered_with_class_and_message(serve: Serve) -> None:
    harness = serve("own")
    answer = harness.call({})
    assert (answer.status, answer.errors()) == (500, ["flower_error: blue"])
    harness.terminate()
    _, _, errors = harness.finish()
    lines = [json.loads(line) for line in errors.splitlines() if line.startswith("{")]
    found = [x for x in lines if x.get("request_id") == answer.headers["x-request-id"]]
    assert len(found) == 1
    line = FUNCTIONS[: FUNCTIONS.index("  inner(1)")].count("\n") + 1
    assert f"\npredict.R#{line}: inner(1)\n" in found[0]["traceback"]


def test_endless_recursion_is_the_functions_error(serve: Serve) -> None:
    harness = serve("recurse")
    before = workers(harness)
    answer = harness.call({})
    assert answer.status == 500
    assert "infinite recursion" in answer.errors()[0] or "stack" in answer.errors()[0]
    assert harness.call({}).status == 500
    assert workers(harness) == before


def test_a_function_that_closes_all_is_answered_all_the_same(serve: Serve) -> None:
    harness = serve("leave")
    before = workers(harness)
    assert [result(harness.call({})) for _ in range(3)] == [7.0] * 3
    assert workers(harness) == before


def test_what_r_prints_is_the_log(serve: Serve) -> None:
    harness = serve("chatter")
    assert result(harness.call({})) == ""
    assert result(harness.call({})) == ""
    harness.terminate()
    status, output, errors = harness.finish()
    assert status == 0
    assert output.count('[1] "to the log"\nand this\n') == 2
    assert output.count("from a child\n") == 2
    assert errors.count("this too\n") == 2
    assert errors.count("Warning in chatter(): with care\n") == 2


def test_a_model_is_no_result(serve: Serve) -> None:
    answer = serve("fitted").call({})
    assert (answer.status, answer.errors()) == (
        500,
        [
            "simpleError: the result cannot be encoded: an object of class lm is not JSON; "
            "return plain values"
        ],
    )


def test_a_data_frame_is_an_array_of_rows(serve: Serve) -> None:
    harness = serve("frame")
    row = {"id": 1, "kind": "a", "on": "2026-11-22", "x": None}
    assert result(harness.call({"rows": 1})) == [row]
    assert result(harness.call({"rows": 2})) == [row, {**row, "id": 2}]
    large = result(harness.call({"rows": 20000}))
    assert isinstance(large, list)
    assert len(large) == 20000


def test_bodies_larger_than_a_pipe(serve: Serve) -> None:
    harness = serve("column")
    values = [number / 7 for number in range(200_000)]
    found = result(harness.call({"values": values}))
    assert isinstance(found, dict)
    assert found["back"] == values
    assert found["n"] == 200_000


def test_arguments_are_not_pasted_into_the_call(serve: Serve) -> None:
    assert result(serve("text").call({"x": list(range(1000))})) == ".request[[1L]]"


def test_nul_in_a_text_is_the_requests_mistake(serve: Serve) -> None:
    answer = serve("size").call({"text": "a\0b"})
    assert answer.status == 400
    assert "NUL" in answer.errors()[0]


def test_what_is_in_flight_is_finished_before_the_end(
    serve: Serve, threads: ThreadPoolExecutor
) -> None:
    harness = serve("wait")
    before = workers(harness)
    calls = in_flight(threads, harness, 3, {"seconds": 0.4})
    harness.terminate()
    time.sleep(0.1)
    assert harness.health("ready") == 503
    assert [call.result().status for call in calls] == [200, 200, 200]
    assert harness.finish()[0] == 0
    assert before
    assert not any(map(runs, before))


def test_temporary_files_go_with_their_r(serve: Serve) -> None:
    harness = serve("temporary")
    folders = [Path(str(result(harness.call({}))))]
    os.kill(workers(harness)[0], signal.SIGKILL)
    time.sleep(0.2)
    folders.append(Path(str(result(harness.call({})))))
    assert not folders[0].exists()
    assert folders[1].exists()
    harness.terminate()
    assert harness.finish()[0] == 0
    end = time.monotonic() + 5
    while folders[1].exists() and time.monotonic() < end:
        time.sleep(0.02)
    assert not folders[1].exists()


def test_a_killed_harness_leaves_no_r_behind(serve: Serve) -> None:
    harness = serve("quick", MODEL_WORKERS="2")
    before = workers(harness)
    harness.process.kill()
    harness.process.communicate(timeout=10)
    end = time.monotonic() + 5
    while any(map(runs, before)) and time.monotonic() < end:
        time.sleep(0.02)
    assert len(before) == 2
    assert not any(map(runs, before))


def test_workers_that_die_by_the_dozen_are_replaced_under_load(
    serve: Serve, threads: ThreadPoolExecutor
) -> None:
    harness = serve("process", MODEL_WORKERS="2")
    killed = threading.Event()
    statuses: list[int] = []

    def call_on() -> None:
        while not killed.is_set():
            statuses.append(harness.call({}).status)

    loops = [threads.submit(call_on) for _ in range(12)]  # so that calls are sent ahead
    deaths = 0
    for _ in range(6):
        for process in workers(harness)[:1]:
            os.kill(process, signal.SIGKILL)
            deaths += 1
        time.sleep(0.4)
    killed.set()
    for loop in loops:
        loop.result()
    assert deaths >= 4
    assert statuses.count(500) <= deaths
    assert set(statuses) <= {200, 500}
    assert statuses.count(200) > 20


START_FAILURES = [
    ("nowhere:f", "there is no nowhere.R in "),
    ("broken:f", "broken.R cannot be parsed: broken.R:2:16: unexpected ')'"),
    ("needs:f", "needs.R needs the package 'notThere' (line 2), which is not installed; "),
    ("raises:f", "loading raises.R failed at line 3: simpleError: no weights"),
    ("exits:f", "the R process ended with status 4 while it loaded exits.R"),
    ("predict:absent", "predict.R has no 'absent'; it defines chatter, column, die, "),
    ("kinds:NUMBER", "'NUMBER' of kinds.R is not a function: it is a numeric"),
    ("kinds:latin", "of a default: the result holds a text that is not UTF-8"),
]


@pytest.mark.parametrize(("label", "message"), START_FAILURES, ids=[x for x, _ in START_FAILURES])
def test_a_handler_that_cannot_be_served_ends_the_start(
    folder: Path, label: str, message: str
) -> None:
    (folder / "broken.R").write_text("x <- 1\nf <- function(,) 1\n")
    (folder / "needs.R").write_text("x <- 1\nlibrary(notThere)\n")
    (folder / "raises.R").write_text("x <- 1\n\nread <- function() stop('no weights'); read()\n")
    (folder / "exits.R").write_text("quit('no', status = 4)\n")
    (folder / "kinds.R").write_text("NUMBER <- 1\nlatin <- function(x = '\\xff') x\n")
    harness = HarnessProcess(folder, label, {"MODEL_WORKERS": "2"}, package=PACKAGE)
    harness.start()
    try:
        status, _, errors = harness.finish()
    finally:
        harness.end()
    last = errors.splitlines()[-1]
    assert status == 1
    assert last.startswith(f"handler {label}: ")
    assert message in last


def test_a_machine_without_r_says_so(folder: Path) -> None:
    harness = HarnessProcess(folder, "predict:quick", {"PATH": str(folder)}, package=PACKAGE)
    harness.start()
    try:
        status, _, errors = harness.finish()
    finally:
        harness.end()
    assert status == 1
    assert errors.splitlines()[-1].startswith("Rscript cannot be run (No such file or directory)")


def test_the_form_of_a_handler_is_rs(folder: Path) -> None:
    harness = HarnessProcess(folder, "predict.R", package=PACKAGE)
    harness.start()
    try:
        status, _, errors = harness.finish()
    finally:
        harness.end()
    assert status == 1
    assert "MODEL_HANDLER is 'predict.R'; write <file>:<function>, the file without .R" in errors
