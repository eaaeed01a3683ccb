// A cmi5 course by @xapi/cmi5: launched, gets its token from the system that launched it, reads its launch data, reports.
import { createServer } from "node:http";
import { once } from "node:events";
import XMLHttpRequest from "xhr2";
import { activity, agent, assert, endpoint, key, randomUUID, secret } from "./common.mjs";

// The library is made for browsers: it asks for their way to send requests when it is loaded.
globalThis.XMLHttpRequest = XMLHttpRequest;
const { default: Cmi5 } = await import("@xapi/cmi5/dist/Cmi5.esm.js");

const token = Buffer.from(`${key}:${secret}`).toString("base64");
const headers = { Authorization: `Basic ${token}`, "X-Experience-API-Version": "1.0.3", "Content-Type": "application/json" };
const registration = randomUUID();
const query = (more) => new URLSearchParams({ agent: JSON.stringify(agent), ...more });

const system = createServer((request, answer) => {
  answer.setHeader("Access-Control-Allow-Origin", "*");
  answer.setHeader("Content-Type", "application/json");
  answer.end(JSON.stringify({ "auth-token": token }));
});
system.listen(0, "127.0.0.1");
await once(system, "listening");

try {
  // What a system that launches courses leaves for them (cmi5 10.0).
  const session = { "https://w3id.org/xapi/cmi5/context/extensions/sessionid": randomUUID() };
  const launch = {
    contextTemplate: { contextActivities: { grouping: [{ id: `${activity}/publisher` }] }, extensions: session },
    launchMode: "Normal",
    moveOn: "CompletedAndPassed",
    masteryScore: 0.5,
  };
  const place = query({ activityId: activity, registration, stateId: "LMS.LaunchData" });
  const left = await fetch(`${endpoint}/activities/state?${place}`, { method: "PUT", headers, body: JSON.stringify(launch) });
  assert.equal(left.status, 204);
  const preferences = { languagePreference: "en-US", audioPreference: "on" };
  const profile = query({ profileId: "cmi5LearnerPreferences" });
  await fetch(`${endpoint}/agents/profile?${profile}`, { method: "POST", headers, body: JSON.stringify(preferences) });

  const course = new Cmi5({
    endpoint: `${endpoint}/`,
    fetch: `http://127.0.0.1:${system.address().port}/fetch`,
    actor: agent,
    registration,
    activityId: activity,
  });
  await course.initialize();
  assert.equal(course.launchData.moveOn, "CompletedAndPassed");
  assert.deepEqual(course.getLearnerPreferences(), preferences);
  await course.interactionTrueFalse("test", "question", true, true);
  await course.complete();
  await course.pass({ scaled: 0.9 });
  await course.terminate();

  const xapi = course.xapi;
  await xapi.createState({ agent, activityId: activity, registration, stateId: "suspend", state: { page: 7 } });
  assert.deepEqual((await xapi.getState({ agent, activityId: activity, registration, stateId: "suspend" })).data, { page: 7 });
  const { statements } = (await xapi.getStatements({ registration, ascending: true })).data;
  assert.deepEqual(statements.map((one) => one.verb.id.split("/").at(-1)), ["initialized", "answered", "completed", "passed", "terminated"]);
} finally {
  system.close();
}
