"""Every statement on the ledger, for tests of how a database would run them."""

import inspect
import re
from itertools import product

from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.ledger import conversion, schema


def statements() -> dict[str, str]:
    """Every statement, by its name; of those that are put together, every form."""
    found = {
        name: text
        for name, text in inspect.getmembers(schema, lambda value: isinstance(value, str))
        if re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE)\b", text)
    }
    found |= {f"update {column}": schema.update([column]) for column in conversion.TASK_COLUMNS}
    sets = [(), *((status,) for status in Status), tuple(Status)]
    columns = [("*",), conversion.SEARCHED_COLUMNS, conversion.RECORD_COLUMNS]
    for statuses, before, since, shown in product(sets, (None, "id"), (None, 1.0), columns):
        name = f"page of {statuses} before {before} since {since}: {shown}"
        found[name] = schema.select_page(statuses, before=before, since=since, columns=shown)
    return found
