# Miles per gallon, version 1: a linear model of R's own table of 32 cars, fitted when it is loaded.

model <- lm(mpg ~ wt + hp, data = mtcars)

# Weight in 1000 pounds, gross horsepower; also whole vectors of them.
predict <- function(wt, hp) {
  stats::predict(model, newdata = data.frame(wt = wt, hp = hp))
}
