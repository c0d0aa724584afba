"""Which model tells wines apart best? The wine recognition data (178 wines, 13 measurements, 3 growers) ship with
scikit-learn, so nothing is fetched but packages.

Load, split, train two models in a loop, compare what they reach on wines that they have not seen, choose the best by a
condition, and write a report.
"""

from kfp import dsl
from kfp.dsl import ClassificationMetrics, Dataset, Input, Markdown, Metrics, Model, Output

PACKAGES = ["scikit-learn>=1.3,<2"]


@dsl.component(packages_to_install=PACKAGES)
def load(wines: Output[Dataset]) -> int:
    """The data as a CSV file, one wine a line, the grower last."""
    import csv

    from sklearn.datasets import load_wine

    data = load_wine()
    with open(wines.path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*data.feature_names, "grower"])
        for measured, grower in zip(data.data, data.target, strict=False):
            writer.writerow([*measured, data.target_names[grower]])
    wines.metadata["rows"] = len(data.target)
    wines.metadata["columns"] = len(data.feature_names) + 1
    print(f"{len(data.target)} wines of {len(data.target_names)} growers, {len(data.feature_names)} measurements each")
    return len(data.target)


@dsl.component(packages_to_install=PACKAGES)
def split(wines: Input[Dataset], test_share: float, seed: int, train: Output[Dataset], test: Output[Dataset]):
    """Two files: wines to learn from and wines to be asked about, with the same share of each grower."""
    import csv

    from sklearn.model_selection import train_test_split

    with open(wines.path, newline="") as file:
        header, *rows = csv.reader(file)
    parts = train_test_split(rows, test_size=test_share, random_state=seed, stratify=[row[-1] for row in rows])
    for part, target in zip(parts, (train, test), strict=False):
        with open(target.path, "w", newline="") as file:
            csv.writer(file).writerows([header, *part])
        target.metadata["rows"] = len(part)
        print(f"{target.name}: {len(part)} wines")


@dsl.component(packages_to_install=PACKAGES)
def train_model(
    kind: str,
    seed: int,
    train: Input[Dataset],
    test: Input[Dataset],
    model: Output[Model],
    metrics: Output[Metrics],
    confusion: Output[ClassificationMetrics],
) -> dict:
    """Learn from one file, be asked about the other."""
    import csv
    import pickle

    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import accuracy_score, confusion_matrix, f1_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def read(path):
        with open(path, newline="") as file:
            _, *rows = csv.reader(file)
        return [[float(cell) for cell in row[:-1]] for row in rows], [row[-1] for row in rows]

    learners = {
        "logistic-regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, random_state=seed)),
        "random-forest": RandomForestClassifier(n_estimators=50, max_depth=2, random_state=seed),
    }
    learner = learners[kind]
    learner.fit(*read(train.path))
    asked, true = read(test.path)
    said = learner.predict(asked)

    scores = {"accuracy": float(accuracy_score(true, said)), "f1": float(f1_score(true, said, average="macro"))}
    for name, score in scores.items():
        metrics.log_metric(name, score)
        print(f"{kind}: {name} {score:.4f}")
    labels = sorted(set(true))
    confusion.log_confusion_matrix(labels, confusion_matrix(true, said, labels=labels).tolist())
    model.framework = "scikit-learn"
    model.metadata["kind"] = kind
    with open(model.path, "wb") as file:
        pickle.dump(learner, file)
    return {"kind": kind, **scores}


@dsl.component
def best(scores: list) -> str:
    """The kind with the highest F1; the simpler model where they are equal (it comes first)."""
    for score in scores:
        print(f"{score['kind']:<20} accuracy {score['accuracy']:.4f}  f1 {score['f1']:.4f}")
    return max(scores, key=lambda score: score["f1"])["kind"]


@dsl.component
def explain_line() -> str:
    return "a straight line between the growers is enough: logistic regression"


@dsl.component
def explain_forest() -> str:
    return "the growers overlap in ways that no line follows: random forest"


@dsl.component
def write_report(scores: list, winner: str, verdict: str, report: Output[Markdown]):
    lines = ["# Which model tells wines apart?", "", "| model | accuracy | F1 |", "| --- | ---: | ---: |"]
    for score in scores:
        mark = "**" if score["kind"] == winner else ""
        lines.append(f"| {mark}{score['kind']}{mark} | {score['accuracy']:.4f} | {score['f1']:.4f} |")
    lines += ["", f"Best: **{winner}** – {verdict}."]
    with open(report.path, "w") as file:
        file.write("\n".join(lines) + "\n")
    print("\n".join(lines))


@dsl.pipeline(name="wine", description="Trains two models on the wine data in a loop and chooses the better one.")
def wine(test_share: float = 0.4, seed: int = 7) -> str:
    loaded = load()
    parts = split(wines=loaded.outputs["wines"], test_share=test_share, seed=seed)
    with dsl.ParallelFor(items=["logistic-regression", "random-forest"]) as kind:
        trained = train_model(kind=kind, seed=seed, train=parts.outputs["train"], test=parts.outputs["test"])
    winner = best(scores=dsl.Collected(trained.outputs["Output"]))
    with dsl.If(winner.output == "logistic-regression", name="a-line-is-enough"):
        line = explain_line()
    with dsl.Else(name="it-takes-a-forest"):
        forest = explain_forest()
    verdict = dsl.OneOf(line.output, forest.output)
    write_report(scores=dsl.Collected(trained.outputs["Output"]), winner=winner.output, verdict=verdict)
    return winner.output
