"""Write `clothes.tflite`, a classifier that `app.py` serves: 18 kinds of clothing on photographs in colour."""

import fashionclf as fc

trainer = fc.Trainer.from_preset("efficientnet_lite0", pretrained=True)
print(trainer.export("clothes.tflite"))
