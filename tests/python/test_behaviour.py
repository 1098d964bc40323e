"""What a call does beside its answer: progress, errors, threads, processes, Ctrl-C."""

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import internvit
import numpy as np
import pytest

SIDE = 112


def test_what_is_said_of_a_model(model):
    assert (model.name, model.device) == ("dinov2-small", "CPU")
    assert model.info == {"hidden": 384, "layers": 12, "heads": 6, "image_size": 518, "patch": 14}
    assert isinstance(model.notes, list) and repr(model) == "Model('dinov2-small', device='CPU')"
    assert internvit.__version__.count(".") == 2


def test_models_by_their_names(tiny):
    assert (tiny.name, tiny.info["hidden"]) == ("internvit-tiny", 192)
    with internvit.open("dinov2-small", device="cpu") as model:
        assert (model.name, model.info["hidden"]) == ("dinov2-small", 384)


def test_models_that_are_not(tmp_path):
    (tmp_path / "empty").mkdir()
    for source, options, kind in [
        ("/nowhere", {}, "input"),
        (tmp_path / "empty", {}, "checkpoint"),
        ("bundled", {"dtype": "f8"}, "input"),
        ("bundled", {"device": "no such adapter"}, "device"),
        ("bundled", {"device": "cpu", "dtype": "f16"}, "device"),
        ("owner/name", {"offline": True}, "hub"),
    ]:
        with pytest.raises(internvit.ModelError) as error:
            internvit.open(source, **options)
        assert error.value.kind == kind, str(error.value)
        assert "\n" not in str(error.value) and "--" not in str(error.value)
    with pytest.raises(TypeError):
        internvit.open("bundled", devise="cpu")


def test_an_error_survives_its_way_between_processes():
    error = internvit.ModelError("a.png: cut off", "image", "cut off")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.kind, again.reason) == ("a.png: cut off", "image", "cut off")


def test_a_model_of_the_hub(hub, cat):
    seen = []
    with internvit.open(hub, device="cpu", progress=lambda *done: seen.append(done)) as model:
        assert "tiny--internvit" in model.name
        assert len(model.segment(cat).names) == 15
    # Of each file that is fetched, then of the weights.
    assert len({total for _, total in seen}) >= 2 and seen[-1][0] == seen[-1][1]
    assert all(done <= total for done, total in seen)
    with internvit.open(hub, device="cpu", offline=True) as model:
        assert model.info["hidden"] == 192


def test_bars(model, photos, capsys):
    model.features(photos, size=SIDE, progress=True)
    shown = capsys.readouterr().err
    assert "4/4" in shown and "photos" in shown


def test_progress_that_raises_ends_the_work(model, cat):
    calls = []

    def stop(done, total):
        calls.append(done)
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        model.features([cat] * 200, size=SIDE, batch=1, progress=stop)
    assert len(calls) == 1
    assert model.features(cat, size=SIDE).grid == (8, 8)


def test_the_interpreter_is_free_meanwhile(model, cat):
    counted, ended = [0], threading.Event()

    def count():
        while not ended.is_set():
            counted[0] += 1
            time.sleep(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    start = time.monotonic()
    model.features([cat] * 4, batch=4, size=224)
    seconds = time.monotonic() - start
    ended.set()
    thread.join()
    # With the interpreter held it would count once.
    assert counted[0] > 20 * seconds, (counted, seconds)


def test_threads_share_a_model(model, photos):
    alone = model.features(photos / "a.png", size=SIDE).cls
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: model.features(photos / "a.png", size=SIDE).cls, range(12)):
            assert np.array_equal(found, alone)


def test_a_model_that_is_closed(cat):
    model = internvit.open("internvit-tiny", device="cpu")
    model.close()
    model.close()
    assert repr(model) == "Model(closed)"
    with pytest.raises(internvit.ModelError, match="closed"):
        model.features(cat)


@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="threads are counted as Linux shows them")
def test_as_many_threads_as_are_said(cat):
    program = (
        "import internvit, os, sys, time\n"
        "threads = lambda: len(os.listdir('/proc/self/task'))\n"
        "before, count = threads(), int(sys.argv[2])\n"
        "model = internvit.open('internvit-tiny', device='cpu', threads=count)\n"
        "model.features(sys.argv[1])\n"
        "end = time.monotonic() + 10\n"
        "while threads() - before != count and time.monotonic() < end: time.sleep(0.01)\n"  # those that decode end soon
        "print(threads() - before)\n"
    )
    for count in (1, 3):
        run = [sys.executable, "-c", program, cat, str(count)]
        assert int(subprocess.run(run, check=True, capture_output=True, text=True).stdout) == count


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_control_c_ends_a_call(cat, tmp_path):
    program = tmp_path / "long.py"
    program.write_text(
        "import internvit, sys\n"
        "model = internvit.open('bundled', device='cpu')\n"
        "print('begun', flush=True)\n"
        "try:\n    model.features([sys.argv[1]] * 500, batch=8)\n"
        "except KeyboardInterrupt:\n    print('ended', flush=True)\n"
        "print(model.features(sys.argv[1], size=112).grid)\n"
    )
    child = subprocess.Popen([sys.executable, str(program), cat], stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "begun\n"
    time.sleep(1)
    start = time.monotonic()
    child.send_signal(signal.SIGINT)
    said, _ = child.communicate(timeout=60)
    assert said == "ended\n(8, 8)\n" and time.monotonic() - start < 15


#: Calls that take 15 seconds and more where nothing ends them, and the models that they are made of.
LONG = {
    "look": ("bundled", "model.look(cat, size=392, shifts=4)"),
    "segment": ("internvit-tiny", "model.segment(np.tile(pixels(cat), (1, 60, 1)))"),
    "teach": ("bundled", "model.teach(cat).point('a', [9, 9]).photo(cat).photo(cat).photo(cat).point('b', [9, 9]).size(700).fit()"),
    "text": (None, "model.text(['a cat'] * 200_000)"),
}


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
@pytest.mark.parametrize("call", LONG)
def test_control_c_ends_every_call(call, cat, clip, tmp_path):
    program, (name, text) = tmp_path / "long.py", LONG[call]
    program.write_text(
        "import internvit, numpy as np, sys, time\n"
        "from PIL import Image\n"
        "pixels = lambda path: np.asarray(Image.open(path).convert('RGB'))\n"
        "cat = sys.argv[1]\n"
        "model = internvit.open(sys.argv[2], device='cpu', texts=sys.argv[3] == 'text')\n"
        "print('begun', flush=True)\n"
        f"try:\n    {text}\n    print('all', flush=True)\n"
        "except KeyboardInterrupt:\n    print('ended', flush=True)\n"
        "print(model.features(cat).name == cat)\n"
    )
    args = [sys.executable, str(program), cat, name or str(clip), call]
    child = subprocess.Popen(args, stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "begun\n"
    time.sleep(2)
    start = time.monotonic()
    child.send_signal(signal.SIGINT)
    assert child.stdout.readline() == "ended\n"
    assert time.monotonic() - start < 6
    assert child.communicate(timeout=60)[0] == "True\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_a_forked_process_says_why_it_cannot(model, tmp_path, cat):
    said = tmp_path / "said"
    child = os.fork()
    if child == 0:
        try:
            model.features(cat)
        except internvit.ModelError as error:
            said.write_text(str(error))
        os._exit(0)
    os.waitpid(child, 0)
    assert "forked" in said.read_text()
