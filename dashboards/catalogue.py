"""Names of things, from the registry: schools, sections, skills, providers; and the school calendar."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Engine, select

from dashboards import words
from dashboards.access import Viewer
from schemas.registry.tables import calendar, prerequisites, providers, schools, sections, skills


@dataclass(frozen=True)
class Skill:
    """A skill of the catalogue."""

    name: str
    domain: str
    subject: str
    grade: int | None


@dataclass(frozen=True)
class Catalogue:
    """What ids are called. An id without a row is called by itself."""

    schools: dict[str, str]
    sections: dict[str, str]
    skills: dict[str, Skill]
    providers: dict[str, str]
    requires: dict[str, frozenset[str]]
    school_days: frozenset[date]

    def school(self, school_id: str | None) -> str:
        """A school's name."""
        return self.schools.get(school_id, school_id) if school_id else "no school"

    def provider(self, provider_id: str) -> str:
        """A provider's name."""
        return self.providers.get(provider_id, provider_id) or "unknown credential"

    def skill(self, skill_id: str) -> str:
        """A skill's name."""
        return self.skills[skill_id].name if skill_id in self.skills else skill_id

    def scopes(self, viewer: Viewer, district: str) -> str:
        """What a viewer's scopes cover, in words."""
        kinds: dict[str, list[str]] = {}
        for scope in sorted(viewer.scopes):
            kinds.setdefault(scope.kind, []).append(scope.value)
        said = [district] if "district" in kinds else []
        said += [self.school(value) for value in kinds.get("school", [])]
        for value in kinds.get("grade", []):
            school, _, grade = value.rpartition("/")
            said.append(f"grade {grade} of {self.school(school)}")
        said += [self.sections.get(value, value) for value in kinds.get("section", [])]
        said += [self.provider(value) for value in kinds.get("provider", [])]
        if caseload := kinds.get("caseload"):
            said.append(f"caseload of {len(caseload)}")
        return words.names(said) or "nothing yet"


def load(registry: Engine) -> Catalogue:
    """Read it all: some thousands of rows at most."""
    with registry.connect() as connection:

        def pairs(key: Any, value: Any, *where: Any) -> dict[str, str]:
            return {row[0]: row[1] for row in connection.execute(select(key, value).where(*where))}

        requires: dict[str, set[str]] = {}
        for edge in connection.execute(select(prerequisites)):
            requires.setdefault(edge.skill_id, set()).add(edge.requires_id)
        days = select(calendar.c.day).where(calendar.c.school_id == "", calendar.c.in_session)
        return Catalogue(
            schools=pairs(schools.c.school_id, schools.c.name),
            sections=pairs(sections.c.section_id, sections.c.name),
            skills={
                row.skill_id: Skill(row.name, row.domain, row.subject, row.grade)
                for row in connection.execute(select(skills))
            },
            providers=pairs(providers.c.provider_id, providers.c.name, ~providers.c.disabled),
            requires={skill: frozenset(needed) for skill, needed in requires.items()},
            school_days=frozenset(row.day for row in connection.execute(days)),
        )
