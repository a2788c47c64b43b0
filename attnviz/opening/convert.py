"""One recurrent module of torch.nn turned into its open counterpart, in place."""

from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrize, prune, remove_spectral_norm, remove_weight_norm
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

import cells
from attnviz.opening.adapters import (
    OpenGRU,
    OpenGRUCell,
    OpenLSTM,
    OpenLSTMCell,
    is_weight,
)

__all__ = ["KINDS", "OPEN", "convert", "given_names", "obstacle", "renew_weights"]

KINDS: dict[type[nn.Module], type[nn.Module]] = {
    nn.LSTM: OpenLSTM,
    nn.GRU: OpenGRU,
    nn.LSTMCell: OpenLSTMCell,
    nn.GRUCell: OpenGRUCell,
}
OPEN = (OpenLSTM, OpenGRU, OpenLSTMCell, OpenGRUCell)
_HALF = (torch.float16, torch.bfloat16)

# What our parameters are copied from, by the end of their names.
_SOURCES = {
    "from_input.weight": ("weight_ih",),
    "_from_hidden.weight": ("weight_hh",),
    "from_input.bias": ("bias_ih", "bias_hh"),
    "_from_hidden.bias": ("bias_hh",),
}


def obstacle(module: nn.Module) -> str | None:
    """Why a recurrent module cannot be opened; None if it can."""
    kind = _kind(module)
    if getattr(module, "proj_size", 0):
        return (
            f"it projects its hidden state to {module.proj_size} features (proj_size), which the "
            "open LSTM does not"
        )
    if type(module).forward is not kind.forward or "forward" in vars(module):
        return (
            f"{type(module).__name__} has a forward of its own, so that what it computes is not "
            f"known from torch.nn.{kind.__name__}"
        )
    own = [name for name, _ in module.named_parameters() if not is_weight(_weight_behind(name))]
    if own or not _weights(module):
        return f"its parameters are not those of torch.nn.{kind.__name__}: {own or 'none'}"
    return None


def renew_weights(module: nn.Module) -> None:
    """Computes weights that older reparametrisations of torch keep from the last call."""
    for hook in list(module._forward_pre_hooks.values()):
        if isinstance(hook, (WeightNorm, SpectralNorm, prune.BasePruningMethod)):
            hook(module, None)


def convert(module: nn.Module) -> None:
    """Turns a recurrent module into its open counterpart, with the weights as they are now.

    Reparametrised weights (`parametrize`, weight and spectral norm, pruning) become what they
    amount to. A parameter asks for gradient if one that it was made from did.

    Arguments:
        module: Without an obstacle; changed in place, so that whoever holds it holds the new one.
    """
    asking = {name for name in _weights(module) if _asks(module, name)}
    _settle_weights(module)
    precision = next(module.parameters()).dtype
    # Initial weights, drawn only to be overwritten, cannot be drawn in half precision.
    opened, suffix = _opened(module.float() if precision in _HALF else module)
    opened.to(precision)
    for name, parameter in opened.named_parameters():
        group = name.split(".")[1] if isinstance(opened, cells.Recurrent) else ""
        end = next(end for end in _SOURCES if name.endswith(end))
        sources = {f"{source}_{group}" if group else source for source in _SOURCES[end]}
        parameter.requires_grad_(bool(sources & asking))
    kind, own = _kind(module), type(module)
    module._parameters.clear()
    if isinstance(module, nn.RNNBase):
        module._flat_weights_names, module._all_weights = [], []
        module._flat_weights, module._flat_weight_refs = [], []
    open_kind = KINDS[kind]
    # A subclass keeps its methods: ours stand before them.
    module.__class__ = (
        open_kind if own is kind else type(f"Open{own.__name__}", (open_kind, own), {})
    )
    module.add_module(suffix, opened)


def given_names(model: nn.Module, parameter: str) -> list[str]:
    """What a parameter of an opened model was called before: one for several gates.

    Arguments:
        model: Opened or not.
        parameter: Its name now.

    Returns:
        The names it was made from, such as `rnn.weight_hh_l0`; its own name elsewhere.
    """
    for where, module in model.named_modules():
        inside = parameter.removeprefix(f"{where}." if where else "")
        if isinstance(module, OPEN) and (inside != parameter or not where):
            end = next(end for end in _SOURCES if inside.endswith(end))
            layer = f"_{inside.split('.')[2]}" if isinstance(module, nn.RNNBase) else ""
            return [f"{where}.{one}{layer}".lstrip(".") for one in _SOURCES[end]]
    return [parameter]


def _opened(module: nn.Module) -> tuple[nn.Module, str]:
    """The open layer or cell with the module's weights, and what its counterpart calls it."""
    if isinstance(module, nn.LSTM):
        return _started(cells.LSTM.from_torch(module)), "layer"
    if isinstance(module, nn.GRU):
        return _started(cells.GRU.from_torch(module)), "layer"
    if isinstance(module, nn.LSTMCell):
        return cells.LSTM.from_torch(_as_layer(module, nn.LSTM)).groups["l0"], "cell"
    return cells.GRU.from_torch(_as_layer(module, nn.GRU)).groups["l0"], "cell"


def _started(layer: cells.Recurrent) -> cells.Recurrent:
    """The layer, which may begin at given states in both directions, as torch.nn's do."""
    layer.allow_reverse_state = True
    return layer


def _as_layer(module: Any, kind: type[nn.LSTM] | type[nn.GRU]) -> Any:  # noqa: ANN401
    """A layer of torch.nn whose one step is a cell of torch.nn."""
    layer = kind(module.input_size, module.hidden_size, bias=module.bias)
    for name in _weights(module):
        setattr(layer, f"{name}_l0", module.get_parameter(name))
    return layer.train(module.training)


def _kind(module: nn.Module) -> type[nn.Module]:
    return next(kind for kind in KINDS if isinstance(module, kind))


def _weights(module: nn.Module) -> list[str]:
    """Names of all weights, those behind a reparametrisation included."""
    names = [_weight_behind(name) for name, _ in module.named_parameters()]
    return list(dict.fromkeys(name for name in names if is_weight(name)))


def _weight_behind(parameter: str) -> str:
    """`weight_hh_l0`, of `weight_hh_l0_g` and `parametrizations.weight_hh_l0.original0`."""
    name = parameter.removeprefix("parametrizations.").split(".")[0]
    for ending in ("_g", "_v", "_orig"):
        name = name.removesuffix(ending)
    return name


def _asks(module: nn.Module, weight: str) -> bool:
    behind = [p for name, p in module.named_parameters() if _weight_behind(name) == weight]
    return any(parameter.requires_grad for parameter in behind)


def _settle_weights(module: nn.Module) -> None:
    """Replaces every reparametrisation of torch by the weight that it gives."""
    if parametrize.is_parametrized(module):
        # Not by remove_parametrizations: it changes the class, which the original shares.
        names = list(module.get_submodule("parametrizations")._modules)
        settled = {name: getattr(module, name).detach().clone() for name in names}
        module.__class__ = parametrize.type_before_parametrizations(module)
        del module.parametrizations
        for name, value in settled.items():
            module.register_parameter(name, nn.Parameter(value))
    for hook in list(module._forward_pre_hooks.values()):
        if isinstance(hook, WeightNorm):
            remove_weight_norm(module, hook.name)
        elif isinstance(hook, SpectralNorm):
            remove_spectral_norm(module, hook.name)
        elif isinstance(hook, prune.BasePruningMethod):
            prune.remove(module, hook._tensor_name)  # type: ignore[no-untyped-call]
