"""``phosphene recipes``: the methods that come with phosphene, and what each is made of."""

from __future__ import annotations

from typing import Annotated

import typer

from phosphene.cli import console
from phosphene.cli.networks import JsonOption

recipes = typer.Typer(
    help="List the named recipes, or show one as a file to start from.",
    invoke_without_command=True,
    no_args_is_help=False,
)


@recipes.callback()
def default(context: typer.Context) -> None:
    """List the named recipes, or show one as a file to start from."""
    if context.invoked_subcommand is None:
        list_recipes()


@recipes.command("list")
def list_recipes(json: JsonOption = False) -> None:
    """List the methods: name, year, source, and what each starts from."""
    import phosphene as ph

    if json:
        keys = ("name", "year", "source", "start", "summary")
        console.print_json([{key: getattr(method, key) for key in keys} for method in ph.recipes.methods()])
        return
    table = console.table("recipe", "year", "starts from", "source", right=("year",))
    for method in ph.recipes.methods():
        table.add_row(method.name, str(method.year), method.start, method.source)
    console.out().print(table)


@recipes.command("cite")
def cite_recipe(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A recipe's name, or a .toml or .json file.")],
) -> None:
    """Print BibTeX entries of what a recipe follows."""
    from phosphene.cli.recipe_text import citation

    console.out().print(citation(name) or f"{name} is phosphene's own: see CITATION.cff", markup=False, highlight=False)


@recipes.command("show")
def show_recipe(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A recipe's name, or a .toml or .json file.")],
    json: JsonOption = False,
) -> None:
    """Show a recipe as TOML (or JSON): save it, change it, and render with --recipe FILE."""
    from phosphene import store
    from phosphene.cli.recipe_text import find_recipe

    document = find_recipe(name).to_json()
    if json:
        console.print_json(document)
    else:
        console.out().print(store.to_toml(document), end="")
