"""What the tests of trainer share."""

import keras

import fashionclf as fc

QUIET = {"epochs": 1, "seed": 0, "verbose": 0}


class Interrupt(keras.callbacks.Callback):
    """Interrupt a fit when an epoch begins."""

    def __init__(self, epoch):
        super().__init__()
        self.last = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.last:
            raise KeyboardInterrupt


class Training:
    """Trains the same model from its beginning at every call, and returns its weights. SGD has no state.

    It is traced once: the next fit takes a tenth of the time that a new Trainer's takes.
    """

    def __init__(self):
        recipe = fc.Recipe(precision="float32")
        self.trainer = fc.Trainer(fc.dense_model((), seed=0), optimizer=keras.optimizers.SGD(0.1), recipe=recipe)
        self._untrained = self.trainer.model.get_weights()

    def __call__(self, *data, **options):
        self.trainer.model.set_weights(self._untrained)
        self.history = self.trainer.fit(*data, **{**QUIET, **options}).history
        return self.trainer.model.get_weights()[0]
