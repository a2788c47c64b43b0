"""Pure functions from a trace to a statistic. Nothing here opens a file, draws or needs torch."""

from attnviz.analysis.ablation import (
    ablation_effect,
    effect_against,
    measure_label,
    measures_of,
    pair_interaction,
)
from attnviz.analysis.attention import (
    attention_map,
    entropy,
    mass_beyond,
    mass_on_initial,
    mass_on_missing,
    mean_lag,
)
from attnviz.analysis.contribution import contribution_norm, contribution_share
from attnviz.analysis.decay import (
    decay_rate,
    measured_decay_rate,
    predicted_decay_rate,
    predicted_shortcut_norm,
    predicted_shortcut_rate,
)
from attnviz.analysis.evolution import (
    kernel_evolution,
    kernel_norm_evolution,
    loss_evolution,
)
from attnviz.analysis.features import (
    feature_attention,
    feature_mass,
    feature_summary,
    top_features,
)
from attnviz.analysis.flow import (
    gradient_norm,
    largest_route_residual,
    route_cancellation,
    route_norm_by_distance,
    route_share,
    route_share_by_distance,
    shortcut_share,
)
from attnviz.analysis.gates import (
    gate_attention,
    gate_attention_beyond,
    gate_attention_initial,
    gate_attention_parts,
    gate_attention_residual,
)
from attnviz.analysis.influence import (
    influence_half_life,
    influence_map,
    influence_mass_beyond,
    influence_mean_lag,
    influence_median_lag,
    influence_share,
)
from attnviz.analysis.influence_profile import influence_profile, saturation_ratio
from attnviz.analysis.kernel import age_kernel, lag_kernel
from attnviz.analysis.learning import (
    RunCurve,
    StudyCurves,
    learning_curve,
    learning_curves,
    score_against,
    scores_of,
)
from attnviz.analysis.path_classes import (
    class_cancellation,
    class_norm,
    class_share,
    gradient_norm_by_distance,
    largest_residual,
    same_sequences,
)
from attnviz.analysis.reduce import bin_means, choose_head, head_mean
from attnviz.analysis.selection import one_sequence, sequence_blocks
from attnviz.analysis.statistic import Statistic
from attnviz.analysis.token_scores import (
    TOKEN_SCORES,
    prediction_change,
    recorded_scores,
    surprisal,
    token_score,
)
from attnviz.outcomes import Outcome, outcome

__all__ = [
    "TOKEN_SCORES",
    "Outcome",
    "RunCurve",
    "Statistic",
    "StudyCurves",
    "ablation_effect",
    "age_kernel",
    "attention_map",
    "bin_means",
    "choose_head",
    "class_cancellation",
    "class_norm",
    "class_share",
    "contribution_norm",
    "contribution_share",
    "decay_rate",
    "effect_against",
    "entropy",
    "feature_attention",
    "feature_mass",
    "feature_summary",
    "gate_attention",
    "gate_attention_beyond",
    "gate_attention_initial",
    "gate_attention_parts",
    "gate_attention_residual",
    "gradient_norm",
    "gradient_norm_by_distance",
    "head_mean",
    "influence_half_life",
    "influence_map",
    "influence_mass_beyond",
    "influence_mean_lag",
    "influence_median_lag",
    "influence_profile",
    "influence_share",
    "kernel_evolution",
    "kernel_norm_evolution",
    "lag_kernel",
    "largest_residual",
    "largest_route_residual",
    "learning_curve",
    "learning_curves",
    "loss_evolution",
    "mass_beyond",
    "mass_on_initial",
    "mass_on_missing",
    "mean_lag",
    "measure_label",
    "measured_decay_rate",
    "measures_of",
    "one_sequence",
    "outcome",
    "pair_interaction",
    "predicted_decay_rate",
    "predicted_shortcut_norm",
    "predicted_shortcut_rate",
    "prediction_change",
    "recorded_scores",
    "route_cancellation",
    "route_norm_by_distance",
    "route_share",
    "route_share_by_distance",
    "same_sequences",
    "saturation_ratio",
    "score_against",
    "scores_of",
    "sequence_blocks",
    "shortcut_share",
    "surprisal",
    "token_score",
    "top_features",
]
