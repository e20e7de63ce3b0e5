"""A run is its setup: the same weights whoever runs it, however often it is interrupted."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

from edgetwin.storage import json_lines
from edgetwin.systems.federated.client import Replica
from edgetwin.systems.federated.conduct import conduct
from edgetwin.systems.federated.flower.certificates import make_certificates
from edgetwin.systems.federated.messages import Order
from edgetwin.systems.federated.runtime import Federation
from edgetwin.systems.federated.setup import Setup, build
from edgetwin.systems.federated.sources import choose_trained, load_material

DIGITS = Setup(
    model="mlp", task="digits", settings={"at": 5, "lr": (5e-4, 4e-3)}, rounds=4, clients=3,
    per_round=2, batch=16, steps=2,
)  # fmt: skip


def test_a_setup_survives_its_file(tmp_path: Path) -> None:
    DIGITS.save(tmp_path)
    again = Setup.load(tmp_path)
    assert again.as_dict() | {"settings": {}} == DIGITS.as_dict() | {"settings": {}}
    assert again.settings == {"at": 5, "lr": [5e-4, 4e-3]}
    with pytest.raises(ValueError, match="holds no federated run"):
        Setup.load(tmp_path / "elsewhere")


def test_every_share_and_batch_follows_from_the_seed() -> None:
    one, two = build(DIGITS), build(DIGITS)
    assert all(np.array_equal(a, b) for a, b in zip(one.shares, two.shares, strict=True))
    assert sorted(np.concatenate(one.shares).tolist()) == list(range(len(one.train.labels)))
    first, same = one.batches(1)(3, 0), two.batches(1)(3, 0)
    assert bool((first.inputs["x"] == same.inputs["x"]).all())
    other = one.batches(1)(3, 1)
    assert not bool((first.inputs["x"] == other.inputs["x"]).all())


def test_clients_with_replicas_of_their_own_give_the_shared_one() -> None:
    """As on Flower: orders and uploads are bytes, each client keeps its weights itself."""
    shop = build(DIGITS)
    server = shop.server()
    shops = [build(DIGITS) for _ in range(3)]
    clients = [s.client(k, Replica(s.method)) for k, s in enumerate(shops)]
    while server.version < DIGITS.rounds:
        for k, order in server.open(shop.participants(server.version)).items():
            assert server.receive(k, clients[k].work(Order.from_bytes(order.to_bytes()))) == (
                "accepted"
            )
        server.close()
    together = build(DIGITS)
    shared = together.server()
    federation = together.federation(shared)
    while shared.version < DIGITS.rounds:
        federation.round(together.participants(shared.version))
    assert server.replica.method.snapshot() == shared.replica.method.snapshot()


def test_a_run_that_is_cut_off_ends_as_if_it_had_not_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = conduct(DIGITS, tmp_path / "whole", looks=2)
    proper = Federation.round

    def cut(self: Federation, clients: Any, **more: Any) -> Any:
        if self.server.version == 2:
            raise KeyboardInterrupt
        return proper(self, clients, **more)

    monkeypatch.setattr(Federation, "round", cut)
    with pytest.raises(KeyboardInterrupt):
        conduct(DIGITS, tmp_path / "cut", looks=2)
    monkeypatch.setattr(Federation, "round", proper)
    assert conduct(DIGITS, tmp_path / "cut", looks=2) == whole
    assert len(list(json_lines(tmp_path / "cut" / "course.jsonl"))) == 1 + DIGITS.rounds


def test_flops_and_bytes_are_those_of_the_steps(tmp_path: Path) -> None:
    found = conduct(DIGITS, tmp_path)
    steps = DIGITS.rounds * DIGITS.per_round * DIGITS.steps
    assert found["upload_bytes"] == 32 * steps
    weights = 64 * 48 + 6 * 2 * 48 * 48 + 48 * 10
    last = 2 * 48 * 48 + 48 * 10  # of the sixth layer and the exit, which is perturbed four times
    assert found["flops"] == steps * 2 * 16 * (2 * (weights - last) + 8 * last)
    assert found["uploads"] == {"accepted": DIGITS.rounds * DIGITS.per_round}


def test_boards_and_runtimes_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="boards are simulated in runtime here"):
        conduct(DIGITS, tmp_path, runtime="deployment", boards=["jetson-nano"])
    with pytest.raises(KeyError, match="Did you mean 'simulation'"):
        conduct(DIGITS, tmp_path, runtime="simulatoin")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"per_round": 4}, "per_round is 4 of 3 clients"),
        ({"rounds": 0}, "rounds is 0"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_a_setup_that_cannot_be_is_refused(changed: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Setup(**{**DIGITS.as_dict(), **changed})


def test_settings_that_a_method_does_not_have_are_refused() -> None:
    with pytest.raises(ValueError, match=r"settings of fedspzo \(colour given\)"):
        build(Setup(**{**DIGITS.as_dict(), "settings": {"colour": 1}}))


def test_models_and_tasks_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(ValueError, match="'mlp' cannot do task 'sst2'"):
        load_material("mlp", "sst2")
    with pytest.raises(ValueError, match="task rte needs a file to train on"):
        load_material("minilm", "rte", train="a.tsv")
    with pytest.raises(ValueError, match="trained is 'first:2'"):
        choose_trained(build(DIGITS).model, "first:2")  # type: ignore[arg-type]


def test_the_server_shows_a_certificate_that_its_authority_signed(tmp_path: Path) -> None:
    x509 = pytest.importorskip("cryptography.x509")
    exceptions = pytest.importorskip("cryptography.exceptions")
    tls = make_certificates(tmp_path / "tls")
    root, server = (
        x509.load_pem_x509_certificate(path.read_bytes())
        for path in (tls.authority, tls.certificate)
    )
    server.verify_directly_issued_by(root)
    root.verify_directly_issued_by(root)
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert str(names.get_values_for_type(x509.IPAddress)[0]) == "127.0.0.1"
    assert not server.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert tls.key.stat().st_mode & 0o077 == 0
    other = make_certificates(tmp_path / "other")
    with pytest.raises(exceptions.InvalidSignature):
        server.verify_directly_issued_by(
            x509.load_pem_x509_certificate(other.authority.read_bytes())
        )


def test_an_answer_of_another_form_is_none() -> None:
    pytest.importorskip("flwr")
    from flwr.app import ConfigRecord, RecordDict

    from edgetwin.systems.federated.flower.client import RECORD, Answer, read_answer

    whole = {"node": 1, "version": 3, "upload": b"abc"}
    assert read_answer(RecordDict({RECORD: ConfigRecord(whole)})) == Answer(
        client=1, version=3, upload=b"abc"
    )
    for wrong in ({"upload": "text"}, {"node": -1}, {"version": 1.5}, {"node": "0"}):
        assert read_answer(RecordDict({RECORD: ConfigRecord({**whole, **wrong})})) is None
    assert read_answer(RecordDict()) is None
    assert read_answer(RecordDict({RECORD: ConfigRecord({"node": 1})})) is None
