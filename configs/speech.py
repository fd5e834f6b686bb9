"""How a rule set speaks where its region has other words: language, unit of area, names."""

from pydantic import Field, field_validator

from configs.articles import Text
from configs.layers import AreaUnit
from configs.loading import StrictModel
from configs.vocabulary import Language, Line, Outcome, role_name, roles

__all__ = ["PLAIN", "Speech"]


class Speech(StrictModel):
    """Language of the ledger, unit beside square metres, and names that differ from the usual."""

    language: Language = Field("zh", description="of the ledger and of layers in GeoPackage")
    area_unit: AreaUnit = Field("mu", description="m2, mu, ha, km2 or acre")
    roles: dict[str, Text] = Field({}, description="names of layer roles")
    outcomes: dict[str, Text] = Field({}, description="names of outcomes")
    facts: dict[str, Text] = Field({}, description="names of facts in explanations")

    @field_validator("roles", "outcomes")
    @classmethod
    def _known(cls, value: dict[str, Text], info: object) -> dict[str, Text]:
        part = getattr(info, "field_name", "")
        known = roles() if part == "roles" else tuple(o.value for o in Outcome)
        for name in value:
            if name not in known:
                raise ValueError(f"{part}.{name} is unknown; choose from: {', '.join(known)}")
        return value

    def role(self, role: str, language: Language | None = None) -> str:
        """Return the name of a layer role in a language, by default that of the ledger."""
        spoken = language or self.language
        own = self.roles.get(role)
        return role_name(role, spoken) if own is None else getattr(own, spoken)

    def line(self, line: str, language: Language | None = None) -> str:
        """Return the name of a line of judgement; a line of a region itself: its code."""
        spoken = language or self.language
        if line in {known.value for known in Line}:
            return Line(line).name_zh if spoken == "zh" else Line(line).name_en
        return self.role(line, spoken) if line in roles() else line

    def outcome(self, outcome: str, language: Language | None = None) -> str:
        """Return the name of an outcome."""
        spoken = language or self.language
        own = self.outcomes.get(outcome)
        usual = Outcome(outcome)
        if own is None:
            return usual.name_zh if spoken == "zh" else usual.name_en
        return own.zh if spoken == "zh" else own.en


PLAIN = Speech()
"""What a rule set without words of its own speaks: Chinese, mu, the usual names."""
