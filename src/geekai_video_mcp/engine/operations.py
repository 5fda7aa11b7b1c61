"""What an operator sees and steers of one process, whoever's engines run in it."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from geekai_video_mcp.engine.counters import Counters
from geekai_video_mcp.engine.drain import Drain

if TYPE_CHECKING:
    from geekai_video_mcp.ledger import Ledger
    from geekai_video_mcp.ledger.processes import Processes


@dataclass
class Operations:
    """Shared by all engines of a process."""

    drain: Drain = field(default_factory=Drain)
    counters: Counters = field(default_factory=Counters)
    ledger: "Ledger | None" = None
    """The one that the engines share; None until it is open."""
    processes: "Processes | None" = None
    """Those on that ledger; None until this one is registered with them."""
