"""The model card in the catalogue: three files a version, on disk and in MLflow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import DatasetError

from rai_kedro import report
from rai_kedro.datasets.base import ModelDataset, Trusting
from rai_kedro.datasets.candidate_model import handed_on
from rai_kedro.files import project_folder, write_text
from rai_kedro.release import TrainerKey, attach_card, find_trainer_key, name_trainer, require_no_card
from rai_kedro.words import escape_markdown

if TYPE_CHECKING:
    from kedro_datasets._typing import JSONPreview


class ModelCardDataset(Trusting, ModelDataset["report.CardWithFigures", str]):
    """Writes the card as HTML, Markdown and JSON, logs it to the version's run and points the version to it.

    The files in the folder are ``model_card_v<version>.html`` and so on.

    Examples:
        In the catalogue::

            "{use_case}.model_card":
              type: rai_kedro.datasets.model_card.ModelCardDataset
              filepath: data/08_reporting/{use_case}
              registered_model_name: "{use_case}"
              evidence: data/08_reporting/evidence/{use_case}.jsonl
    """

    def __init__(
        self, *, registered_model_name: str, filepath: str, evidence: str, metadata: dict[str, Any] | None = None
    ) -> None:
        """Name the model, the folder of its cards, and the record that is told of every training."""
        super().__init__(registered_model_name=registered_model_name, filepath=filepath, metadata=metadata)
        self._evidence = project_folder() / evidence

    def find_key(self) -> TrainerKey | None:
        """Open the key that signs the training, None without one; an error where one is set that cannot sign."""
        with handed_on():
            return find_trainer_key(project_folder() / "conf" / "local" / "keys", self.trust)

    def save(self, data: report.CardWithFigures) -> None:
        """Write the three files, log them, and finish the version with its manifest and an entry in the record.

        Where the version has a card, in MLflow or (decided upon) on disk, a ``DatasetError`` says so before anything is
        written.
        """
        name, version = self._registered_model_name, data.card.identity.version
        with handed_on():
            require_no_card(name, version, self._filepath)
            key = self.find_key()
            trained_by = name_trainer(name, version, key)
        identity = data.card.identity.model_copy(
            update={"trained_by": trained_by, "is_signed": key is not None and not key.demo}
        )
        card = data.card.model_copy(update={"identity": identity})
        stem = f"model_card_v{identity.version}"
        files = {
            self._filepath / f"{stem}.html": report.render_html(card, data.figures),
            self._filepath / f"{stem}.md": report.render_markdown(card),
            self._filepath / f"{stem}.json": report.render_json(card),
        }
        for path, text in files.items():
            write_text(path, text)
        title, purpose = escape_markdown(identity.model_name), escape_markdown(identity.purpose)
        said = f"**{title}**, version {version} of `{identity.use_case}`: {purpose}."
        attach_card(name, version, said, list(files), self._evidence, key=key)

    def load(self) -> str:
        """Return the Markdown of the newest card; ``DatasetError`` if there is none yet."""
        return self._newest("md").read_text(encoding="utf-8")

    def preview(self) -> JSONPreview:
        """Return the newest card for kedro-viz, which shows JSON and no Markdown."""
        from kedro_datasets._typing import JSONPreview

        return JSONPreview(self._newest("json").read_text(encoding="utf-8"))

    def _newest(self, ending: str) -> Path:
        cards = sorted(self._filepath.glob(f"model_card_v*.{ending}"), key=lambda path: path.stat().st_mtime)
        if not cards:
            raise DatasetError(f"There is no model card in {self._filepath} yet; train first.")
        return cards[-1]

    def _exists(self) -> bool:
        return any(self._filepath.glob("model_card_v*.md"))
