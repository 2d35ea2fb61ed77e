"""The server of ``tinyengine live``: who gets in, what messages may be, and a board behind it (the real firmware with a
hand-written network and trainer)."""

from __future__ import annotations

import contextlib
import http.client
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.request import urlopen

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tinyengine.boards import load
from tinyengine.compiler import CompileOptions, compile_model
from tinyengine.data.boxes import Box
from tinyengine.data.metadata import ModelMetadata
from tinyengine.device import Device, Inference, TensorInfo, open_device
from tinyengine.device.camera import check_outcome
from tinyengine.device.recognition import Recognition, Recognizer
from tinyengine.errors import BoardError, DataError
from tinyengine.finetune.classes import Outputs
from tinyengine.live import messages
from tinyengine.live.arena import find_plan, places
from tinyengine.live.board import Options
from tinyengine.live.collection import Collection
from tinyengine.live.hub import MOST_TABS, WAITING, Hub
from tinyengine.live.looking import answer_report
from tinyengine.live.messages import (
    Budget,
    Collect,
    MessageError,
    Order,
    SentPicture,
    Step,
    Stop,
    Train,
    finite,
    parse_order,
    parse_picture,
)
from tinyengine.live.pages import Pages, Publish
from tinyengine.live.pulled import Pulled
from tinyengine.live.server import host_is_ours
from tinyengine.live.session import Session
from tinyengine.live.sources import HostSource
from tinyengine.live.teaching import wish_for
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.helpers.command_line import fails
from tests.helpers.live_page import TOKEN, Page, encoded, page
from tests.helpers.native_device import SHAPE, NativeDevice, native_device
from tests.helpers.trained_network import write_model, write_pictures

ONE, TWO = "1" * 16, "2" * 16
ODD = 'grün→ "1"; #%41?_trained.npz'


def picture(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, SHAPE).astype(np.uint8)


# ---- messages


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ('{"do": "collect", "class": " mug ", "on": true}', Collect("mug", True)),
        ('{"do": "collect", "class": "cafe\\u0301", "on": false}', Collect("café", False)),
        ('{"do": "train", "epochs": 2, "rate": "auto"}', Train(2.0, None)),
        ('{"do": "train", "epochs": 0.5, "rate": 0.01}', Train(0.5, 0.01)),
        ('{"do": "step", "hold": true}', Step(True)),
        ('{"do": "stop"}', Stop()),
        ('{"do": "add_class", "class": "console"}', messages.AddClass("console")),
        ('{"do": "add_class", "class": "com0"}', messages.AddClass("com0")),
    ],
)
def test_orders(text: str, order: Order) -> None:
    assert parse_order(text) == order


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        '{"do": "fly"}',
        '{"do": ["stop"]}',
        '{"do": "stop", "now": true}',
        '{"do": "collect", "class": "mug"}',
        '{"do": "collect", "class": "mug", "on": 1}',
        '{"do": "collect", "class": "../mug", "on": true}',
        '{"do": "collect", "class": ".mug", "on": true}',
        '{"do": "collect", "class": "a\\u0000b", "on": true}',
        '{"do": "collect", "class": "\\ud800", "on": true}',
        '{"do": "collect", "class": "", "on": true}',
        '{"do": "add_class", "class": "con"}',
        '{"do": "add_class", "class": "Lpt9 .tar.gz"}',
        '{"do": "add_class", "class": "NUL.mug"}',
        '{"do": "add_class", "class": "' + "m" * 41 + '"}',
        '{"do": "train", "epochs": NaN, "rate": 1}',
        '{"do": "train", "epochs": 1e999, "rate": 1}',
        '{"do": "train", "epochs": true, "rate": 1}',
        '{"do": "train", "epochs": 1, "rate": ["auto"]}',
        '{"do": "source", "source": "/etc/passwd"}',
        '{"do": "source", "source": []}',
        '{"do": "train", "epochs": 1' + "0" * 4090 + "}",
        "[" * 4000,
    ],
)
def test_what_is_no_order(text: str) -> None:
    with pytest.raises(MessageError):
        parse_order(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ("do", "class", "on", "hold", "epochs", "rate", "source", "forget")
NEARLY = st.dictionaries(st.sampled_from(FIELDS), st.sampled_from([*messages._ORDERS, "mug"]) | JSON, max_size=4)
TEXTS = st.text(max_size=60) | (JSON | NEARLY).map(json.dumps)
JPEG = encoded(picture(), "JPEG")


@st.composite
def damaged_pictures(draw: st.DrawFn) -> bytes:
    """A JPEG or PNG with some bytes changed, cut off somewhere."""
    content = bytearray(draw(st.sampled_from([JPEG, encoded(picture())])))
    for _ in range(draw(st.integers(1, 4))):
        content[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
    return bytes(content[: draw(st.integers(1, len(content)))])


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_any_text_is_an_order_or_an_error(text: str) -> None:
    with contextlib.suppress(MessageError):
        assert parse_order(text) is not None


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=64) | damaged_pictures())
def test_any_bytes_are_a_picture_or_an_error(content: bytes) -> None:
    with contextlib.suppress(MessageError):
        assert parse_picture(content).content == content


def test_pictures_of_harmless_size_only() -> None:
    assert parse_picture(JPEG) == SentPicture(JPEG, ".jpg")
    for content in (b"", b"GIF89a", JPEG[:20], b"\xff\xd8\xff" + b"x" * messages.PICTURE_BYTES):
        with pytest.raises(MessageError):
            parse_picture(content)
    with pytest.raises(MessageError, match="4096 pixels"):
        parse_picture(encoded(np.zeros((1, 5000, 3), np.uint8)))


def test_a_budget_lets_bursts_through_and_no_floods() -> None:
    now = [0.0]
    budget = Budget(2, 3, lambda: now[0])
    assert [budget.take() for _ in range(4)] == [True, True, True, False]
    now[0] = 1.0
    assert [budget.take() for _ in range(3)] == [True, True, False]


def test_json_has_no_infinities() -> None:
    assert finite({"a": [float("nan"), 1.5, (float("inf"),)]}) == {"a": [None, 1.5, [None]]}


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("127.0.0.1:8765", True),
        ("[::1]:8765", True),
        ("192.168.7.2", True),
        ("localhost:80", True),
        ("LOCALHOST", True),
        ("evil.example", False),
        ("127.0.0.1.evil.example:8765", False),
        ("localhost.evil.example", False),
        ("", False),
        ("127.0.0.1:8765@evil.example", False),
    ],
)
def test_hosts(host: str, ours: bool) -> None:
    assert host_is_ours(host, frozenset({"localhost"})) is ours


# ---- the server alone


class Recorder:
    """In place of a session: notes what would reach the board."""

    def __init__(self, publish: Publish) -> None:
        self.publish = publish
        self.orders: list[Order] = []
        self.offered: list[SentPicture] = []
        self.left = 0
        self.files = {"key": ("net_trained.npz", b"weights"), "odd": (ODD, b"odd")}

    def start(self) -> None:
        pass

    def close(self) -> None:
        pass

    def submit(self, order: Order) -> bool:
        self.orders.append(order)
        return True

    def offer(self, sent: SentPicture) -> None:
        self.offered.append(sent)

    def leave(self) -> None:
        self.left += 1

    def snapshot(self) -> dict[str, Any]:
        return {"is": "state"}


@pytest.fixture(scope="module")
def recorded() -> Iterator[tuple[Page, list[Recorder]]]:
    made: list[Recorder] = []

    def make(publish: Publish) -> Session:
        made.append(Recorder(publish))
        return made[0]  # type: ignore[return-value]

    with page(make) as running:
        yield running, made


def get(running: Page, path: str, host: str | None = None, method: str = "GET", **headers: str) -> tuple[int, bytes]:
    line = http.client.HTTPConnection("127.0.0.1", running.port, timeout=10)
    with contextlib.closing(line):
        line.putrequest(method, path, skip_host=True)
        line.putheader("Host", host or f"127.0.0.1:{running.port}")
        for name, value in headers.items():
            line.putheader(name.replace("_", "-"), value)
        line.endheaders()
        answer = line.getresponse()
        if answer.status == 200:
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
            assert answer.headers["Referrer-Policy"] == "no-referrer"
        return answer.status, answer.read()


def test_the_page_is_behind_its_token(recorded: tuple[Page, list[Recorder]]) -> None:
    running, _ = recorded
    assert b"<title>tinyengine live</title>" in get(running, f"/{TOKEN}/")[1]
    for name in ("app.js", "style.css", "icon.svg"):
        assert get(running, f"/{TOKEN}/{name}")[0] == 200
    for path in ("/", "/app.js", f"/{TOKEN}", "/wrong/", f"/{TOKEN}x/", "/socket"):
        assert get(running, path)[0] == 403, path
    for path in ("../server.py", "..%2fserver.py", "nothing.js", "files/key/other.npz", "files/wrong/net_trained.npz"):
        assert get(running, f"/{TOKEN}/{path}")[0] == 404, path
    assert get(running, f"/{TOKEN}/files/key/net_trained.npz") == (200, b"weights")
    for method in ("POST", "PUT", "DELETE"):
        assert get(running, f"/{TOKEN}/", method=method)[0] == 405


def test_a_file_of_any_name_is_had_by_the_link(recorded: tuple[Page, list[Recorder]]) -> None:
    events: list[Any] = []
    pulled = Pulled(Options(), Pages(events.append, dict))
    info = SimpleNamespace(layout="layout", scheme="last-2", steps=3, class_names=("mug",))
    trainer: Any = SimpleNamespace(info=lambda: info, read_state=lambda: b"state")
    identity = SimpleNamespace(model=ODD.replace("_trained.npz", ".tflite"))
    pulled.pull(SimpleNamespace(trainer=trainer, device=SimpleNamespace(identity=identity)))  # type: ignore[arg-type]
    [file] = events[-1]["files"]
    assert file["name"] == ODD
    folder, key, name = file["href"].split("/")
    assert pulled.files[key][0] == ODD
    with urlopen(f"{recorded[0].origin}/{TOKEN}/{folder}/odd/{name}") as answer:
        assert answer.read() == b"odd"
        assert answer.headers.get_filename() == ODD


def test_a_name_that_was_rebound_gets_nothing(recorded: tuple[Page, list[Recorder]]) -> None:
    running, _ = recorded
    evil = f"evil.example:{running.port}"
    assert get(running, f"/{TOKEN}/", evil)[0] == 403
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec_WebSocket_Version": "13",
        "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    path = f"/{TOKEN}/socket?tab={ONE}"
    assert get(running, path, evil, Origin=f"http://{evil}", **upgrade)[0] == 403
    assert get(running, path, Origin=running.origin, **upgrade)[0] == 101


@pytest.mark.parametrize("origin", ["", "null", "http://evil.example", "http://127.0.0.1:1", "https://127.0.0.1"])
def test_a_foreign_page_gets_no_socket(recorded: tuple[Page, list[Recorder]], origin: str) -> None:
    running, _ = recorded
    with pytest.raises(InvalidStatus) as refused, running.tab(origin=origin):
        pass
    assert refused.value.response.status_code == 403


def test_a_wrong_token_gets_no_socket(recorded: tuple[Page, list[Recorder]]) -> None:
    running, _ = recorded
    for token, name in (("wrong", ONE), (TOKEN, "no-name"), (TOKEN, "")):
        with pytest.raises(InvalidStatus), running.tab(name, token):
            pass


def test_one_tab_controls_and_others_may_take_over(recorded: tuple[Page, list[Recorder]]) -> None:
    running, [session] = recorded
    session.orders.clear()
    with running.tab(ONE) as first, running.tab(TWO) as second:
        first.until("role", lambda role: role["controls"] and role["others"] == 1)
        assert not second.until("role")["controls"]
        second.send("save")
        assert "take over" in second.until("notice")["text"]
        second.socket.send(JPEG)
        assert "take over" in second.until("notice")["text"]
        assert (session.orders, session.offered) == ([], [])
        left = session.left
        second.send("control")
        second.until("role", lambda role: role["controls"])
        first.until("role", lambda role: not role["controls"])
        assert session.left == left + 1  # keys that the former one held are up
        second.send("undo")
        first.send("reset", forget=True)
        assert "take over" in first.until("notice")["text"]
        assert session.orders == [messages.Undo()]
        with running.tab(TWO) as again:  # its copy, or itself before anybody has noticed that its connection broke
            assert not again.until("role")["controls"]
            again.send("undo")
            assert "take over" in again.until("notice")["text"]
            left = session.left
            second.socket.close()
            again.until("role", lambda role: role["controls"])
            assert session.left == left + 1
            first.until("role", lambda role: not role["free"] and role["others"] == 1)


def test_malformed_messages_end_nothing_and_reach_nobody(recorded: tuple[Page, list[Recorder]]) -> None:
    running, [session] = recorded
    session.orders.clear()
    session.offered.clear()
    refused = [0]

    @settings(max_examples=120, deadline=None)
    @given(st.lists(TEXTS | st.binary(max_size=80) | damaged_pictures(), min_size=1, max_size=4))
    def attempt(sent: list[str | bytes]) -> None:
        allowed, mistakes = [], 0
        with running.tab(ONE) as tab:
            for message in sent:
                try:
                    if isinstance(message, bytes):
                        parse_picture(message)
                    elif (order := parse_order(message)) != messages.TakeControl():
                        allowed.append(order)
                except MessageError:
                    mistakes += 1
                tab.socket.send(message)
            for _ in range(mistakes):
                assert tab.until("notice")["kind"] == "error"
            tab.send("undo")  # it comes after all others
            deadline = time.monotonic() + 10
            while len(session.orders) <= len(allowed) and time.monotonic() < deadline:
                time.sleep(0.001)
        assert session.orders == [*allowed, messages.Undo()]
        session.orders.clear()
        refused[0] += mistakes

    attempt()
    assert refused[0] > 100


def test_who_sends_nonsense_all_the_time_is_hung_up_on(recorded: tuple[Page, list[Recorder]]) -> None:
    running, _ = recorded
    with running.tab(ONE) as tab:
        with contextlib.suppress(ConnectionClosed):
            for _ in range(200):
                tab.socket.send("nonsense")
        assert tab.closed() == 1008
    with running.tab(ONE) as tab:
        with contextlib.suppress(ConnectionClosed):
            tab.socket.send(b"x" * (messages.PICTURE_BYTES + 5000))
        assert tab.closed() == 1009
    with running.tab(ONE) as tab:
        with contextlib.suppress(ConnectionClosed):
            for _ in range(400):
                tab.send("profile")
        assert tab.closed() == 1008
    with running.tab(ONE) as tab:
        assert tab.until("role")["controls"]


def test_tabs_that_are_too_many_or_too_slow() -> None:
    hub = Hub()
    tabs = [hub.join(f"{k:016x}") for k in range(MOST_TABS)]
    assert None not in tabs and hub.join("f" * 16) is None
    slow = tabs[3]
    assert slow is not None
    for k in range(WAITING + 10):
        hub.broadcast({"is": "answer", "number": k})
    assert slow.waiting.qsize() == WAITING  # answers are left out
    hub.broadcast({"is": "state"})
    assert slow.waiting.get_nowait() is None  # it has missed something: connect again


# ---- samples


def test_a_collection_on_disk(tmp_path: Path) -> None:
    collection = Collection(tmp_path / "samples")
    assert not collection.folder.exists()
    collection.add_class("mug")
    for name in ("mug", "MUG"):
        with pytest.raises(DataError, match="already"):
            collection.add_class(name)
    with pytest.raises(DataError, match="add it first"):
        collection.begin("tin")
    with pytest.raises(DataError, match="nothing has been collected"):
        collection.undo()
    collection.begin("mug")
    first = collection.add("mug", b"one", ".jpg")
    collection.begin("mug")
    more = [collection.add("mug", b"more", ".png") for _ in range(3)]
    collection.begin("mug")  # a press that has kept nothing
    assert collection.counts == {"mug": 4}
    assert sorted(p.name for p in (tmp_path / "samples" / "mug").iterdir()) == sorted(p.name for p in [first, *more])
    assert collection.undo() == ("mug", 3)
    assert first.read_bytes() == b"one" and not any(path.exists() for path in more)
    with pytest.raises(DataError, match="has 1 samples"):
        collection.remove_class("mug")
    assert collection.undo() == ("mug", 1)
    assert collection.counts == {"mug": 0} and not first.parent.exists()
    collection.remove_class("mug")
    assert collection.counts == {}


def test_a_collection_goes_on_with_what_is_there(tmp_path: Path) -> None:
    write_pictures(tmp_path, 2)
    (tmp_path / "empty").mkdir()
    (tmp_path / ".hidden").mkdir()
    collection = Collection(tmp_path)
    assert collection.counts == {"blue": 2, "green": 2, "red": 2}
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="no folder"):
        Collection(tmp_path / "file")


def test_files_that_cannot_be_had_are_no_boards_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    collection = Collection(tmp_path)
    collection.add_class("mug")
    collection.begin("mug")
    first, locked, last = [collection.add("mug", b"one", ".jpg") for _ in range(3)]

    def refuse(path: Path, *_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    unlink = Path.unlink
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", lambda path: refuse(path) if path == locked else unlink(path))
        with pytest.raises(DataError, match="cannot be removed: Permission denied"):
            collection.undo()
    assert collection.counts == {"mug": 2} and first.exists() and locked.exists() and not last.exists()
    assert collection.can_undo
    with monkeypatch.context() as patch:
        patch.setattr(Path, "iterdir", refuse)
        with pytest.raises(DataError, match="cannot be read: Permission denied"):
            collection.refresh()
    assert collection.counts == {"mug": 2}
    assert collection.undo() == ("mug", 2)
    assert not collection.can_undo and collection.counts == {"mug": 0}


def test_a_source_that_gives_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinyengine.live.sources.frames", lambda name: iter(()))
    with pytest.raises(DataError, match=r"^http://camera/stream gives no pictures"):
        HostSource("http://me:secret@camera/stream").next()


def test_pages_are_told_no_password(tmp_path: Path) -> None:
    source = HostSource("rtsp://me:secret@camera/live")
    session = Session(contextlib.nullcontext, Collection(tmp_path), lambda event: None, source)  # type: ignore[arg-type]
    assert session.snapshot()["host_source"] == "rtsp://camera/live"


def test_a_folder_of_the_host_is_shown_again_and_again(tmp_path: Path) -> None:
    for k in range(3):
        Image.new("RGB", (4, 4), (k, 0, 0)).save(tmp_path / f"{k}.png")
    now = [0.0]
    source = HostSource(str(tmp_path), clock=lambda: now[0])
    assert source.stays
    names = [Path(source.next().name).name for _ in range(4)]
    assert names == ["0.png", "1.png", "2.png", "0.png"]
    assert source.wait() == pytest.approx(0.5)
    source.hold = True
    assert [Path(source.next().name).name for _ in range(2)] == ["0.png", "0.png"]
    source.step()
    assert source.wait() == 0 and Path(source.next().name).name == "1.png"
    source.close()
    assert Path(source.next().name).name == "0.png"
    with pytest.raises(DataError, match="no picture"):
        HostSource(str(tmp_path / "nowhere")).next()


@pytest.mark.parametrize(
    ("known", "taught", "classes", "names"),
    [
        (("no_person", "person"), (), ("person", "no_person"), ()),  # the factory's, whatever the order
        (("no_person", "person"), (), ("mug", "tin"), ("mug", "tin")),
        (("mug", "tin"), ("mug", "tin"), ("tin", "pen"), ("mug", "tin", "pen")),
        ((), (), ("b", "a"), ("b", "a")),
    ],
)
def test_what_the_outputs_will_be_called(
    known: tuple[str, ...], taught: tuple[str, ...], classes: tuple[str, ...], names: tuple[str, ...]
) -> None:
    assert wish_for(Outputs(known, 4), taught, classes).names == names


@pytest.mark.parametrize("train", [None, "last-2"])
def test_what_lies_in_the_arena_while_a_layer_runs(tmp_path: Path, train: str | None) -> None:
    model = write_model(tmp_path / "net.tflite")
    board = load("sim_stm32f405")
    options = CompileOptions(cpu=board.cpu, train=train, sram_available=board.network_sram_bytes)
    compiled = compile_model(model, replace(options, requant="exact" if train else "fast"))
    known = {"board": board.name, "model_hash": compiled.model_hash, "arena_bytes": compiled.plan.arena_bytes}
    identity: Any = SimpleNamespace(**known, layers=len(compiled.calls), by_frame=True)
    classes = compiled.training.classes if compiled.training else 0
    info: Any = SimpleNamespace(scheme=train, classes=classes, velocity=False, gradients="int16") if train else None
    found = find_plan(model, identity, info)
    assert found is not None
    shown = places(found)
    for number in range(identity.layers):
        here = [place for place in shown if place["first"] <= number <= place["last"]]
        assert here and all(place["address"] + place["bytes"] <= identity.arena_bytes for place in here)
    assert {place["kind"] for place in shown} >= {"input", "output"}
    identity.arena_bytes += 1
    assert find_plan(model, identity, info) is None
    for name in (str(tmp_path / "mine.json"), "../boards/sim_stm32f405.json", "mine"):
        identity.board = name
        with pytest.raises(BoardError, match="none of the checkout's boards") as told:
            find_plan(model, identity, info)
        assert "--" not in str(told.value)


# ---- a board behind it


class Bench:
    """A board that can be taken away and replaced, as with a cable."""

    def __init__(self, folder: Path) -> None:
        self.flash = folder / "flash"
        self.native: NativeDevice | None = None
        self._stack = contextlib.ExitStack()

    def plug_in(self) -> None:
        self.native = self._stack.enter_context(native_device(flash=self.flash))

    def pull_out(self) -> None:
        assert self.native is not None
        self.native.process.stdin.close()  # type: ignore[union-attr]
        self.native.process.wait(10)
        self._stack.close()

    @contextlib.contextmanager
    def connect(self) -> Iterator[Device]:
        assert self.native is not None
        with open_device(self.native.url) as device:
            yield device


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    made.plug_in()
    yield made
    with contextlib.suppress(Exception):
        made.pull_out()


@contextlib.contextmanager
def live(bench: Bench, folder: Path, source: str | None = None) -> Iterator[Page]:
    host = HostSource(source, 1000) if source else None
    with page(lambda publish: Session(bench.connect, Collection(folder), publish, host)) as running:
        yield running


def test_pictures_are_judged_collected_and_taken_back(bench: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "samples"
    with live(bench, folder) as running, running.tab(ONE) as tab, running.tab(TWO) as watcher:
        state = tab.until("state", lambda state: state["link"] == "connected")
        assert state["board"] == "native" and state["layers"] and state["training"]["classes"] == 10
        tab.send("collect", **{"class": "mug", "on": True})
        assert "turn a camera on" in tab.until("notice")["text"]
        tab.send("source", source="host")
        assert "--source" in tab.until("notice")["text"]
        tab.send("source", source="browser")
        tab.until("state", lambda state: state["source"] == "browser")
        content = encoded(picture(1))
        tab.socket.send(content)
        event = tab.until("answer")
        judged = event["probabilities"]
        assert event["names"][event["index"]] == event["answer"]
        assert watcher.until("answer")["number"] == event["number"]
        assert len(watcher.pictures) == len(tab.pictures) == 1  # what the answer is about

        tab.send("add_class", **{"class": "mug"})
        tab.socket.send(content)  # under way when the key is pressed: it is of what was before
        tab.send("collect", **{"class": "mug", "on": True})
        assert "collected" not in tab.until("answer")
        for k in range(3):
            tab.socket.send(encoded(picture(k)))
            if k == 2:  # under way when the key is let go
                tab.send("collect", **{"class": "mug", "on": False})
            assert tab.until("answer")["collected"] == {"class": "mug", "samples": k + 1}
        tab.until("state", lambda state: not state["collecting"])
        tab.socket.send(content)
        assert "collected" not in tab.until("answer")
        kept = sorted((folder / "mug").iterdir())
        assert [path.read_bytes() for path in kept] == [encoded(picture(k)) for k in range(3)]
        tab.send("collect", **{"class": "mug", "on": True})
        tab.send("collect", **{"class": "mug", "on": False})  # a short press keeps the next picture
        tab.socket.send(content)
        assert tab.until("answer")["collected"]["samples"] == 4
        tab.until("state", lambda state: not state["collecting"])
        tab.socket.send(content)
        assert "collected" not in tab.until("answer")
        for count in (3, 0):
            tab.send("undo")
            left = [{"name": "mug", "samples": count, "taught": False}]
            tab.until("state", lambda state, left=left: state["classes"] == left)
        assert not (folder / "mug").exists()
        tab.socket.send(JPEG[:-200])  # its header is well
        assert tab.until("notice", lambda notice: "decoded" in notice["text"])
        tab.socket.send(content)
        tab.until("answer")
    with bench.connect() as device:
        answer = Recognizer(device).recognize("as infer does", Image.fromarray(picture(1))).answer
    assert answer is not None and list(answer.probabilities) == judged


def train_data(folder: Path) -> Path:
    write_pictures(folder, 5)
    return folder


def test_teach_save_lose_the_board_and_still_know(bench: Bench, tmp_path: Path) -> None:
    folder = train_data(tmp_path / "samples")
    with live(bench, folder) as running, running.tab(ONE) as tab:
        tab.until("state", lambda state: state["link"] == "connected")
        tab.send("restore")
        assert "nothing has been saved" in tab.until("notice")["text"]
        tab.send("train", epochs=2, rate=0.01)
        tab.until("state", lambda state: state["busy"] == "training")
        assert len(tab.until("steps")["points"]) > 0
        lesson = tab.until("trained")["lesson"]
        assert lesson["classes"] == ["blue", "green", "red"]
        assert lesson["before"]["count"] == lesson["after"]["count"] == 3
        assert lesson["trained_on"] == 12 and lesson["steps"] >= 1
        state = tab.until("state", lambda state: not state["busy"])
        assert state["training"]["class_names"] == ["blue", "green", "red"] and not state["training"]["saved"]
        tab.send("save")
        assert "saved" in tab.until("notice")["text"]
        tab.until("state", lambda state: state["training"]["saved"])
        tab.send("pull")
        [file] = tab.until("pulled")["files"]
        status, content = get(running, f"/{TOKEN}/{file['href']}")
        assert status == 200 and file["name"].endswith("_trained.npz") and content[:2] == b"PK"

        bench.pull_out()  # nobody wants anything of it, and yet it is missed
        state = tab.until("state", lambda state: state["link"] == "lost")
        assert state["problem"] and state["training"] is None
        bench.plug_in()
        state = tab.until("state", lambda state: state["link"] == "connected")
        assert state["training"]["class_names"] == ["blue", "green", "red"] and state["training"]["saved"]
        tab.send("source", source="browser")
        tab.socket.send(encoded(picture()))
        assert tab.until("answer")["names"] == ["blue", "green", "red"]
        tab.send("reset", forget=True)
        state = tab.until("state", lambda state: not state["training"]["class_names"])
        assert state["training"]["storage"]["outcome"] == "empty"


def test_a_training_that_is_stopped_and_one_that_cannot_be(bench: Bench, tmp_path: Path) -> None:
    folder = train_data(tmp_path / "samples")
    with live(bench, folder) as running:
        with running.tab(ONE) as tab:
            tab.until("state", lambda state: state["link"] == "connected")
            tab.send("train", epochs=1000, rate=0.01)
            tab.until("steps")
        with running.tab(TWO) as tab:  # the browser has gone; the training has not
            tab.until("role", lambda role: role["controls"])
            tab.until("steps")
            tab.send("save")
            assert "busy" in tab.until("notice")["text"]
            tab.send("stop")
            lesson = tab.until("trained")["lesson"]
            assert lesson["interrupted"] and lesson["after"] is None
            state = tab.until("state", lambda state: not state["busy"])
            assert state["training"]["complete"] and state["training"]["steps"] >= lesson["steps"] > 0
            for path in (folder / "blue").iterdir():
                path.unlink()
            tab.send("train", epochs=1, rate=0.01)
            assert "holds no" in tab.until("notice")["text"]
            tab.until("state", lambda state: not state["busy"])


def test_a_board_that_is_lost_in_a_training(bench: Bench, tmp_path: Path) -> None:
    folder = train_data(tmp_path / "samples")
    with live(bench, folder) as running, running.tab(ONE) as tab:
        tab.until("state", lambda state: state["link"] == "connected")
        for _ in range(2):
            tab.send("train", epochs=1000, rate=0.01)
            tab.until("steps")
            bench.pull_out()
            state = tab.until("state", lambda state: state["link"] == "lost")
            assert state["busy"] == ""
            tab.send("train", epochs=1000, rate=0.01)  # meant for the board that has gone
            assert "not connected" in tab.until("notice")["text"]
            bench.plug_in()
            state = tab.until("state", lambda state: state["link"] == "connected")
            assert state["training"]["complete"] and state["training"]["steps"] == 0
            tab.send("undo")
            assert "nothing to undo" in tab.until("notice")["text"]  # and no training goes on


@pytest.mark.parametrize("kind", ["boxes", "numbers", "shares"])
def test_answers_of_networks_that_are_no_classifiers(kind: str) -> None:
    port = TensorInfo("out", (2, 50, 2), 0.5, 0, 200)
    outputs = [np.arange(200).reshape(port.shape).astype(np.int8)]
    boxes = (Box(1, 0.75, 0.1, 0.2, 0.3, 0.4),) if kind == "boxes" else None
    meaning = ModelMetadata("detection" if boxes else "numbers", ("cup", "tin") if kind != "numbers" else ())
    run = Inference(outputs, 1, 10, 0.1, 0.2, 0.05, 300)
    result = Recognition("it", None, run, "cycles", (port,), meaning, 3.0, boxes)
    event = answer_report(result)
    assert (event["answer"], event["frames_per_second"], event["wire_share"]) == (None, 3.0, 0.25)
    assert "outputs" not in event
    if kind == "boxes":
        assert event["boxes"][0]["class"] == "tin" and event["boxes"][0]["score"] == 0.75
    else:
        assert event["boxes"] is None and event["numbers"][0]["size"] == 200
        assert event["numbers"][0]["values"] == [0.5 * k for k in range(8)]
        assert set(event["shares"]) == (set() if kind == "numbers" else {"cup", "tin"})


def test_the_hosts_pictures(bench: Bench, tmp_path: Path) -> None:
    shown = write_pictures(tmp_path / "shown", 2) / "red"
    with live(bench, tmp_path / "samples", str(shown)) as running, running.tab(ONE) as tab:
        assert Path(tab.until("answer")["picture"]).name == "0.png"
        assert len(tab.pictures) == 1
        tab.send("step", hold=True)
        tab.until("state", lambda state: state["holding"])
        first = tab.until("answer")["picture"]
        assert tab.until("answer")["picture"] == first
        tab.send("step", hold=True)
        assert tab.until("answer", lambda event: event["picture"] != first)
        tab.send("add_class", **{"class": "red"})
        tab.send("collect", **{"class": "red", "on": True})
        tab.until("answer", lambda event: event.get("collected"))
    # the tab has gone with its key held: nothing more is kept
    kept = len(list((tmp_path / "samples" / "red").iterdir()))
    time.sleep(0.3)
    assert len(list((tmp_path / "samples" / "red").iterdir())) == kept


@pytest.mark.parametrize(("camera", "sentence"), [("none", "has no camera"), ("broken", "sends no pictures")])
def test_a_board_that_sees_nothing_is_not_lost(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, camera: str, sentence: str
) -> None:
    if camera == "broken":
        monkeypatch.setattr(Device, "look", lambda *_, **__: check_outcome((6).to_bytes(4, "little")))
    with live(bench, tmp_path / "samples", "board") as running, running.tab(ONE) as tab:
        assert sentence in tab.until("notice")["text"]
        for _ in range(2):
            state = tab.until("state", lambda state: state["link"] != "connected" or state["source"] == "none")
            assert (state["link"], state["problem"]) == ("connected", "")
            tab.send("source", source="host")
            tab.until("state", lambda state: state["source"] == "host")


# ---- the command


def test_what_stands_in_the_way_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    start = ("live", "--port", "sim:sim_stm32f405", "--http-port", "0")
    assert "give another --data" in fails(monkeypatch, capsys, *start, "--data", tmp_path / "file")
    assert "://" in fails(monkeypatch, capsys, *start, "--data", tmp_path / "new", "--source", "http://[::1/")
    assert "--http-port" in fails(monkeypatch, capsys, *start, "--host", "203.0.113.9", "--data", tmp_path / "new")
    for name, word in (("starlette", "Starlette"), ("websockets", "websockets")):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, name, None)
            sentence = fails(patch, capsys, *start)
            assert word in sentence and "tinyengine[live]" in sentence
