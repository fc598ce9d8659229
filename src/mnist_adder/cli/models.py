"""``mnist-adder models``: list the models and their presets."""

from __future__ import annotations

import json
from typing import Any

from mnist_adder.cli.app import AsJson, app
from mnist_adder.cli.output import make_console, make_table


@app.command(epilog="Example: mnist-adder models")
def models(as_json: AsJson = False) -> None:
    """List the models: parameters, how the inputs meet, losses, source."""
    from mnist_adder import models as registry

    rows: list[dict[str, Any]] = [
        {
            "name": name,
            "parameters": model().parameter_count(),
            "fusion": model.fusion,
            "losses": model.objective,
            "source": model.source.title if model.source else "ours",
            "presets": {preset: made.purpose for preset, made in model.presets.items()},
        }
        for name, model in ((name, registry.get(name)) for name in registry.names())
    ]
    if as_json:
        print(json.dumps({"models": rows}))
        return
    table = make_table("model", "parameters", "how the inputs meet", "losses", "source")
    for row in rows:
        table.add_row(row["name"], f"{row['parameters']:,}", row["fusion"], row["losses"], row["source"])
    console = make_console()
    console.print(table)
    for row in rows:
        for preset, purpose in row["presets"].items():
            console.print(f"{row['name']} --preset {preset}: {purpose}", highlight=False)
