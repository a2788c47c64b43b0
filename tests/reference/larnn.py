"""The linear attention recurrent network (Chevalier, 2018, arXiv:1808.05578).

Batch norm makes the rows of a batch depend on each other, so this reads a whole batch: a list of
sequences, each with its own length, in any order.
"""

import math

import numpy as np

from tests.reference.arithmetic import as_it_is, dot, sigmoid, softmax

EPSILON = 1e-5
GATES = "ifog"


def elu(vector):
    return np.array([a if a > 0 else math.expm1(a) for a in vector])


def affine(W, b, vector):
    return np.array([dot(row, vector) + offset for row, offset in zip(W, b, strict=True)])


def moments(vectors):
    """Mean and sum of squared deviations, unit by unit."""
    units = range(len(vectors[0]))
    mean = [math.fsum(v[u] for v in vectors) / len(vectors) for u in units]
    return mean, [math.fsum((v[u] - mean[u]) ** 2 for v in vectors) for u in units]


class Norms:
    """All norms of a cell; remembers what batch statistics were taken of."""

    def __init__(self, kind, parameters, batch_statistics):
        self.kind, self.parameters = kind, parameters
        self.batch_statistics = batch_statistics
        self.seen = {name: [] for name in parameters}

    def __call__(self, name, vectors):
        """Normalises a list of vectors together."""
        if self.kind == "none":
            return vectors
        norm = self.parameters[name]
        if self.kind == "layer":
            return [self._layer(norm, v) for v in vectors]
        mean, variance = norm["mean"], norm["var"]
        if self.batch_statistics:
            self.seen[name] += vectors
            mean, squares = moments(vectors)
            variance = [s / len(vectors) for s in squares]
        return [self._scale(norm, v, mean, variance) for v in vectors]

    def _layer(self, norm, v):
        mean = math.fsum(v) / len(v)
        variance = math.fsum((a - mean) ** 2 for a in v) / len(v)
        return self._scale(norm, v, [mean] * len(v), [variance] * len(v))

    def _scale(self, norm, v, mean, variance):
        return np.array(
            [
                norm["gamma"][u] * (v[u] - mean[u]) / math.sqrt(variance[u] + EPSILON)
                + norm["beta"][u]
                for u in range(len(v))
            ]
        )

    def running(self, momentum=0.1):
        """The running statistics after the sequence."""
        after = {}
        for name, vectors in self.seen.items():
            if vectors:
                norm = self.parameters[name]
                mean, squares = moments(vectors)
                variance = [s / (len(vectors) - 1) for s in squares]
                after[name] = {
                    "mean": (1 - momentum) * norm["mean"] + momentum * np.array(mean),
                    "var": (1 - momentum) * norm["var"] + momentum * np.array(variance),
                }
        return after


def position_features(lag, window, first):
    position = lag - 1 + first
    b = math.ceil(math.log2(4 * window))
    cosines = [math.cos(2 * math.pi * position / 2**i) for i in range(1, b + 1)]
    return cosines + [math.sin(2 * math.pi * position / 2**i) for i in range(2, b + 2)]


def attend(rows, p, options, norms, heads, window, *, t, use):
    """Weights, contributions, context and what the gates read, for each row."""
    keys, values = [], []
    for row in rows:
        for lag, slot in enumerate(row["past"][::-1][:window], start=1):
            code = []
            if options.positions:
                code = position_features(lag, window, options.first_position)
            key, value = (use(f"attention_{one}", lag, t, slot) for one in ("key", "value"))
            keys.append(affine(p["W_K"], p["b_K"], np.concatenate([key, code])))
            values.append(affine(p["W_V"], p["b_V"], np.concatenate([value, code])))
    if options.key_value != "linear":
        shared = options.key_value == "share"
        keys = norms("key_value" if shared else "key", [elu(key) for key in keys])
        values = norms("key_value" if shared else "value", [elu(value) for value in values])

    first, results = 0, []
    for row in rows:
        query = affine(
            p["W_q"], p["b_q"], np.concatenate([row["x"], use("query", None, t, row["h"])])
        )
        query = elu(query) if options.query == "elu" else query
        present = min(len(row["past"]), window)
        own = slice(first, first + present)
        results.append(attend_row(query, keys[own], values[own], p["W_O"], heads, window))
        first += present

    attended = [affine(p["W_O"], p["b_O"], result["context"]) for result in results]
    if options.context == "elu":
        attended = norms("context", [elu(a) for a in attended])
    return results, attended


def attend_row(query, keys, values, W_O, heads, window):
    d = len(query) // heads
    attention, contribution = np.zeros((heads, window)), np.zeros((heads, window))
    context = np.zeros(len(query))
    for m in range(heads):
        part = slice(m * d, (m + 1) * d)
        scores = [dot(query[part], key[part]) / math.sqrt(d) for key in keys]
        for j, weight in enumerate(softmax(scores)):
            attention[m, j] = weight
            read = [weight * float(unit) for unit in values[j][part]]
            context[part] += read
            added = [dot(W_O[u, part], read) for u in range(len(query))]
            contribution[m, j] = math.sqrt(math.fsum(a * a for a in added))
    return {
        "attention": attention,
        "attention_used": attention,
        "contribution": contribution,
        "context": context,
    }


def before_gates(row, attended, p, options, *, t, use):
    """What goes into the gates and the candidate, by gate."""
    x, z = row["x"], {}
    for gate in GATES:
        h = use("candidate" if gate == "g" else "gates", None, t, row["h"])
        reads = gate == "g" or options.attention_into == "all"
        if options.mode == "residual":
            z[gate] = affine(p["W_x"][gate], p["b_x"][gate], x) + p["W_h"][gate] @ h
            if reads:
                z[gate] = z[gate] + affine(p["W_a"][gate], p["b_a"][gate], attended)
        else:
            together, joined = np.hstack([p["W_x"][gate], p["W_h"][gate]]), np.concatenate([x, h])
            if reads:
                together = np.hstack([together, p["W_a"][gate]])
                joined = np.concatenate([joined, attended])
            z[gate] = affine(together, p["b_x"][gate], joined)
    return z


def gate(zs, options, norms):
    """The gates and the candidate of all rows."""
    plain = options.mode == "layer" and options.layer_candidate == "linear"
    if options.gate_norm == "applied":
        normed = GATES[:3] if plain else GATES
        n = len(zs[0]["i"])
        joined = norms("gate", [np.concatenate([z[name] for name in normed]) for z in zs])
        zs = [
            {**z, **{name: part[i * n : (i + 1) * n] for i, name in enumerate(normed)}}
            for z, part in zip(zs, joined, strict=True)
        ]
    gates = []
    for z in zs:
        opened = {name: np.array([sigmoid(a) for a in z[name]]) for name in "ifo"}
        opened["g"] = z["g"] if plain else np.tanh(z["g"])
        gates.append(opened)
    return gates


def step(rows, p, options, norms, heads, window, *, t, use):
    """One timestep of the rows still running; changes their h, c and past."""
    results, attended = attend(rows, p, options, norms, heads, window, t=t, use=use)
    zs = [
        before_gates(row, a, p, options, t=t, use=use)
        for row, a in zip(rows, attended, strict=True)
    ]
    gates = gate(zs, options, norms)
    past = [use("memory", None, t, row["c"]) for row in rows]
    cs = [g["f"] * c + g["i"] * g["g"] for c, g in zip(past, gates, strict=True)]
    cs = norms("memory", cs)
    hs = norms(
        "hidden", [g["o"] * elu(use("hidden", None, t, c)) for c, g in zip(cs, gates, strict=True)]
    )
    for row, result, g, c, h in zip(rows, results, gates, cs, hs, strict=True):
        row["h"], row["c"] = h, c
        row["past"].append(c)
        result |= {"hidden": h, "memory": c, "candidate": g["g"]}
        result |= {"input_gate": g["i"], "forget_gate": g["f"], "output_gate": g["o"]}
        if options.norm == "batch":
            result["running_statistics"] = np.array(float(not norms.batch_statistics))
    return results


def larnn(sequences, p, norm_parameters, options, *, heads, window, states, training,
          use=as_it_is):  # fmt: skip
    """A batch of sequences.

    Arguments:
        sequences: One `(time, feature)` a row.
        p: Weights and biases; those of the gates by gate.
        norm_parameters: gamma, beta, mean and var of each norm.
        options: What differs between paper, released code and repairs.
        heads: Heads.
        window: Slots.
        states: h, c and past memories (the oldest first, c_0 included while it is there), by row.
        training: Whether batch norm takes the statistics of its batch.
        use: Stands on every use of a state.

    Returns:
        For each row every signal as `(time, ...)`; and the running statistics afterwards.
    """
    norms = Norms(options.norm, norm_parameters, batch_statistics=False)
    rows = [{"h": h, "c": c, "past": list(past)} for h, c, past in states]
    signals = [[] for _ in sequences]
    for t in range(max(len(xs) for xs in sequences)):
        running = [b for b in range(len(sequences)) if t < len(sequences[b])]
        for b in running:
            rows[b]["x"] = sequences[b][t]
        norms.batch_statistics = training and len(running) >= 8
        results = step([rows[b] for b in running], p, options, norms, heads, window, t=t, use=use)
        for b, result in zip(running, results, strict=True):
            signals[b].append(result)
    stacked = [{name: np.stack([s[name] for s in row]) for name in row[0]} for row in signals]
    return stacked, norms.running()
