# The functions that the golden cases call, equal to those of golden.py.

# Return the sum.
add <- function(a, b) a + b

# Return a text; the second argument has a default.
greet <- function(name, greeting = "Hello") paste0(greeting, ", ", name)

# Return the extra names, sorted. I() keeps a single name an array.
sort_names <- function(first, ...) list(first = first, others = I(sort(...names())))

# Return the argument.
echo <- function(value) value

# Accept and return nothing.
nothing <- function() NULL

# Return values that JSON cannot represent.
not_numbers <- function() c(NaN, Inf, 1.5)

# Signal an error.
fail <- function(message) stop(message)

# Sleep, then return.
wait <- function(seconds) {
  Sys.sleep(seconds)
  seconds
}

# Return named values of different types.
named <- function(x) list(half = x / 2, text = "x", large = x > 1)

# Return a value that is JSON but not a table.
deep <- function() list(a = list(list(b = 1)))
