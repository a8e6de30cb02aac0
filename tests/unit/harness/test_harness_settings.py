"""Settings from the environment; every mistake is reported at once."""

import re

import pytest
from model_harness.errors import StartupError
from model_harness.settings import Settings

VALID = {"MODEL_NAME": "iris", "MODEL_VERSION": "v12", "MODEL_HANDLER": "predict:predict"}


def errors(**changed: str) -> list[str]:
    with pytest.raises(StartupError) as caught:
        Settings.from_environment(VALID | changed)
    return str(caught.value).splitlines()


def test_unset_variables_have_defaults() -> None:
    settings = Settings.from_environment(VALID)
    assert (settings.body_bytes, settings.in_flight) == (10485760, 64)
    assert settings.timeout_seconds == 30
    assert (settings.threads, settings.workers, settings.tokens) == (1, 1, None)
    assert (settings.host, settings.port, settings.health_port) == ("0.0.0.0", 8080, 8081)
    assert settings.version_number == 12


def test_variables_are_decoded() -> None:
    settings = Settings.from_environment(
        VALID
        | {
            "MODEL_BODY_BYTES": "1",
            "MODEL_IN_FLIGHT": "2",
            "MODEL_TIMEOUT_SECONDS": "0.5",
            "MODEL_THREADS": "256",
            "MODEL_WORKERS": "64",
            "MODEL_TOKENS": "/run/tokens",
            "MODEL_PORT": "3",
            "MODEL_HEALTH_PORT": "4",
        }
    )
    assert (settings.body_bytes, settings.in_flight, settings.timeout_seconds) == (1, 2, 0.5)
    assert (settings.threads, settings.workers, settings.tokens) == (256, 64, "/run/tokens")
    assert (settings.port, settings.health_port) == (3, 4)


def test_handler_pattern_depends_on_language() -> None:
    pattern = re.compile(r"[a-z]+:[a-z]+[.][a-z]+")
    settings = Settings.from_environment(VALID | {"MODEL_HANDLER": "a:b.c"}, pattern, "like a:b.c")
    assert settings.handler == "a:b.c"
    with pytest.raises(StartupError, match=r"MODEL_HANDLER is 'predict:predict'; write like"):
        Settings.from_environment(VALID, pattern, "like a:b.c")


def test_empty_environment_lacks_three_variables() -> None:
    with pytest.raises(StartupError) as caught:
        Settings.from_environment({})
    assert str(caught.value).splitlines() == [
        "MODEL_NAME is not set; write lower-case letters, digits and hyphens, like iris",
        "MODEL_VERSION is not set; write a version like v1",
        "MODEL_HANDLER is not set; write <module>:<function>, like predict:predict",
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MODEL_NAME", "Iris"),
        ("MODEL_NAME", "iris-"),
        ("MODEL_NAME", "a" * 41),
        ("MODEL_NAME", "iris\n"),
        ("MODEL_VERSION", "v0"),
        ("MODEL_VERSION", "v01"),
        ("MODEL_VERSION", "1"),
        ("MODEL_VERSION", "v1\n"),
        ("MODEL_HANDLER", "predict"),
        ("MODEL_HANDLER", "predict.py:predict:x"),
        ("MODEL_HANDLER", ":predict"),
        ("MODEL_HANDLER", "a-b:predict"),
        ("MODEL_BODY_BYTES", "0"),
        ("MODEL_BODY_BYTES", "10MB"),
        ("MODEL_BODY_BYTES", ""),
        ("MODEL_IN_FLIGHT", "-1"),
        ("MODEL_IN_FLIGHT", "1.5"),
        ("MODEL_TIMEOUT_SECONDS", "0"),
        ("MODEL_TIMEOUT_SECONDS", "nan"),
        ("MODEL_TIMEOUT_SECONDS", "inf"),
        ("MODEL_TIMEOUT_SECONDS", "30s"),
        ("MODEL_THREADS", "0"),
        ("MODEL_THREADS", "257"),
        ("MODEL_THREADS", "many"),
        ("MODEL_WORKERS", "0"),
        ("MODEL_WORKERS", "65"),
        ("MODEL_TOKENS", ""),
        ("MODEL_TOKENS", "tokens"),
        ("MODEL_PORT", "65536"),
        ("MODEL_HEALTH_PORT", "0"),
    ],
)
def test_wrong_variable_is_reported_with_name_value_and_remedy(name: str, value: str) -> None:
    (line,) = errors(**{name: value})
    assert line.startswith(f"{name} is {value!r}; write ")


def test_all_wrong_variables_are_reported() -> None:
    lines = errors(MODEL_NAME="I", MODEL_IN_FLIGHT="x", MODEL_TIMEOUT_SECONDS="y")
    assert [line.split()[0] for line in lines] == [
        "MODEL_NAME",
        "MODEL_IN_FLIGHT",
        "MODEL_TIMEOUT_SECONDS",
    ]
