"""The texts of the starter kit; see `kit`."""

RECIPE = """\
# The baseline of "{title}": a small network from scratch, some minutes on two cores.
#   flawscope run recipe.yaml
# It is there to be beaten: larger pictures, more epochs, pretrained weights (model.weights), other networks.

name: baseline

data:
  kind: csv
  table: data/labels.csv
  images: data/images
  image_column: file
  delimiter: ";"
  label_columns: {columns}
  task: {kind}{classes}
  negative: {negative}
  group_column: group    # images of one group show the same thing: they stay on one side of every split

image:
  size: [{height}, {width}]
  channels: {channels}
  depth: {depth}

split:
  validation: 0.1
  calibration: 0.2
  test: 0.2              # your own test part: what it says is what to expect of the hidden ones

model:
  name: table:resnet18
  weights: none

train:
  epochs: {epochs}
  batch_size: 32
  rate: 0.001
  schedule: one_cycle
  sampling: classes      # each class, and what shows none, is drawn alike
  class_weights: none
  watch: loss
  augment:
    # Leave out what would turn a good image into a bad one.
    flip_horizontal: true
    flip_vertical: true
    brightness: 0.2

decide:
  rule: best_f1
"""

README = """\
# {title}

{question}

- You get {images} labelled images in {groups} groups ({what}, mostly {width} x {height} pixels). Images of one group
  show the same thing or were taken together: keep them on one side of every split of your own, or your number will lie.
- The judge has two more sets, of other groups: a public one for the board, and a private one for the final ranking.
- What counts is `{metric}`: {metric_words}. The pass mark is {pass_mark}.
- Open from {opens} to {deadline}; {daily} submissions a day (UTC) and team. {ladder}
- You hand in one file, `NAME.flawscope`. Limits: {limits}.
- Licence of the images and labels: {licence}.

## What is here

| file | what it is |
|---|---|
| `data/images/` | the images |
| `data/labels.csv` | parted by semicolons: `file`, `group`, then {columns}: {cells} |
| `recipe.yaml` | the baseline, for `flawscope run` |
| `evaluate.py` | the judge's number from labels and answers; needs Python alone |
| `task.json` | the facts above, for programs |

## The baseline, in some minutes

```sh
pip install "flawscope[train]{version}"
flawscope run recipe.yaml
```

trains, decides, tests on a part of these images that it has kept aside, and writes `runs/baseline/baseline.flawscope`:
that file can be handed in. The judge's number on that part:

```sh
python evaluate.py runs/baseline/scores/test.csv
```

Of any bundle and any images: `flawscope inspect NAME.flawscope data/images -o answers.csv`, then
`python evaluate.py answers.csv`. On images that it was trained with the number says nothing.

## With a network of your own

Train as you like, write ONNX, and pack it (`pip install "flawscope[pack,report]{version}"`, without torch). For both
examples, pixels from 0 to 1, as flawscope will make them:

```python
import csv
import numpy as np
from PIL import Image

def pixels(path):
    image = Image.open(path).convert("{mode}").resize((128, 128), Image.Resampling.BILINEAR)
    return np.asarray(image, dtype=np.float32).reshape(128, 128, {channels}) / 255

with open("data/labels.csv", encoding="utf-8") as table:
    rows = list(csv.DictReader(table, delimiter=";"))
x = np.stack([pixels(f"data/images/{{row['file']}}") for row in rows])
{targets}```

### Keras or TensorFlow

Pictures are height x width x channels, the last step gives probabilities.

```python
import keras

model = keras.Sequential([
    keras.Input((128, 128, {channels})),
    keras.layers.Conv2D(16, 3, strides=2, activation="relu"),
    keras.layers.Conv2D(32, 3, strides=2, activation="relu"),
    keras.layers.GlobalAveragePooling2D(),
    keras.layers.Dense({k}, activation="{activation}"),
])
model.compile(optimizer="adam", loss="{keras_loss}")
model.fit(x, y, epochs=10, batch_size=32)
model.export("model.onnx", format="onnx")     # pip install tf2onnx
```

```sh
flawscope pack model.onnx --preprocess 0..1 {task_options} --data recipe.yaml
flawscope show model.flawscope
```

`--data recipe.yaml` fits the thresholds on the images that the recipe names: better on some that the network has not
seen; `--threshold` gives them. A TensorFlow model that was saved with `tf.saved_model.save` is exported by
`python -m tf2onnx.convert --saved-model FOLDER --output model.onnx`.

### PyTorch

Pictures are channels x height x width, the last step gives logits.

```python
import torch
from torch import nn

inputs, targets = torch.from_numpy(x.transpose(0, 3, 1, 2).copy()), torch.from_numpy(y)
network = nn.Sequential(
    nn.Conv2d({channels}, 16, 3, 2), nn.ReLU(), nn.Conv2d(16, 32, 3, 2), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, {k}),
)
loss, optimiser = nn.{torch_loss}(), torch.optim.Adam(network.parameters())
for epoch in range(10):
    for some in torch.randperm(len(inputs)).split(32):
        optimiser.zero_grad()
        loss(network(inputs[some]), targets[some]).backward()
        optimiser.step()
free = {{0: torch.export.Dim("batch", min=1)}}
torch.onnx.export(network.eval(), (inputs[:2],), "model.onnx", dynamo=True, dynamic_shapes=(free,))
```

```sh
flawscope pack model.onnx --preprocess 0..1 --answers logits {task_options} --data recipe.yaml
flawscope show model.flawscope
```

Other pixels: `--preprocess 0..255`, `-1..1`, `imagenet`, `caffe`, or `mean=0.5:std=0.25`. All of it:
`flawscope pack --help`.
"""
TARGETS = {
    "multiclass": "classes = {classes}\n"
    'y = np.array([[row["class"] == name for name in classes] for row in rows], dtype=np.float32)\n',
    "": "classes = {classes}\n"
    "y = np.array([[float(row[name]) for name in classes] for row in rows], dtype=np.float32)\n",
}
"""How the examples read the labels."""
