"""Commands on the data sets of the built-in tasks."""

from steepest.cli import listings
from steepest.cli.shared import Json, print_json
from steepest.datasets import sources
from steepest.errors import DataUnavailable
from steepest.messages import tr


def list_data(*, json: Json = False) -> None:
    rows = [sources.show(name) for name in sources.datasets()]
    print_json(rows) if json else print(listings.datasets(rows))


def fetch_data(*names: str, json: Json = False) -> None:
    wanted = [sources.show(name)["name"] for name in names] or [*sources.datasets()]
    missing = []
    for name in wanted:
        try:
            sources.fetch(name)
        except DataUnavailable as error:
            missing.append(str(error))
            continue
        if not json:
            print(tr("{name}: available", name=name))
    if json:
        print_json([sources.show(name) for name in wanted])
    if missing:
        raise DataUnavailable(" ".join(missing))


def show_data(name: str, *, json: Json = False) -> None:
    page = sources.show(name)
    print_json(page) if json else print(listings.dataset(page))
