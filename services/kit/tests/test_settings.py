import pytest

from cartwright_kit import ConfigurationError, DatabaseSettings, ServiceSettings, load_settings

COMPLETE = {
    "DATABASE_HOST": "db",
    "DATABASE_NAME": "shelf",
    "DATABASE_USER": "shelf",
    "DATABASE_PASSWORD": "pa:ss@wo/rd%",
}


class Settings(ServiceSettings, DatabaseSettings):
    pass


@pytest.fixture
def complete(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in COMPLETE.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def problems() -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(Settings)
    return caught.value.problems


@pytest.mark.parametrize("name", COMPLETE)
def test_a_missing_variable_is_named(complete: pytest.MonkeyPatch, name: str) -> None:
    complete.delenv(name)
    assert problems() == [f"{name}: is not set; set this environment variable"]


def test_all_missing_variables_are_named_at_once() -> None:
    assert [line.partition(":")[0] for line in problems()] == list(COMPLETE)


def test_an_empty_secret_counts_as_missing(complete: pytest.MonkeyPatch) -> None:
    complete.setenv("DATABASE_PASSWORD", "")
    assert problems() == ["DATABASE_PASSWORD: is not set; set this environment variable"]


@pytest.mark.parametrize(
    "value", ["changeme", "CHANGE-ME", "password", "secret", "<password>", "${PASSWORD}", "xxxx", " todo "]
)
def test_a_placeholder_is_not_a_secret(complete: pytest.MonkeyPatch, value: str) -> None:
    complete.setenv("DATABASE_PASSWORD", value)
    assert problems() == ["DATABASE_PASSWORD: is a placeholder; give the real value"]


@pytest.mark.parametrize(("name", "value"), [("PORT", "http"), ("PORT", "70000"), ("LOG_LEVEL", "LOUD")])
def test_a_malformed_variable_is_named(complete: pytest.MonkeyPatch, name: str, value: str) -> None:
    complete.setenv(name, value)
    assert [line.partition(":")[0] for line in problems()] == [name]


def test_no_secret_is_printed(complete: pytest.MonkeyPatch) -> None:
    settings = load_settings(Settings)
    for text in (repr(settings), str(settings), repr(settings.database_url), settings.model_dump_json()):
        assert "wo/rd" not in text
        assert "wo%2Frd" not in text


def test_a_password_of_any_characters_reaches_the_database(complete: pytest.MonkeyPatch) -> None:
    assert load_settings(Settings).database_url.password == "pa:ss@wo/rd%"


def test_the_shutdown_fits_into_the_pods_termination_grace_period() -> None:
    pre_stop, grace_period = 5, 30
    settings = ServiceSettings()
    assert pre_stop + settings.shutdown_drain_seconds + settings.shutdown_grace_seconds < grace_period
