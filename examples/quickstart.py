"""The whole job in one go: load images, build a model, train it, evaluate it, read class names and probabilities.

    python examples/quickstart.py

takes less than a minute on two cores. Without Fashion-MNIST and without a network it trains on synthetic images
instead, and says so.
"""

import fashionclf as fc


def load() -> fc.Dataset:
    """Return Fashion-MNIST, or, where it cannot be had, the built-in plots: a choice the library leaves to you."""
    try:
        return fc.load_data()
    except (OSError, ValueError) as error:  # not to be had, or damaged
        print(f"\n{error}\n")
        print(
            "Could not get Fashion-MNIST, so this run trains on the built-in synthetic set: drawn garments, a stand-in."
        )
        print("Its accuracy says nothing about Fashion-MNIST. To get the real images, do any one of the above.\n")
        return fc.load_data("synthetic")


def main() -> None:
    dataset = load()
    print(dataset.describe())

    trainer = fc.Trainer.from_preset("cnn_fast", seed=0)
    trainer.summary()
    trainer.fit(dataset.train, validation_split=0.1, seed=0)

    figures = trainer.evaluate(dataset.test)
    print(f"\nTest images of {dataset.name}: accuracy {figures['accuracy']:.4f}, loss {figures['loss']:.4f}\n")

    for prediction, label in zip(trainer.predict(dataset.test.images[:8]), dataset.test.labels, strict=False):
        print(f"{dataset.class_names[label]:>12}   {prediction}")


if __name__ == "__main__":
    main()
