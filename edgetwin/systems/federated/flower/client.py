"""The Flower ClientApp: one message, one process, a replica that waits on the node's own disk."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, final

from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp

from edgetwin.systems.federated.client import Replica
from edgetwin.systems.federated.messages import Order
from edgetwin.systems.federated.setup import Setup, Workshop, build

RECORD: Final = "edgetwin"
ORDER, UPLOAD, NODE, VERSION = "order", "upload", "node", "version"

app = ClientApp()


@app.query()
def who(message: Message, context: Context) -> Message:
    """Which of the clients this node is, and at which version its replica stands."""
    replica = _replica(_workshop(_run_folder(context)), _run_folder(context))
    _load_if_whole(replica, _replica_path(context))
    found = ConfigRecord({NODE: _node(context), VERSION: replica.version})
    return Message(RecordDict({RECORD: found}), reply_to=message)


@app.train()
def work(message: Message, context: Context) -> Message:
    """An order is carried out; the answer is the upload, or the version where records lack."""
    order = Order.from_bytes(_bytes_of(message, ORDER))
    shop, path = _workshop(_run_folder(context)), _replica_path(context)
    replica = _replica(shop, _run_folder(context))
    if not _follows(replica.version, order):
        _load_if_whole(replica, path)
    answer = ConfigRecord({NODE: _node(context), VERSION: replica.version})
    if _follows(replica.version, order):
        answer[UPLOAD] = shop.client(_node(context), replica).work(order)
        answer[VERSION] = replica.version
        replica.save(path)
    return Message(RecordDict({RECORD: answer}), reply_to=message)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a node says: which client it is, at which version, and its upload if it made one."""

    client: int
    version: int
    upload: bytes | None


def read_answer(content: RecordDict) -> Answer | None:
    """A node's answer as it should be, or None: whatever else came is none."""
    found = content.config_records.get(RECORD, ConfigRecord())
    client, version, upload = (found.get(name) for name in (NODE, VERSION, UPLOAD))
    if not isinstance(client, int) or not isinstance(version, int) or min(client, version) < 0:
        return None
    if upload is not None and not isinstance(upload, bytes):
        return None
    return Answer(client=client, version=version, upload=upload)


def _follows(version: int, order: Order) -> bool:
    """Can a replica of this version be brought to the order's by its records?"""
    first = order.records[0].round if order.records else order.version
    return first <= version <= order.version


def _load_if_whole(replica: Replica, path: Path) -> None:
    """What the disk holds; a missing or damaged file leaves the replica as it is."""
    if path.exists():
        try:
            replica.load(path)
        except ValueError:
            path.unlink()


@lru_cache(maxsize=1)
def _workshop(folder: str) -> Workshop:
    return build(Setup.load(Path(folder)))


_REPLICAS: dict[str, Replica] = {}


def _replica(shop: Workshop, folder: str) -> Replica:
    """One a process: replicas at one version are equal, whoever's they are."""
    return _REPLICAS.setdefault(folder, Replica(shop.method))


def _run_folder(context: Context) -> str:
    return str(context.run_config["folder"])


def _node(context: Context) -> int:
    return int(context.node_config["partition-id"])


def _replica_path(context: Context) -> Path:
    """On the node's own disk; nodes that have none of their own share the run's folder."""
    run = Path(_run_folder(context))
    home = context.node_config.get("folder")
    own = Path(str(home)) if home else run / "nodes" / str(_node(context))
    return own / run.name / "replica.state"


def _bytes_of(message: Message, name: str) -> bytes:
    found = message.content.config_records[RECORD][name]
    if not isinstance(found, bytes):
        raise ValueError(f"a message whose {name!r} is no bytes.")
    return found
