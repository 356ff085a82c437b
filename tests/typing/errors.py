"""Mistakes that type checkers must find: each line has one, and an ignore that is not needed is an error itself."""

import fashionclf as fc
from fashionclf.sklearn import FashionClassifier

fc.load_data("mnsit")  # type: ignore[arg-type]
fc.class_names("fashion_mnist", "kr")  # type: ignore[arg-type]
fc.get_preset("cnn_fsat")  # type: ignore[arg-type]
fc.Trainer.from_preset("cnn_fsat")  # type: ignore[arg-type]
fc.cross_validate("cnn_fsat", [[0.0]], [0])  # type: ignore[arg-type]
FashionClassifier("cnn_fsat")  # type: ignore[arg-type]
fc.Recipe(schedule="one-cycle")  # type: ignore[arg-type]
fc.Recipe(precision="float16")  # type: ignore[arg-type]
fc.dense_model(flatten="never")  # type: ignore[arg-type]
fc.prepare_images("boot.jpg")  # type: ignore[arg-type]
fc.prepare_images(None)  # type: ignore[arg-type]
fc.one_hot("Bag")  # type: ignore[arg-type]
fc.Trainer(fc.dense_model()).predict(3)  # type: ignore[arg-type]
fc.Trainer(fc.dense_model()).evaluate("boot.jpg", [9])  # type: ignore[arg-type]
fc.load_image(b"content")  # type: ignore[arg-type]
fc.Split([[[0.0]]], {0})  # type: ignore[arg-type]
fc.Trainer(fc.dense_model()).export("a.tflite", "tflite")  # type: ignore[arg-type]
fc.Trainer(fc.dense_model()).export("a.tflite", quantize="int4")  # type: ignore[arg-type]
