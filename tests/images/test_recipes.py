"""Recipes of images made of Debian's packages."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cartwright.images.recipes import load_recipes
from cartwright.kernel.errors import UserError
from cartwright.tree.repository import find_root

WHOLE = 'repository = "x"\npackages = ["p"]\nuser = "1"\ntag = "1"\n'


def test_each_recipe_of_an_image_stands_in_for_one_that_the_manifests_name() -> None:
    root = find_root()
    recipes = load_recipes(root)
    assert {"postgresql", "redis", "sandbox"} <= recipes.keys()
    manifests = "\n".join(file.read_text(encoding="utf-8") for file in root.glob("apps/data/*/*.yaml"))
    for recipe in recipes.values():
        if recipe.stands_in_for:
            assert f"image: {recipe.stands_in_for}\n" in manifests
        assert recipe.user.split(":")[0] != "0"


@pytest.mark.parametrize("name", ["recipe.toml", "entrypoint.sh"])
def test_a_recipes_key_changes_with_its_files(tmp_path: Path, name: str) -> None:
    shutil.copytree(find_root() / "tools" / "images", tmp_path / "tools" / "images")
    before = {key: recipe.key for key, recipe in load_recipes(tmp_path).items()}
    with (tmp_path / "tools/images/postgresql" / name).open("a", encoding="utf-8") as file:
        file.write("# more\n")
    after = {key: recipe.key for key, recipe in load_recipes(tmp_path).items()}
    assert [key for key in before if before[key] != after[key]] == ["postgresql"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("repository =", r"recipe\.toml: .*line 1"),
        ('repostory = "x"', r"recipe\.toml: unknown key 'repostory' .*repository"),
        ('repository = "x"', r"recipe\.toml: packages is missing"),
        ('repository = "x"\npackages = []\nuser = "1"', r"recipe\.toml: set either tag or version-of"),
        (WHOLE + 'version-of = "p"', r"recipe\.toml: set either tag or version-of"),
        ('repository = 1\npackages = []\nuser = "1"', r"recipe\.toml: repository must be a text"),
        (WHOLE.replace('["p"]', '"p"'), r"recipe\.toml: packages must be a list of texts"),
        (WHOLE + 'bare = "yes"', r"recipe\.toml: bare must be true or false"),
        (WHOLE + "bare = true", r"recipe\.toml: keep is missing, and bare keeps only what it lists"),
        (WHOLE + "[environment]\nN = 1", r"recipe\.toml: environment must be a table of texts"),
        (
            WHOLE + '[accounts]\np = {id = "70", home = "/"}',
            r"recipe\.toml: accounts must be a table of tables with id",
        ),
        (WHOLE + '[files]\n"gone.sh" = "/gone.sh"', r"recipe\.toml: files: gone\.sh is missing beside it"),
    ],
)
def test_a_malformed_recipe_names_its_file_and_key(tmp_path: Path, text: str, message: str) -> None:
    folder = tmp_path / "tools" / "images" / "x"
    folder.mkdir(parents=True)
    (folder / "recipe.toml").write_text(text + "\n", encoding="utf-8")
    with pytest.raises(UserError, match=f"tools/images/x/{message}"):
        load_recipes(tmp_path)
