"""Makes the models of this folder: real exports of Keras and TensorFlow, and what they answer there.

In an environment of its own (`pip install tensorflow-cpu tf2onnx`), since the tests need neither:

    python tests/bundle/foreign/make_models.py

Made with Keras 3.15, TensorFlow 2.21 and tf2onnx 1.17. The weights are random: what counts is that flawscope answers
what Keras does. `expected.json` holds the answers of Keras to pictures that `pattern` makes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

HERE = Path(__file__).resolve().parent
SIDE = 24


def pattern(number: int, channels: int) -> Any:
    """A picture, h x w x c, the same everywhere: whole numbers alone."""
    y, x, c = np.mgrid[0:SIDE, 0:SIDE, 0:channels]
    return ((37 * number + 5 * y + 3 * x + 11 * c + (y * x * (number + 1)) % 97) % 256).astype(np.uint8)


def body(channels: int) -> tuple[Any, Any]:
    """Input and features of a tiny network."""
    inputs = keras.Input((SIDE, SIDE, channels), name="inputs")
    x = keras.layers.Conv2D(4, 3, strides=2, activation="relu")(inputs)
    x = keras.layers.BatchNormalization()(x)
    return inputs, keras.layers.GlobalAveragePooling2D()(x)


def dense(n: int, activation: str, name: str, spread: float = 6.0) -> Any:
    """A last layer whose answers differ from picture to picture."""
    wide = keras.initializers.RandomNormal(stddev=spread, seed=len(name))
    return keras.layers.Dense(n, activation=activation, name=name, kernel_initializer=wide)


def main() -> None:
    """Write the models and their answers."""
    keras.utils.set_random_seed(3)
    expected: dict[str, Any] = {}

    def export(name: str, model: Any, channels: int, scaled: Any) -> None:
        images = np.stack([pattern(number, channels) for number in range(6)]).astype(np.float32)
        answers = model.predict(scaled(images), verbose=0)
        answers = np.concatenate(answers, axis=1) if isinstance(answers, list) else answers
        expected[name] = np.round(answers.astype(np.float64), 6).tolist()
        if name != "tensorflow":
            model.export(str(HERE / f"{name}.onnx"), format="onnx", verbose=False)
            return
        with tempfile.TemporaryDirectory() as folder:
            tf.saved_model.save(model, folder)
            words = ["-m", "tf2onnx.convert", "--saved-model", folder, "--output", str(HERE / f"{name}.onnx")]
            subprocess.run([sys.executable, *words], check=True)

    inputs, x = body(1)
    sigmoid = keras.Model(inputs, dense(2, "sigmoid", "predictions")(x))
    export("keras-sigmoid", sigmoid, 1, lambda images: images / 255)
    export("tensorflow", sigmoid, 1, lambda images: images / 255)
    inputs, x = body(3)
    softmax = keras.Model(inputs, dense(2, "softmax", "predictions")(x))
    export("keras-softmax", softmax, 3, lambda images: images / 127.5 - 1)
    inputs, x = body(3)
    heads = keras.Model(inputs, [dense(1, "sigmoid", name, 0.05)(x) for name in ("crack", "hole")])
    mean = np.array([103.939, 116.779, 123.68], dtype=np.float32)
    export("keras-two-outputs", heads, 3, lambda images: images[..., ::-1] - mean)
    (HERE / "expected.json").write_text(json.dumps(expected, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
