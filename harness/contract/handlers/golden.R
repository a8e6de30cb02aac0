# The functions that the golden cases call; the same ones as in golden.py.

# Return the sum.
add <- function(a, b) a + b

# Return a text; the second argument has a default.
greet <- function(name, greeting = "Hello") paste0(greeting, ", ", name)

# Return the names that no parameter has, sorted. I() keeps a single one an array.
rest <- function(first, ...) list(first = first, others = I(sort(...names())))

# Return what came in.
echo <- function(value) value

# Take and return nothing.
nothing <- function() NULL

# Return what JSON has no number for.
not_numbers <- function() c(NaN, Inf, 1.5)

# Fail as the user's code does.
fail <- function(message) stop(message)

# Return after a while.
wait <- function(seconds) {
  Sys.sleep(seconds)
  seconds
}

# Return parts with names, of different kinds.
named <- function(x) list(half = x / 2, text = "x", large = x > 1)

# Return what is JSON but no table.
deep <- function() list(a = list(list(b = 1)))
