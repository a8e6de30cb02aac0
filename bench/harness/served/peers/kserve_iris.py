"""Iris on KServe's model server, in its V1 protocol."""

import argparse

from kserve import Model, ModelServer, model_server
from predict import predict


class Iris(Model):
    """A custom model as in KServe's documentation."""

    def __init__(self) -> None:
        """Mark the model as ready: `predict` has its weights."""
        super().__init__("iris")
        self.ready = True

    def predict(
        self, payload: dict[str, list[list[float]]], headers: dict[str, str] | None = None
    ) -> dict[str, list[dict[str, str | float]]]:
        """Predict one flower per instance."""
        del headers
        return {"predictions": [predict(*flower) for flower in payload["instances"]]}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(parents=[model_server.parser])
    parser.parse_args()
    ModelServer().start([Iris()])
