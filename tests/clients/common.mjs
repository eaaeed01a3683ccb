// What each client is given, and how it says that something is not as it should be.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

export const endpoint = process.env.XAPI_ENDPOINT;
export const key = process.env.XAPI_KEY;
export const secret = process.env.XAPI_SECRET;

export const agent = { objectType: "Agent", account: { homePage: "https://school.example.org", name: randomUUID() } };
export const activity = `https://items.example.org/${randomUUID()}`;
export const statement = {
  id: randomUUID(),
  actor: agent,
  verb: { id: "http://adlnet.gov/expapi/verbs/answered", display: { "en-US": "answered" } },
  object: { objectType: "Activity", id: activity, definition: { name: { "en-US": "Item" } } },
  result: { success: true, score: { scaled: 0.5 } },
};
export const state = { bookmark: 3, seen: ["a", "b"] };

/** What was read back is what was sent. */
export function isSame(read) {
  assert.equal(read.id, statement.id);
  assert.equal(read.verb.id, statement.verb.id);
  assert.equal((read.object ?? read.target).id, activity);
  assert.equal(read.result.score.scaled, 0.5);
}

export { assert, randomUUID };
