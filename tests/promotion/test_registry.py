"""Digests asked of a real registry with TLS and a password, and of a fake one on its bad days."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cartwright.kernel.errors import UserError
from cartwright.promotion.published import Limits, RegistryError, resolve, resolve_all
from cartwright.registry.reference import parse_reference
from tests.promotion import fake_registry
from tests.promotion.fake_registry import FakeRegistry, Step, digest_of
from tests.promotion.registry_server import Registry

pytestmark = pytest.mark.usefixtures("no_credentials")

QUICK = Limits(connect=2, answer=0.4, patience=1.5, attempts=3)
OTHER = "sha256:" + "0" * 64


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with fake_registry.serve() as server:
        yield server


def refusal(reference: str, limits: Limits = QUICK, **options: tuple[str, ...]) -> RegistryError:
    with pytest.raises(RegistryError) as caught:
        resolve(reference, limits=limits, **options)
    assert "\n" not in str(caught.value)
    return caught.value


# --- a real registry --------------------------------------------------------------------------------


@pytest.mark.registry
def test_a_tag_is_looked_up_in_a_registry_with_tls_and_a_password(logged_in: Registry) -> None:
    digest = logged_in.push("shop/app", "1.0.0")
    found = resolve(f"{logged_in.host}/shop/app:1.0.0")
    assert (found.reference.tag, found.digest, found.platforms) == ("1.0.0", digest, ("linux/amd64",))


@pytest.mark.registry
def test_the_digest_of_an_index_is_what_gets_pinned(logged_in: Registry) -> None:
    digest = logged_in.push("shop/multi", "1.0.0", platforms=("linux/amd64", "linux/arm64/v8"))
    found = resolve(f"{logged_in.host}/shop/multi:1.0.0", platforms=("linux/amd64", "linux/arm64"))
    assert (found.digest, found.platforms) == (digest, ("linux/amd64", "linux/arm64/v8"))


@pytest.mark.registry
def test_a_digest_alone_and_a_tag_with_its_digest_are_confirmed(logged_in: Registry) -> None:
    digest = logged_in.push("shop/both", "1.0.0")
    assert resolve(f"{logged_in.host}/shop/both@{digest}").reference.tag is None
    assert resolve(f"{logged_in.host}/shop/both:1.0.0@{digest}").digest == digest


@pytest.mark.registry
def test_a_tag_that_moved_is_refused_with_both_digests(logged_in: Registry) -> None:
    first = logged_in.push("shop/moving", "1.0.0", text="first")
    second = logged_in.push("shop/moving", "1.0.0", text="second")
    error = refusal(f"{logged_in.host}/shop/moving:1.0.0@{first}")
    assert (error.code, error.exit_code) == ("tag-moved", 1)
    assert (
        str(error) == f"{logged_in.host}/shop/moving:1.0.0: the tag moved: it leads to {second} now, expected {first}"
    )


@pytest.mark.registry
def test_the_digest_of_one_platform_is_told_from_a_moved_tag(logged_in: Registry) -> None:
    index = logged_in.push("shop/part", "1.0.0", platforms=("linux/amd64", "linux/arm64"))
    part = logged_in.part("shop/part", index, "linux/arm64")
    error = refusal(f"{logged_in.host}/shop/part:1.0.0@{part}")
    assert str(error) == (
        f"{logged_in.host}/shop/part:1.0.0: {part} is the linux/arm64 part of it alone; pin the index, {index}"
    )


@pytest.mark.registry
@pytest.mark.parametrize("platforms", [("linux/arm64",), ("linux/arm64", "linux/s390x")], ids=["image", "index"])
def test_an_image_without_our_platform_is_refused(logged_in: Registry, platforms: tuple[str, ...]) -> None:
    logged_in.push("shop/arm", "1.0.0", platforms=platforms)
    error = refusal(f"{logged_in.host}/shop/arm:1.0.0")
    assert (error.code, error.exit_code) == ("no-platform", 1)
    assert str(error) == (
        f"{logged_in.host}/shop/arm:1.0.0: is not built for linux/amd64, only for {', '.join(platforms)}"
    )


@pytest.mark.registry
def test_a_tag_that_is_not_there_is_named(logged_in: Registry) -> None:
    logged_in.push("shop/app", "1.0.0")
    error = refusal(f"{logged_in.host}/shop/app:9.9.9")
    assert (error.code, error.exit_code) == ("not-found", 2)
    assert str(error) == f"{logged_in.host}/shop/app:9.9.9: the registry has no tag '9.9.9'"


@pytest.mark.registry
def test_a_digest_that_is_not_there_is_named(logged_in: Registry) -> None:
    logged_in.push("shop/app", "1.0.0")
    assert str(refusal(f"{logged_in.host}/shop/app@{OTHER}")).endswith(f"the registry has nothing with {OTHER}")


@pytest.mark.registry
def test_without_credentials_the_sentence_names_the_file_that_was_read(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(registry.certificate))
    error = refusal(f"{registry.host}/shop/app:1.0.0")
    assert (error.code, error.exit_code) == ("unauthorized", 2)
    assert str(error) == (
        f"{registry.host}/shop/app:1.0.0: the registry wants credentials for this repository (read from "
        f"{tmp_path}/.docker/config.json; `docker login` or `podman login {registry.host}`)"
    )


@pytest.mark.registry
def test_a_wrong_password_is_told_from_none(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "auth.json"
    auth = base64.b64encode(b"ci:wrong").decode()
    file.write_text(json.dumps({"auths": {registry.host: {"auth": auth}}}))
    monkeypatch.setenv("SSL_CERT_FILE", str(registry.certificate))
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(file))
    error = refusal(f"{registry.host}/shop/app:1.0.0")
    assert error.code == "unauthorized"
    assert f"the registry refuses ci for this repository (read from {file};" in str(error)


@pytest.mark.registry
def test_registry_auth_file_comes_before_docker_config(
    logged_in: Registry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    digest = logged_in.push("shop/app", "1.0.0")
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(logged_in.docker_config / "config.json"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert resolve(f"{logged_in.host}/shop/app:1.0.0").digest == digest


@pytest.mark.registry
def test_a_credential_helper_is_asked(logged_in: Registry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    digest = logged_in.push("shop/app", "1.0.0")
    auth = json.loads((logged_in.docker_config / "config.json").read_text())["auths"][logged_in.host]["auth"]
    user, password = base64.b64decode(auth).decode().split(":")
    helper = tmp_path / "bin" / "docker-credential-tests"
    helper.parent.mkdir()
    helper.write_text(f"""#!/bin/sh\nread host\necho '{{"Username": "{user}", "Secret": "{password}"}}'\n""")
    helper.chmod(0o755)
    (tmp_path / "config.json").write_text(json.dumps({"credHelpers": {logged_in.host: "tests"}}))
    monkeypatch.setenv("PATH", str(helper.parent), prepend=":")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert resolve(f"{logged_in.host}/shop/app:1.0.0").digest == digest


@pytest.mark.registry
def test_an_unknown_authority_is_said_and_not_passed_over(registry: Registry) -> None:
    error = refusal(f"{registry.host}/shop/app:1.0.0")
    assert (error.code, error.exit_code) == ("untrusted", 1)
    assert str(error).startswith(f"{registry.host}: its certificate is not trusted: ")
    assert str(error).endswith("(SSL_CERT_FILE names your own authority)")


@pytest.mark.registry
def test_a_registry_on_this_machine_may_speak_plain_http(plain_registry: Registry) -> None:
    digest = plain_registry.push("shop/app", "1.0.0")
    assert resolve(f"{plain_registry.host}/shop/app:1.0.0").digest == digest


@pytest.mark.registry
def test_several_images_get_one_answer_each(logged_in: Registry) -> None:
    digest = logged_in.push("shop/app", "1.0.0")
    good, bad = (parse_reference(f"{logged_in.host}/shop/app:{tag}") for tag in ("1.0.0", "9.9.9"))
    answers = resolve_all([good, bad, good])
    assert list(answers) == [good, bad]
    assert answers[good].digest == digest  # type: ignore[union-attr]
    assert isinstance(answers[bad], RegistryError)


# --- bad days ---------------------------------------------------------------------------------------


def test_429_waits_as_long_as_the_registry_says(fake: FakeRegistry) -> None:
    digest = fake.image("app", "1")
    fake.before("app", "1", Step(code=429, headers={"Retry-After": "1"}))
    assert resolve(f"{fake.host}/app:1", limits=QUICK).digest == digest
    assert fake.count("HEAD", "app", "1") == 2


def test_429_with_a_wait_beyond_patience_ends_at_once(fake: FakeRegistry) -> None:
    fake.image("app", "1")
    fake.before("app", "1", *[Step(code=429, headers={"Retry-After": "120"})] * 5)
    error = refusal(f"{fake.host}/app:1")
    assert (error.code, error.exit_code, error.retry_after) == ("rate-limited", 1, 120.0)
    assert str(error) == f"{fake.host}/app:1: the registry answered 429 (Too Many Requests) and asks to wait 120 s"
    assert fake.count("HEAD", "app", "1") == 1


def test_a_retry_after_that_is_a_date_in_the_past_means_now(fake: FakeRegistry) -> None:
    digest = fake.image("app", "1")
    fake.before("app", "1", Step(code=429, headers={"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}))
    assert resolve(f"{fake.host}/app:1", limits=QUICK).digest == digest


def test_500_is_asked_again(fake: FakeRegistry) -> None:
    digest = fake.image("app", "1")
    fake.before("app", "1", Step(code=500, headers={"Retry-After": "0"}), Step(code=503, headers={"Retry-After": "0"}))
    assert resolve(f"{fake.host}/app:1", limits=QUICK).digest == digest
    assert fake.count("HEAD", "app", "1") == 3


def test_500_for_ever_ends_after_the_attempts(fake: FakeRegistry) -> None:
    fake.image("app", "1")
    fake.steps["/v2/app/manifests/1"] = [Step(code=500, headers={"Retry-After": "0"})]
    error = refusal(f"{fake.host}/app:1")
    assert (error.code, error.exit_code) == ("unavailable", 1)
    assert str(error).startswith(f"{fake.host}/app:1: the registry answered 500 (Internal Server Error)")
    assert fake.count("HEAD", "app", "1") == 3


@pytest.mark.parametrize("step", [Step(stall=True), Step(trickle=True)], ids=["silent", "trickling"])
def test_a_slow_registry_runs_into_the_time_limit(fake: FakeRegistry, step: Step) -> None:
    digest = fake.image("app", "1")
    fake.steps[f"/v2/app/manifests/{digest}"] = [step]
    error = refusal(f"{fake.host}/app:1", Limits(connect=1, answer=0.2, patience=0.5, attempts=2))
    assert (error.code, error.exit_code) == ("slow", 1)
    assert str(error) == f"{fake.host}/app:1: no answer from the registry within 0.2 s"


def test_content_that_does_not_hash_to_its_digest_is_refused(fake: FakeRegistry) -> None:
    digest = fake.image("app", "1")
    false = b'{"manifests": []}'
    fake.steps[f"/v2/app/manifests/{digest}"] = [Step(content=false)]
    error = refusal(f"{fake.host}/app:1")
    assert (error.code, error.exit_code) == ("wrong-digest", 1)
    assert str(error) == (
        f"{fake.host}/app:1: the registry answered {digest} with content that hashes to {digest_of(false)}"
    )


def test_a_registry_that_names_no_digest_is_asked_for_the_content(fake: FakeRegistry) -> None:
    digest = fake.image("app", "1")
    fake.steps["/v2/app/manifests/1"] = [Step(content=fake.steps["/v2/app/manifests/1"][0].content)]
    assert resolve(f"{fake.host}/app:1", limits=QUICK).digest == digest
    assert fake.count("GET", "app", "1") == 1


def test_an_index_with_attestations_only_has_no_platform(fake: FakeRegistry) -> None:
    fake.image("app", "1", platforms=("unknown/unknown",))
    assert str(refusal(f"{fake.host}/app:1")).endswith("is not built for linux/amd64, only for no platform")


def test_a_token_service_is_asked_and_its_token_used(fake: FakeRegistry) -> None:
    digest = fake.image("app", "1")
    realm = {"Www-Authenticate": f'Bearer realm="http://{fake.host}/token",service="fake",scope="repository:app:pull"'}
    fake.steps["/v2/"] = [Step(code=401, headers=realm)]
    fake.before("app", "1", Step(code=401, headers=realm))
    token = "/token?service=fake&scope=repository%3Aapp%3Apull"
    fake.steps[token] = [Step(content=b'{"token": "of-the-tests-only"}')]
    assert resolve(f"{fake.host}/app:1", limits=QUICK).digest == digest
    assert fake.asked[:4] == ["GET /v2/", "HEAD /v2/app/manifests/1", f"GET {token}", "HEAD /v2/app/manifests/1"]


def test_a_token_service_that_gives_no_token_means_no_access(fake: FakeRegistry) -> None:
    fake.image("app", "1")
    realm = {"Www-Authenticate": f'Bearer realm="http://{fake.host}/token",service="fake"'}
    fake.steps["/v2/"] = fake.steps["/v2/app/manifests/1"] = [Step(code=401, headers=realm)]
    assert refusal(f"{fake.host}/app:1").code == "unauthorized"


def test_nobody_listening_is_unreachable(fake: FakeRegistry) -> None:
    from tests.promotion.registry_server import free_port

    host = f"127.0.0.1:{free_port()}"
    error = refusal(f"{host}/app:1", Limits(connect=1, answer=1, patience=0.1, attempts=2))
    assert (error.code, error.exit_code) == ("unreachable", 1)
    assert str(error).startswith(f"{host}: can't be reached: ")


def test_neither_tag_nor_digest_is_no_version() -> None:
    assert str(refusal("ghcr.io/example/app")) == (
        "ghcr.io/example/app: name a tag or a digest: 'latest' is not guessed"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("{", "can't be read as the credentials of docker or podman: ", id="no JSON"),
        pytest.param("[]", "must be a JSON object: the credentials of docker or podman", id="a list"),
        pytest.param('{"auths": {"HOST": {"auth": "%"}}}', "holds no usable credentials for HOST: ", id="no base64"),
        pytest.param(
            '{"auths": {"HOST": {"identitytoken": "x"}}}', "has an identity token for HOST, which", id="identity token"
        ),
        pytest.param('{"credsStore": "missing"}', "holds no usable credentials for HOST: ", id="no helper"),
    ],
)
@pytest.mark.filterwarnings("ignore:docker-credential-missing")
def test_credentials_that_can_not_be_read_name_the_file(
    fake: FakeRegistry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str, message: str
) -> None:
    file = tmp_path / "auth.json"
    file.write_text(content.replace("HOST", fake.host))
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(file))
    fake.steps["/v2/"] = [Step(code=401, headers={"Www-Authenticate": 'Basic realm="fake"'})]
    with pytest.raises(UserError) as caught:
        resolve(f"{fake.host}/app:1", limits=QUICK)
    assert str(caught.value).startswith(f"{file}: {message.replace('HOST', fake.host)}")
    assert "\n" not in str(caught.value)
