// @xapi/xapi
import XAPI from "@xapi/xapi/dist/XAPI.cjs.js";
import { activity, agent, assert, endpoint, isSame, key, secret, state, statement } from "./common.mjs";

const Client = XAPI.default ?? XAPI;
const xapi = new Client({ endpoint: `${endpoint}/`, auth: Client.toBasicAuth(key, secret) });

assert.deepEqual((await xapi.sendStatement({ statement })).data, [statement.id]);
isSame((await xapi.getStatement({ statementId: statement.id })).data);
const found = (await xapi.getStatements({ agent })).data;
assert.deepEqual(found.statements.map((one) => one.id), [statement.id]);

const place = { agent, activityId: activity, stateId: "progress" };
await xapi.createState({ ...place, state });
const kept = await xapi.getState(place);
assert.deepEqual(kept.data, state);
await xapi.setState({ ...place, state: { bookmark: 4 }, etag: kept.headers.etag, matchHeader: "If-Match" });
assert.deepEqual((await xapi.getState(place)).data, { bookmark: 4 });
await assert.rejects(xapi.setState({ ...place, state: {}, etag: kept.headers.etag, matchHeader: "If-Match" }));
assert.deepEqual((await xapi.getStates({ agent, activityId: activity })).data, ["progress"]);
await xapi.deleteState(place);
await assert.rejects(xapi.getState(place));
await xapi.createAgentProfile({ agent, profileId: "p", profile: { theme: "dark" } });
assert.deepEqual((await xapi.getAgentProfile({ agent, profileId: "p" })).data, { theme: "dark" });
assert.ok((await xapi.getAbout()).data.version.includes("1.0.3"));
