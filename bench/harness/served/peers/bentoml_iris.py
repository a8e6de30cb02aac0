"""Iris as a service of BentoML."""

import bentoml
from predict import predict


@bentoml.service(workers=1, traffic={"timeout": 30})
class Iris:
    """A service with one method."""

    @bentoml.api
    def predict(
        self, sepal_length: float, sepal_width: float, petal_length: float, petal_width: float
    ) -> dict[str, str | float]:
        """Return the species."""
        return predict(sepal_length, sepal_width, petal_length, petal_width)
