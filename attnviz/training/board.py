"""The history for TensorBoard, where it is installed."""

from pathlib import Path

from attnviz.training.history import Row

__all__ = ["Board"]


class Board:
    """Writes each epoch's scores where TensorBoard reads them.

    Arguments:
        folder: For the event files.

    Raises:
        ModuleNotFoundError: If TensorBoard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "--tensorboard needs TensorBoard, which is not installed: pip install tensorboard. "
                "Without it the history is in the run's history.csv.",
                name=error.name,
            ) from error
        self._make, self._folder = SummaryWriter, folder

    def report(self, row: Row) -> None:
        """Writes an epoch's row, at its step."""
        # Opened for each: an interrupted run then leaves whole files.
        writer = self._make(self._folder)
        try:
            for name, value in row.items():
                if name not in ("epoch", "step"):
                    writer.add_scalar(name.replace("_", "/", 1), value, row["step"])
        finally:
            writer.close()
