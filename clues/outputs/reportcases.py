"""What a report's chapter of exceptions tells of the clues themselves."""

from clues.outputs.reportteller import Teller
from configs.vocabulary import Outcome

__all__ = ["case_exceptions"]


def case_exceptions(tell: Teller) -> tuple[str, ...]:
    """Return single parcels over the gravest level, redline hits and a ratio at its alert line."""
    model, found = tell.model, []
    if model.gravest and model.gravest[1].count:
        name, reached = model.gravest
        count, area = f"{reached.count:,}", tell.area(reached.area_dm2)
        spoken = name.in_language(tell.language)
        found.append(
            tell(
                "case_gravest",
                suspected=tell.outcome(Outcome.SUSPECTED.value),
                open=tell.outcome(Outcome.UNRESOLVED.value),
                count=count,
                name=spoken,
                area=area,
            )
        )
    for role, _, suspected, unresolved in model.zones:
        if role == "redline" and suspected.count + unresolved.count:
            found.append(
                tell(
                    "case_redline",
                    role=tell.role(role),
                    suspected=tell.outcome(Outcome.SUSPECTED.value),
                    unresolved=tell.outcome(Outcome.UNRESOLVED.value),
                    count=f"{suspected.count:,}",
                    area=tell.area(suspected.area_dm2),
                    open=f"{unresolved.count:,}",
                    open_area=tell.area(unresolved.area_dm2),
                )
            )
    if model.indicators["ratio_alert"]:
        names = {"ratio": "ratio_percent", "limit": "ratio_limit_percent"}
        told = {key: tell.percent(model.indicators[name]) for key, name in names.items()}
        found.append(tell("ratio_alert", **told))
    return tuple(found)
