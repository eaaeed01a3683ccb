"""The sample's catalogue of skills, written for it, with what each builds on."""

from __future__ import annotations

from typing import Final, NamedTuple

MATH: Final = "Mathematics"
ENGLISH: Final = "English language arts"


class Skill(NamedTuple):
    """One skill; ``difficulty`` in logits, ``requires`` the codes it builds on."""

    code: str
    name: str
    domain: str
    subject: str
    grade: int
    difficulty: float
    requires: tuple[str, ...]


_ROWS: Final = (
    # code, name, domain, difficulty, what it builds on
    ("MATH.6.NS.1", "Divide fractions by fractions", "The number system", 0.1, ()),
    ("MATH.6.NS.2", "Order rational numbers on a line", "The number system", -0.3, ()),
    ("MATH.6.RP.1", "Describe a ratio in words", "Ratios and proportions", -0.4, ()),
    ("MATH.6.RP.2", "Find a unit rate", "Ratios and proportions", 0.0, ("MATH.6.RP.1",)),
    ("MATH.6.EE.1", "Write expressions with variables", "Expressions and equations", 0.0, ("MATH.6.NS.2",)),
    ("MATH.7.RP.1", "Compute unit rates of fractions", "Ratios and proportions", 0.2, ("MATH.6.RP.2", "MATH.6.NS.1")),
    ("MATH.7.RP.2", "Recognize proportional relationships", "Ratios and proportions", 0.1, ("MATH.7.RP.1",)),
    ("MATH.7.NS.1", "Add and subtract rational numbers", "The number system", -0.1, ("MATH.6.NS.2",)),
    ("MATH.7.EE.1", "Expand and factor linear expressions", "Expressions and equations", 0.3, ("MATH.6.EE.1",)),
    ("MATH.8.EE.1", "Work with powers and roots", "Expressions and equations", 0.0, ("MATH.7.NS.1",)),
    ("MATH.8.EE.2", "Solve linear equations", "Expressions and equations", 0.2, ("MATH.7.EE.1",)),
    ("MATH.8.F.1", "Tell a function from a relation", "Functions", 0.0, ("MATH.7.RP.2",)),
    ("MATH.8.F.2", "Find slope and intercept", "Functions", 0.3, ("MATH.8.F.1", "MATH.8.EE.2")),
    ("MATH.9.A.1", "Solve systems of linear equations", "Algebra", 0.3, ("MATH.8.F.2",)),
    ("MATH.9.A.2", "Solve linear inequalities", "Algebra", 0.1, ("MATH.8.EE.2",)),
    ("MATH.9.A.3", "Factor quadratics", "Algebra", 0.5, ("MATH.7.EE.1",)),
    ("MATH.10.G.1", "Use similarity of triangles", "Geometry", 0.2, ("MATH.7.RP.2",)),
    ("MATH.10.G.2", "Prove triangles congruent", "Geometry", 0.5, ()),
    ("MATH.10.G.3", "Find areas and volumes", "Geometry", 0.0, ("MATH.8.EE.1",)),
    ("MATH.11.A.1", "Solve quadratics by formula", "Algebra", 0.3, ("MATH.9.A.3",)),
    ("MATH.11.F.1", "Model growth with exponentials", "Functions", 0.4, ("MATH.8.EE.1", "MATH.8.F.1")),
    ("MATH.12.S.1", "Read a normal distribution", "Statistics", 0.3, ("MATH.6.RP.2",)),
    ("MATH.12.F.1", "Use logarithms", "Functions", 0.6, ("MATH.11.F.1",)),
    ("ELA.6.R.1", "Cite what a text says", "Reading", -0.4, ()),
    ("ELA.6.R.2", "Find the central idea", "Reading", -0.1, ("ELA.6.R.1",)),
    ("ELA.6.W.1", "Write a claim with reasons", "Writing", 0.1, ()),
    ("ELA.7.R.1", "Infer from several passages", "Reading", 0.0, ("ELA.6.R.1",)),
    ("ELA.7.L.1", "Use phrases and clauses", "Language", 0.1, ()),
    ("ELA.7.W.1", "Organize an argument", "Writing", 0.2, ("ELA.6.W.1",)),
    ("ELA.8.R.1", "Compare the structure of texts", "Reading", 0.2, ("ELA.6.R.2",)),
    ("ELA.8.L.1", "Use active and passive voice", "Language", 0.0, ("ELA.7.L.1",)),
    ("ELA.8.W.1", "Answer a counterclaim", "Writing", 0.4, ("ELA.7.W.1",)),
    ("ELA.9.R.1", "Trace how a theme develops", "Reading", 0.2, ("ELA.8.R.1", "ELA.7.R.1")),
    ("ELA.9.W.1", "Support an analysis with evidence", "Writing", 0.3, ("ELA.8.W.1",)),
    ("ELA.10.R.1", "Judge the reasoning of a speech", "Reading", 0.3, ("ELA.9.R.1",)),
    ("ELA.10.L.1", "Work out words from context", "Language", -0.1, ("ELA.8.L.1",)),
    ("ELA.11.R.1", "Integrate several sources", "Reading", 0.4, ("ELA.10.R.1",)),
    ("ELA.11.W.1", "Write a research question", "Writing", 0.2, ("ELA.9.W.1",)),
    ("ELA.12.R.1", "Read founding documents", "Reading", 0.3, ("ELA.11.R.1",)),
    ("ELA.12.W.1", "Revise for an audience", "Writing", 0.1, ("ELA.11.W.1",)),
)


def _skill(code: str, name: str, domain: str, difficulty: float, requires: tuple[str, ...]) -> Skill:
    subject, grade = code.split(".")[:2]
    return Skill(
        f"RT.{code}",
        name,
        domain,
        MATH if subject == "MATH" else ENGLISH,
        int(grade),
        difficulty,
        tuple(f"RT.{required}" for required in requires),
    )


SKILLS: Final = tuple(_skill(*row) for row in _ROWS)
"""The catalogue; what a skill requires always stands before it, so the graph has no cycle."""


def taught(subject: str, grade: int) -> list[Skill]:
    """Skills a class works on: those of the grade, after those of the grade before (review)."""
    return [skill for skill in SKILLS if skill.subject == subject and grade - 1 <= skill.grade <= grade]
