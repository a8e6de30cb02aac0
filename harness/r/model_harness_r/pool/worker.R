# One R process of the pool: loads the user's file once, then answers calls from a private pipe.
#
# The server writes packets, each a serialized list of arguments that one read returns; for a longer
# list the packet is its length, a double, and the list follows. Each is answered with three doubles
# (length, kind, seconds) and the serialized value. The next packet may already be in the pipe; the
# server reclaims it while the function delays it, so nothing is read before it is needed. Standard
# output and error are the log, whatever the user's code prints; standard input is empty.
#
# Measured choices: condition handlers are set up once around the loop, not around each call (10 us
# per call); the call is reused while the names stay the same; it refers to arguments as
# `.request[[1L]]`, not by value, so that deparse(substitute(x)) and lm()$call stay short.
main <- function() {
  jit <- get("jit", globalenv())
  rm("main", "jit", envir = globalenv()) # it belongs to the user
  RESULT <- 0L
  CONDITION <- 1L
  HELLO <- 2L
  FAILURE <- 3L
  PACKET_BYTES <- 4096L
  LENGTH_BYTES <- 8L
  MAX_TRACE_CALLS <- 30L
  MAX_CALL_CHARACTERS <- 160L

  request_path <- paste0("/dev/fd/", Sys.getenv("HARNESS_R_IN"))
  answer_path <- paste0("/dev/fd/", Sys.getenv("HARNESS_R_OUT"))
  label <- strsplit(Sys.getenv("HARNESS_R_HANDLER"), ":", fixed = TRUE)[[1L]]
  folder <- Sys.getenv("HARNESS_R_FOLDER")
  Sys.unsetenv(paste0("HARNESS_R_", c("SCRIPT", "IN", "OUT", "HANDLER", "FOLDER")))
  file <- paste0(label[1L], ".R")
  name <- label[2L]

  # To redact the log; read before the user's code can change them. The server does the same.
  variables <- strsplit(Sys.getenv("MODEL_SECRETS"), ",", fixed = TRUE)[[1L]]
  secrets <- vapply(variables, Sys.getenv, "") # Sys.getenv(character()) would return all
  secrets <- secrets[order(-nchar(secrets, "bytes"))]
  secrets <- secrets[nzchar(secrets)]
  redact <- function(text) {
    for (variable in names(secrets)) {
      text <- gsub(
        secrets[[variable]], paste0("<secret ", variable, ">"), text, fixed = TRUE, useBytes = TRUE
      )
    }
    text
  }

  input <- output <- NULL
  open_pipes <- function() {
    input <<- fifo(request_path, "rb", blocking = TRUE)
    output <<- fifo(answer_path, "wb", blocking = TRUE)
  }

  encode_answer <- function(kind, value, seconds = 0) {
    bytes <- serialize(value, NULL, xdr = FALSE, version = 2L)
    if (length(bytes) > .Machine$integer.max) stop("the result is larger than 2 GiB")
    c(writeBin(c(length(bytes), kind, seconds), raw(), endian = "little"), bytes)
  }

  # The server has ended and cannot remove the temporary files.
  exit_with_server <- function() {
    unlink(folder, recursive = TRUE)
    quit("no")
  }

  # A read returns at most 64 kB; joining after each one would copy the bytes again and again.
  read_long <- function(packet) {
    chunks <- list()
    missing <- readBin(packet, "double", endian = "little")
    while (missing > 0) {
      chunk <- readBin(input, "raw", missing)
      if (!length(chunk)) exit_with_server()
      chunks[[length(chunks) + 1L]] <- chunk
      missing <- missing - length(chunk)
    }
    unlist(chunks)
  }

  format_call <- function(call) {
    line <- substr(deparse(call, nlines = 1L)[1L], 1L, MAX_CALL_CHARACTERS)
    reference <- attr(call, "srcref")
    if (is.null(reference)) return(line)
    source <- attr(reference, "srcfile")$filename
    if (is.null(source)) line else paste0(source, "#", reference[1L], ": ", line)
  }

  # The calls that led to an error, from the user's code on, without R's calls of a handler.
  format_trace <- function(calls, is_first) {
    first <- Position(is_first, calls)
    calls <- calls[seq_along(calls) >= first & seq_along(calls) < length(calls)]
    last <- calls[[length(calls)]]
    if (identical(last[[1L]], quote(.handleSimpleError))) calls <- calls[-length(calls)]
    if (length(calls) > MAX_TRACE_CALLS) {
      calls <- c(head(calls, MAX_TRACE_CALLS / 2L), quote(`...`()), tail(calls, MAX_TRACE_CALLS / 2L))
    }
    paste(vapply(calls, format_call, ""), collapse = "\n")
  }

  # Evaluate the user's file expression by expression, so that an error has its line.
  load_file <- function() {
    if (!file.exists(file)) return(list("missing file"))
    parsed <- tryCatch(parse(file, keep.source = TRUE, encoding = "UTF-8"), error = identity)
    if (inherits(parsed, "error")) return(list("syntax", conditionMessage(parsed)))
    references <- attr(parsed, "srcref")
    line <- 0L
    compiler::enableJIT(jit)
    failed <- tryCatch(
      withCallingHandlers({
        for (i in seq_along(parsed)) {
          line <- references[[i]][1L]
          eval(parsed[[i]], globalenv())
        }
        NULL
      }, error = function(e) {
        calls <- sys.calls()
        is_eval <- function(call) identical(call[[1L]], quote(eval))
        text <- paste0("Error: ", conditionMessage(e), "\n", format_trace(calls, is_eval))
        message(redact(text))
      }),
      error = identity
    )
    jit <<- compiler::enableJIT(0L)
    if (inherits(failed, "packageNotFoundError")) return(list("package", failed$package, line))
    if (!is.null(failed)) {
      return(list("raised", paste0(class(failed)[1L], ": ", conditionMessage(failed)), line))
    }
    if (!exists(name, globalenv(), inherits = FALSE)) {
      functions <- Filter(function(n) is.function(get(n, globalenv())), ls(globalenv()))
      return(list("missing function", I(functions)))
    }
    fn <- get(name, globalenv())
    if (!is.function(fn)) return(list("no function", class(fn)[1L]))
    if (is.null(args(fn))) return(list("no formals"))
    NULL
  }

  # The names, whether each is required, and the constant defaults (documentation for clients).
  describe_formals <- function(fn) {
    parameters <- formals(args(fn))
    required <- vapply(names(parameters), function(n) identical(parameters[[n]], quote(expr = )), NA)
    is_constant <- function(x) {
      if (!is.call(x)) return(is.null(x) || is.logical(x) || is.numeric(x) || is.character(x))
      is_literal <- identical(x[[1L]], quote(`-`)) || identical(x[[1L]], quote(c))
      is_literal && all(vapply(as.list(x)[-1L], is_constant, NA))
    }
    constant <- rep(FALSE, length(parameters))
    values <- vector("list", length(parameters))
    for (i in which(!required)) {
      if (is_constant(parameters[[i]])) {
        constant[i] <- TRUE
        value <- eval(parameters[[i]], baseenv())
        if (!is.null(value)) values[[i]] <- value
      }
    }
    list(
      names = I(as.character(names(parameters))), required = I(unname(required)),
      constant = I(constant), values = I(values)
    )
  }

  # A formal before `...` also matches a prefix of its name: `wt` would match `w`. Passed without a
  # value it is matched exactly, and its default still applies.
  unmatched_formals <- function(fn, names) {
    all <- names(formals(args(fn)))
    before <- all[seq_len(match("...", all, 0L) - 1L)]
    Filter(function(n) any(startsWith(n, names[nzchar(names)])), setdiff(before, names))
  }

  serve <- function(fn) {
    scope <- new.env(parent = globalenv())
    assign(name, fn, scope)
    call <- NULL
    call_names <- NA
    busy <- FALSE
    started <- 0
    unsent <- NULL
    trace <- ""
    has_dots <- "..." %in% names(formals(args(fn)))
    build <- function(names) {
      values <- lapply(seq_along(names), function(i) bquote(.request[[.(i)]]))
      names(values) <- names
      if (has_dots) {
        empty <- unmatched_formals(fn, names)
        values <- c(values, setNames(rep(list(quote(expr = )), length(empty)), empty))
      }
      as.call(c(as.name(name), values))
    }
    loop <- function() repeat {
      bytes <- readBin(input, "raw", PACKET_BYTES)
      if (!length(bytes)) exit_with_server() # end of file: the server has ended
      if (length(bytes) == LENGTH_BYTES) bytes <- read_long(bytes)
      busy <<- TRUE
      started <<- unclass(Sys.time())
      request <- unserialize(bytes)
      if (!identical(names(request), call_names)) {
        call_names <<- names(request)
        call <<- build(call_names)
      }
      scope$.request <- request
      value <- eval(call, scope)
      if (is.object(value)) check_class(value)
      unsent <<- encode_answer(RESULT, value, unclass(Sys.time()) - started)
      busy <<- FALSE
      writeBin(unsent, output)
      unsent <<- NULL
    }
    answer_condition <- function(e) {
      condition <- list(class = class(e)[1L], message = conditionMessage(e), trace = trace)
      answer <- encode_answer(CONDITION, condition, unclass(Sys.time()) - started)
      busy <<- FALSE
      trace <<- ""
      unsent <<- answer
      writeBin(answer, output)
      unsent <<- NULL
    }
    on_failure <- function(e) {
      if (busy) {
        answer_condition(e)
      } else if (grepl("invalid connection", conditionMessage(e), fixed = TRUE)) {
        open_pipes() # after closeAllConnections() in the user's code
        if (!is.null(unsent)) {
          writeBin(unsent, output)
          unsent <<- NULL
        }
      } else {
        quit("no", 1L)
      }
    }
    on_error <- function(e) {
      if (busy && !inherits(e, "stackOverflowError")) {
        calls <- sys.calls()
        trace <<- tryCatch(format_trace(calls, function(k) identical(k, call)), error = function(e) "")
      }
    }
    on_warning <- function(w) {
      source <- conditionCall(w)
      location <- if (!is.null(source)) paste0(" in ", format_call(source))
      message(redact(paste0("Warning", location, ": ", conditionMessage(w))))
      invokeRestart("muffleWarning")
    }
    writeBin(encode_answer(HELLO, describe_formals(fn)), output)
    # Compile the code of each call here; otherwise R does so during the second call (35 ms).
    encode_answer <<- compiler::cmpfun(encode_answer)
    loop <- compiler::cmpfun(loop)
    compiler::enableJIT(jit)
    repeat tryCatch(withCallingHandlers(loop(), warning = on_warning, error = on_error), error = on_failure)
  }

  # Name the class here: the server only sees the parts of the object. The list is that of
  # _apply_class in serialization/attributes.py, which refuses subclasses that pass here.
  check_class <- function(value) {
    encodable <- c("factor", "Date", "POSIXct", "data.frame", "AsIs", "ts", "difftime", "table")
    if (!inherits(value, encodable)) {
      name <- paste(class(value), collapse = "/")
      stop("the result cannot be encoded: an object of class ", name,
        " is not JSON; return plain values", call. = FALSE)
    }
  }

  open_pipes()
  failure <- load_file()
  if (!is.null(failure)) {
    writeBin(encode_answer(FAILURE, failure), output)
    quit("no", 1L)
  }
  serve(get(name, globalenv()))
}

# By default R compiles what it calls; most of this file runs once, and compiling it took 0.2 s.
jit <- compiler::enableJIT(0L)
