"""The part of the reference page about models."""

from typing import Final

from reconciler.catalogue.models import table

MODELS: Final = f"""\
## Models

The package has a table of models, collected on {table().date}. `validate`, `plan` and `apply` warn about a model that
the table does not have, that is retired, or that is not for the job's endpoint. They refuse nothing: the table ages,
and the API decides. Fine-tuned models (`ft:…`) and agents are not checked.

**Use dated ids, such as `mistral-small-2603`.** An alias that ends in `-latest` moves to another model, with other
answers and another price, while nothing changes in git: the plan reports no change, and jobs that are already done are
not submitted again. `mistral-medium-latest` cost 3.75 times as much from one day to the next (2026-06-16). With an id,
moving to a new model is a commit that a plan shows.

**Bodies.** The same commands warn about plain mistakes in request bodies, such as `messages` that is text, an unknown
role, a `temperature` of 300, or `temprature`: each kind once, with its first line and the number of lines. The first
thousand lines of a file are checked; if one has a mistake, all are counted."""
