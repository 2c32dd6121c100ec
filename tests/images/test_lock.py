"""What a service needs of the lock."""

import re
from pathlib import Path

import pytest

from cartwright.images import known_services
from cartwright.images.build import find_uv
from cartwright.images.lock import direct_requirements, locked_requirements, python_platform
from cartwright.kernel.errors import ToolError, UserError

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SERVICES = known_services(ROOT)


def test_every_service_that_can_be_run_has_an_image_and_the_kit_has_none() -> None:
    assert {"catalog", "gateway", "orders"} <= set(SERVICES)
    assert "kit" not in SERVICES


@pytest.mark.parametrize("service", SERVICES)
def test_what_a_service_needs_is_cut_from_the_lock_with_hashes(service: str) -> None:
    entries = re.split(r"\n(?=[A-Za-z0-9])", locked_requirements(ROOT, service, uv=find_uv()).strip())
    lock = (ROOT / "requirements.lock").read_text()
    for entry in entries:
        assert entry in lock
        assert "--hash=sha256:" in entry
    names = {re.match(r"[A-Za-z0-9._-]+", entry)[0] for entry in entries}
    assert {"fastapi", "starlette", "uvicorn"} <= names
    assert not {"pytest", "mypy", "ruff", "hypothesis", "typer"} & names
    assert ("redis" in names) == (service == "gateway")


def test_requirements_of_the_kit_count_for_a_service() -> None:
    assert "structlog" in direct_requirements(ROOT, "catalog")
    assert not [name for name in direct_requirements(ROOT, "catalog") if name.startswith("cartwright")]


def test_a_requirement_that_the_lock_does_not_have_is_an_error(tmp_path: Path) -> None:
    package = tmp_path / "services" / "odd"
    package.mkdir(parents=True)
    (package / "pyproject.toml").write_text('[project]\nname = "cartwright-odd"\ndependencies = ["iniconfig"]\n')
    (tmp_path / "requirements.lock").write_text("pluggy==1.7.0\n")
    with pytest.raises(UserError, match=r"requirements\.lock: does not list iniconfig \(make lock\)"):
        locked_requirements(tmp_path, "odd", uv=find_uv())


def test_a_machine_that_images_are_not_built_for_is_named() -> None:
    assert python_platform("arm64") == "aarch64-manylinux_2_36"
    with pytest.raises(ToolError, match="not on riscv64"):
        python_platform("riscv64")
