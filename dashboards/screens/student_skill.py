"""A skill of a student, opened: the word and why, mastery over the answers, and what each answer and term gave."""

from __future__ import annotations

from datetime import UTC, timedelta

import streamlit as st

from dashboards import charts_learning, learning, mastery, words
from dashboards import components as ui
from dashboards.access import StudentFacts
from dashboards.learning import Answer, Known, Lines, Story, Term, Word
from dashboards.screens import student_skills
from dashboards.session import Context

_NEWEST = 30


def page(context: Context, facts: StudentFacts, skill: str) -> None:
    """Draw one skill of the student, as the address asks."""
    told = student_skills.story(context, facts.student_id)
    ui.staleness(context)
    back = ui.address(context, "student", student=facts.student_id)
    name = context.catalogue.skill(skill)
    about = context.catalogue.skills.get(skill)
    where = f"{about.domain}, {words.grade(about.grade)}" if about else "not in the catalogue"
    answers = [one for one in told.answers if skill in one.skills]
    link = f"{ui.icon('arrow_back')} {ui.anchor('All skills of the student', back)}"
    if not answers:
        ui.section(name, link)
        ui.empty("Not started", "No answer that is evidence of this skill is known. The first one appears here.")
        return
    lines = learning.lines(context.settings.district)
    now = told.known[skill]
    ui.section(name, f"{ui.text(where)} · {link}")
    left, right = st.columns([1.35, 1])
    with left:
        st.html(_summary(context, now, lines))
        ui.chart(
            charts_learning.mastery(answers, skill, lines, context.palette, context.zone),
            says=f"Mastery of the skill over {len(answers)} answers, with its interval",
            key="skill-mastery",
        )
    chosen = next((one for one in answers if one.statement_id == st.query_params.get("answer")), answers[-1])
    with right:
        _terms(context, chosen, skill, newest=chosen is answers[-1])
    _answers(context, facts, skill, answers, told)


def _summary(context: Context, now: Known, lines: Lines) -> str:
    """The word, the number it rests on, how sure it is, how old, and why the word is what it is."""
    facts = [
        f"<b>{words.percent(now.chance)}</b> chance of a right answer on an item of median difficulty, "
        f"90% interval {mastery.span(now)}",
        f"{words.plural(now.attempts, 'answer')} (n), last practised {mastery.practised(now, context.now())}",
        why(now, lines),
    ]
    listed = "".join(f"<li>{one}</li>" for one in facts)
    return f'<div class="rt-card"><h3>{mastery.badge(now.word)}</h3><ul>{listed}</ul></div>'


def why(now: Known, lines: Lines) -> str:
    """Why the word is what it is, in a sentence."""
    nearly, mastered = words.percent(lines.nearly), words.percent(lines.mastered)
    match now.word:
        case Word.MASTERED:
            return f"Mastered, since the whole interval has been above {mastered}; it stays so until all of it is below"
        case Word.REFRESH:
            return f"It was mastered; without practice since, mastery above {mastered} is no longer sure"
        case Word.NEARLY:
            if now.attempts < lines.answers and now.low >= lines.mastered:
                return f"Nearly mastered: on fewer than {lines.answers} answers nothing is called mastered"
            return f"Nearly mastered: the interval lies above {nearly}, not yet all of it above {mastered}"
        case _:
            return f"Emerging: the interval has not been wholly above {nearly} yet, or has fallen below"


def _terms(context: Context, chosen: Answer, skill: str, *, newest: bool) -> None:
    """What each kind of term added to one answer's expectation, the largest first, and what they add up to."""
    when = f"{chosen.at.astimezone(context.zone):%-d %b, %H:%M}"
    ui.section("What the model expected, and why", f"{'newest answer' if newest else 'answer'} of {when}")
    rows = [
        {"term": f"{ui.text(family.capitalize())}<br>{_largest(terms)}", "gave": _signed(total)}
        for family, total, terms in mastery.families(chosen.terms)
    ]
    total = sum(one.contribution for one in chosen.terms)
    rows.append({"term": f"<b>Together: {words.percent(chosen.expected)} expected</b>", "gave": _signed(total)})
    ui.table({"term": "What it looks at", "gave": "#Added (log-odds)"}, rows, says="Terms of the expectation")
    after = chosen.after[skill]
    ui.remark(
        f"It was {_outcome_words(chosen)}; mastery is {words.percent(after.chance)} after it. In the middle of the "
        f"scale, 0.4 moves a chance by about 10 points."
    )


def _largest(terms: list[Term]) -> str:
    """The two largest terms of a kind, where it has more than one that moved something; HTML."""
    moved = mastery.strongest(tuple(terms), 2)
    if len(moved) < 2:
        return ""
    said = "; ".join(mastery.contribution(one) for one in moved)
    return f'<span class="rt-soft rt-small">{ui.text(said)}</span>'


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _outcome_words(one: Answer) -> str:
    if one.outcome in (0.0, 1.0):
        return "right" if one.outcome else "not right"
    return f"right in part ({words.percent(one.outcome)})"


def _answers(context: Context, facts: StudentFacts, skill: str, answers: list[Answer], told: Story) -> None:
    newest = list(reversed(answers))[:_NEWEST]
    hasty = sum(one.rapid for one in answers)
    shown = f"the newest {_NEWEST} of {len(answers)}" if len(answers) > _NEWEST else f"n {len(answers)}"
    ui.section("The answers behind it", f"{shown}; folded under calibration {told.version}")
    if hasty:
        ui.remark(
            f"{words.plural(hasty, 'answer')} given in haste: far quicker than the student's own and the item's usual "
            f"time. Such an answer counts for less."
        )
    if told.cut:
        ui.notice(f"Only the first {learning.MOST_ANSWERS:,} answers of the student are folded here.")
    titles = context.store.query(
        context.viewer, "student_names_of_items", student=facts.student_id, since=newest[-1].at.astimezone(UTC),
        until=newest[0].at.astimezone(UTC), statements=[one.statement_id for one in newest],
    )  # fmt: skip
    names = {row["statement_id"]: row["name"] for row in titles}
    ui.table(
        {"at": "When", "item": "Item", "provider": "Provider", "outcome": "Outcome", "took": "#Took",
         "expected": "#Expected", "after": "#Mastery after", "why": "What moved the expectation most"},
        [_row(context, facts.student_id, skill, one, names.get(one.statement_id, "")) for one in newest],
        says="Answers behind the mastery",
    )  # fmt: skip


def _row(context: Context, student_id: str, skill: str, one: Answer, name: str) -> dict[str, str]:
    at = f"{one.at.astimezone(context.zone):%-d %b, %H:%M}"
    to = ui.address(context, "student", student=student_id, skill=skill, answer=one.statement_id)
    again = f' <span class="rt-soft">(try {one.nth})</span>' if one.nth > 1 else ""
    return {
        "at": f'<span class="rt-nowrap" title="{words.exact(one.at, context.zone)}">{ui.anchor(at, to)}</span>',
        "item": ui.text(name or words.activity(one.item)) + again,
        "provider": ui.text(context.catalogue.provider(one.provider_id)),
        "outcome": _outcome(one),
        "took": _took(one.duration_ms),
        "expected": words.percent(one.expected),
        "after": words.percent(one.after[skill].chance),
        "why": ui.text("; ".join(mastery.contribution(term) for term in mastery.strongest(one.terms, 2)) or "–"),
    }


def _took(duration_ms: int) -> str:
    if duration_ms < 0:
        return "–"
    return (
        words.duration(timedelta(milliseconds=duration_ms)) if duration_ms >= 120_000 else f"{duration_ms / 1000:.0f} s"
    )


def _outcome(one: Answer) -> str:
    symbol, colour = ("check", "rt-good") if one.outcome >= 0.5 else ("close", "rt-warn")
    if one.outcome not in (0.0, 1.0):
        symbol, colour = "contrast", "rt-accent"
    haste = f"<br>{ui.icon('bolt', 'rt-warn')} in haste" if one.rapid else ""
    return f'<span class="rt-nowrap">{ui.icon(symbol, colour)} {_outcome_words(one)}{haste}</span>'
