"""Names of things, from the registry: schools, sections, skills, providers; and the school calendar."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Engine, func, select

from dashboards import words
from dashboards.access import Viewer
from schemas.registry.insight import line_items
from schemas.registry.tables import alignments, calendar, prerequisites, providers, schools, sections, skills


@dataclass(frozen=True)
class Skill:
    """A skill of the catalogue."""

    name: str
    domain: str
    subject: str
    grade: int | None


@dataclass(frozen=True)
class Section:
    """A class as it is taught."""

    section_id: str
    name: str
    school_id: str
    subject: str
    grade: int


@dataclass(frozen=True)
class Catalogue:
    """What ids are called. An id without a row is called by itself."""

    schools: dict[str, str]
    sections: dict[str, Section]
    skills: dict[str, Skill]
    providers: dict[str, str]
    requires: dict[str, frozenset[str]]
    activities: dict[str, dict[str, int]]
    """Activities that are aligned to a skill, by provider (empty: any), but for work that is handed in."""
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

    def section(self, section_id: str) -> str:
        """A section's name."""
        return self.sections[section_id].name if section_id in self.sections else section_id

    def worked_on(self, subject: str, grade: int | None) -> list[str]:
        """Skills that a class works on: those of its subject in its grade, and in the grade before for review.

        Sorted by grade, domain and code. A skill without a grade belongs to all grades.
        """
        near = [
            (one.grade or 0, one.domain, key)
            for key, one in self.skills.items()
            if one.subject == subject and (grade is None or one.grade is None or grade - 1 <= one.grade <= grade)
        ]
        return [key for _, _, key in sorted(near)]

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
        said += [self.section(value) for value in kinds.get("section", [])]
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
        activities: dict[str, dict[str, int]] = {}
        # Work that is handed in is no resource, though it is aligned like one.
        counted = (
            select(alignments.c.skill_id, alignments.c.provider_id, func.count())
            .where(alignments.c.activity_id.not_in(select(line_items.c.activity_id)))
            .group_by(alignments.c.skill_id, alignments.c.provider_id)
        )
        for skill, provider, number in connection.execute(counted):
            activities.setdefault(skill, {})[provider] = number
        days = select(calendar.c.day).where(calendar.c.school_id == "", calendar.c.in_session)
        return Catalogue(
            schools=pairs(schools.c.school_id, schools.c.name),
            sections={
                row.section_id: Section(row.section_id, row.name, row.school_id, row.subject, row.grade)
                for row in connection.execute(select(sections))
            },
            skills={
                row.skill_id: Skill(row.name, row.domain, row.subject, row.grade)
                for row in connection.execute(select(skills))
            },
            providers=pairs(providers.c.provider_id, providers.c.name, ~providers.c.disabled),
            requires={skill: frozenset(needed) for skill, needed in requires.items()},
            activities=activities,
            school_days=frozenset(row.day for row in connection.execute(days)),
        )
