# One R process behind the front: loads the user's file once, then answers calls from a private pipe.
#
# The front writes packets, each a serialized list of arguments that one read gives whole; of a longer
# list the packet is its length, a double, and the list follows. Each is answered with three doubles
# (length, kind, seconds) and the serialized value. The next packet may be there already; the front
# takes it back while the function keeps it waiting: so nothing is read before it is needed. Standard
# output and error are the log, whatever the user's code prints; standard input is empty.
#
# Measured choices: the handlers of conditions stand once around the loop, not around each call (10 us
# a call); the call is kept as long as the names stay the same; arguments enter it as
# `.request[[1L]]`, not as values, so that deparse(substitute(x)) and lm()$call stay short.
main <- function() {
  jit <- get("jit", globalenv())
  rm("main", "jit", envir = globalenv()) # which is the user's
  RESULT <- 0L
  CONDITION <- 1L
  HELLO <- 2L
  FAILURE <- 3L
  PACKET <- 4096L
  LENGTH <- 8L
  SHOWN_CALLS <- 30L
  SHOWN_CHARACTERS <- 160L

  from_front <- paste0("/dev/fd/", Sys.getenv("HARNESS_R_IN"))
  to_front <- paste0("/dev/fd/", Sys.getenv("HARNESS_R_OUT"))
  label <- strsplit(Sys.getenv("HARNESS_R_HANDLER"), ":", fixed = TRUE)[[1L]]
  folder <- Sys.getenv("HARNESS_R_FOLDER")
  Sys.unsetenv(paste0("HARNESS_R_", c("SCRIPT", "IN", "OUT", "HANDLER", "FOLDER")))
  file <- paste0(label[1L], ".R")
  name <- label[2L]

  # For the log; as they are before the user's code may change them. The front does the same.
  named <- strsplit(Sys.getenv("MODEL_SECRETS"), ",", fixed = TRUE)[[1L]]
  secrets <- vapply(named, Sys.getenv, "") # asked for no names at once, it would give all
  secrets <- secrets[order(-nchar(secrets, "bytes"))]
  secrets <- secrets[nzchar(secrets)]
  without_secrets <- function(text) {
    for (variable in names(secrets)) {
      text <- gsub(
        secrets[[variable]], paste0("<secret ", variable, ">"), text, fixed = TRUE, useBytes = TRUE
      )
    }
    text
  }

  input <- output <- NULL
  open_pipes <- function() {
    input <<- fifo(from_front, "rb", blocking = TRUE)
    output <<- fifo(to_front, "wb", blocking = TRUE)
  }

  frame <- function(kind, value, seconds = 0) {
    bytes <- serialize(value, NULL, xdr = FALSE, version = 2L)
    if (length(bytes) > .Machine$integer.max) stop("the result has more than 2 GiB")
    c(writeBin(c(length(bytes), kind, seconds), raw(), endian = "little"), bytes)
  }

  # Without the front there is nobody left to clear the temporary files away.
  leave <- function() {
    unlink(folder, recursive = TRUE)
    quit("no")
  }

  # A pipe gives at most 64 kB at a time; joining as they come would copy them again and again.
  long <- function(packet) {
    pieces <- list()
    missing <- readBin(packet, "double", endian = "little")
    while (missing > 0) {
      piece <- readBin(input, "raw", missing)
      if (!length(piece)) leave()
      pieces[[length(pieces) + 1L]] <- piece
      missing <- missing - length(piece)
    }
    unlist(pieces)
  }

  one_line <- function(call) {
    line <- substr(deparse(call, nlines = 1L)[1L], 1L, SHOWN_CHARACTERS)
    place <- attr(call, "srcref")
    if (is.null(place)) return(line)
    source <- attr(place, "srcfile")$filename
    if (is.null(source)) line else paste0(source, "#", place[1L], ": ", line)
  }

  # What was called when the error came, from the user's code on; without R's own calls of a handler.
  shown_calls <- function(calls, is_first) {
    first <- Position(is_first, calls)
    calls <- calls[seq_along(calls) >= first & seq_along(calls) < length(calls)]
    last <- calls[[length(calls)]]
    if (identical(last[[1L]], quote(.handleSimpleError))) calls <- calls[-length(calls)]
    if (length(calls) > SHOWN_CALLS) {
      calls <- c(head(calls, SHOWN_CALLS / 2L), quote(`...`()), tail(calls, SHOWN_CALLS / 2L))
    }
    paste(vapply(calls, one_line, ""), collapse = "\n")
  }

  # The user's file, expression by expression, so that a mistake has its line.
  load_file <- function() {
    if (!file.exists(file)) return(list("missing file"))
    parsed <- tryCatch(parse(file, keep.source = TRUE, encoding = "UTF-8"), error = identity)
    if (inherits(parsed, "error")) return(list("syntax", conditionMessage(parsed)))
    places <- attr(parsed, "srcref")
    line <- 0L
    compiler::enableJIT(jit)
    failed <- tryCatch(
      withCallingHandlers({
        for (i in seq_along(parsed)) {
          line <- places[[i]][1L]
          eval(parsed[[i]], globalenv())
        }
        NULL
      }, error = function(e) {
        calls <- sys.calls()
        is_eval <- function(call) identical(call[[1L]], quote(eval))
        told <- paste0("Error: ", conditionMessage(e), "\n", shown_calls(calls, is_eval))
        message(without_secrets(told))
      }),
      error = identity
    )
    jit <<- compiler::enableJIT(0L)
    if (inherits(failed, "packageNotFoundError")) return(list("package", failed$package, line))
    if (!is.null(failed)) {
      return(list("raised", paste0(class(failed)[1L], ": ", conditionMessage(failed)), line))
    }
    if (!exists(name, globalenv(), inherits = FALSE)) {
      found <- Filter(function(n) is.function(get(n, globalenv())), ls(globalenv()))
      return(list("missing function", I(found)))
    }
    found <- get(name, globalenv())
    if (!is.function(found)) return(list("no function", class(found)[1L]))
    if (is.null(args(found))) return(list("no formals"))
    NULL
  }

  # Names, which have no default, and the defaults that are constants (documentation for clients).
  described <- function(fn) {
    parameters <- formals(args(fn))
    required <- vapply(names(parameters), function(n) identical(parameters[[n]], quote(expr = )), NA)
    constant <- function(x) {
      if (!is.call(x)) return(is.null(x) || is.logical(x) || is.numeric(x) || is.character(x))
      known <- identical(x[[1L]], quote(`-`)) || identical(x[[1L]], quote(c))
      known && all(vapply(as.list(x)[-1L], constant, NA))
    }
    known <- rep(FALSE, length(parameters))
    values <- vector("list", length(parameters))
    for (i in which(!required)) {
      if (constant(parameters[[i]])) {
        known[i] <- TRUE
        value <- eval(parameters[[i]], baseenv())
        if (!is.null(value)) values[[i]] <- value
      }
    }
    list(
      names = I(as.character(names(parameters))), required = I(unname(required)),
      known = I(known), values = I(values)
    )
  }

  # A formal before `...` also takes a name that is only its beginning: `wt` would take `w`. Given
  # without a value it is matched exactly, and its default counts all the same.
  guards <- function(fn, given) {
    all <- names(formals(args(fn)))
    before <- all[seq_len(match("...", all, 0L) - 1L)]
    Filter(function(n) any(startsWith(n, given[nzchar(given)])), setdiff(before, given))
  }

  serve <- function(fn) {
    scope <- new.env(parent = globalenv())
    assign(name, fn, scope)
    call <- NULL
    given <- NA
    busy <- FALSE
    began <- 0
    last <- NULL
    trace <- ""
    open_ended <- "..." %in% names(formals(args(fn)))
    build <- function(names) {
      values <- lapply(seq_along(names), function(i) bquote(.request[[.(i)]]))
      names(values) <- names
      if (open_ended) {
        empty <- guards(fn, names)
        values <- c(values, setNames(rep(list(quote(expr = )), length(empty)), empty))
      }
      as.call(c(as.name(name), values))
    }
    loop <- function() repeat {
      bytes <- readBin(input, "raw", PACKET)
      if (!length(bytes)) leave() # the front is gone
      if (length(bytes) == LENGTH) bytes <- long(bytes)
      busy <<- TRUE
      began <<- unclass(Sys.time())
      request <- unserialize(bytes)
      if (!identical(names(request), given)) {
        given <<- names(request)
        call <<- build(given)
      }
      scope$.request <- request
      value <- eval(call, scope)
      if (is.object(value)) check(value)
      last <<- frame(RESULT, value, unclass(Sys.time()) - began)
      busy <<- FALSE
      writeBin(last, output)
      last <<- NULL
    }
    answer_condition <- function(e) {
      told <- list(class = class(e)[1L], message = conditionMessage(e), trace = trace)
      answer <- frame(CONDITION, told, unclass(Sys.time()) - began)
      busy <<- FALSE
      trace <<- ""
      last <<- answer
      writeBin(answer, output)
      last <<- NULL
    }
    go_on <- function(e) {
      if (busy) {
        answer_condition(e)
      } else if (grepl("invalid connection", conditionMessage(e), fixed = TRUE)) {
        open_pipes() # the user's code called closeAllConnections()
        if (!is.null(last)) {
          writeBin(last, output)
          last <<- NULL
        }
      } else {
        quit("no", 1L)
      }
    }
    on_error <- function(e) {
      if (busy && !inherits(e, "stackOverflowError")) {
        calls <- sys.calls()
        trace <<- tryCatch(shown_calls(calls, function(k) identical(k, call)), error = function(e) "")
      }
    }
    on_warning <- function(w) {
      source <- conditionCall(w)
      place <- if (!is.null(source)) paste0(" in ", one_line(source))
      message(without_secrets(paste0("Warning", place, ": ", conditionMessage(w))))
      invokeRestart("muffleWarning")
    }
    writeBin(frame(HELLO, described(fn)), output)
    # What each call passes is compiled here, not by R in the middle of the second one (35 ms).
    frame <<- compiler::cmpfun(frame)
    loop <- compiler::cmpfun(loop)
    compiler::enableJIT(jit)
    repeat tryCatch(withCallingHandlers(loop(), warning = on_warning, error = on_error), error = go_on)
  }

  # Named here, by its class: the front would only come upon its parts.
  check <- function(value) {
    known <- c("factor", "Date", "POSIXct", "data.frame", "AsIs")
    if (!inherits(value, known)) {
      kind <- paste(class(value), collapse = "/")
      stop("the result cannot be encoded: an object of class ", kind,
        " is not JSON; return plain values", call. = FALSE)
    }
  }

  open_pipes()
  failure <- load_file()
  if (!is.null(failure)) {
    writeBin(frame(FAILURE, failure), output)
    quit("no", 1L)
  }
  serve(get(name, globalenv()))
}

# R compiles what it calls, by default; all of this file, of which most runs once, took it 0.2 s.
jit <- compiler::enableJIT(0L)
