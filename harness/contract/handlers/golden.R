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

# The functions below are called only in R.

fit <- lm(mpg ~ wt, mtcars)

# Predict for all rows of a table.
predict_rows <- function(newdata) round(stats::predict(fit, as.data.frame(newdata)), 4)

# Predict for one row.
predict_row <- function(wt, hp = 100) {
  round(stats::predict(lm(mpg ~ wt + hp, mtcars), data.frame(wt = wt, hp = hp)), 4)
}

# Return the class of the argument, and whether it is missing.
describe <- function(value, other = 0) {
  list(class = class(value), missing = length(value) == 1 && is.na(value), other = is.null(other))
}

# Return objects with a class, within a list.
classes <- function() {
  list(
    series = ts(c(1.5, 2), start = 2026), duration = as.difftime(2, units = "hours"),
    counts = table(c("b", "a", "b")), crossed = table(c("a", "b"), c(TRUE, FALSE))
  )
}

# Return one object with a class.
series <- function() ts(c(1.5, 2), start = 2026)
duration <- function() as.difftime(2, units = "hours")
counts <- function() table(c("b", "a", "b"))
