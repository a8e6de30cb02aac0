# The functions on plumber, as its documentation has it.

#* @post /noop
function(data) noop(data$wt, data$hp, data$qsec)

#* @post /formula
function(data) formula(data$wt, data$hp, data$qsec)

#* @post /predict
function(data) predict(data$wt, data$hp, data$qsec)
