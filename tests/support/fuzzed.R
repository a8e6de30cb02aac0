# A function of R that is served to be fuzzed: it looks at all that it gets.
by_value <- function(a, b = 1, c = NULL) {
  given <- serialize(list(a, b, c), NULL)
  if (length(given) > 0) 1.5
}
