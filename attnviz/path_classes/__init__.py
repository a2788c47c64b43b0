"""Which paths the gradient took on its way back: classes of paths, exactly, for any cell."""

from attnviz.path_classes.doors import class_gradients_by_doors
from attnviz.path_classes.labels import DIRECT, PathClasses, PathOptions, label_routes
from attnviz.path_classes.measure import gradient_paths
from attnviz.path_classes.numbers import number_gradient_paths
from attnviz.path_classes.recursion import class_gradients
from attnviz.path_classes.running import running_gradient_paths
from attnviz.path_classes.steps import Steps
from attnviz.path_classes.texts import text_gradient_paths

__all__ = [
    "DIRECT",
    "PathClasses",
    "PathOptions",
    "Steps",
    "class_gradients",
    "class_gradients_by_doors",
    "gradient_paths",
    "label_routes",
    "number_gradient_paths",
    "running_gradient_paths",
    "text_gradient_paths",
]
