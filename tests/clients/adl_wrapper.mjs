// adl-xapiwrapper
import wrapper from "adl-xapiwrapper";
import { activity, agent, assert, endpoint, isSame, key, secret, state, statement } from "./common.mjs";

const lrs = new wrapper.XAPIWrapper({ url: `${endpoint}/`, auth: { user: key, pass: secret } });
const call = (name, ...given) =>
  new Promise((resolve, reject) =>
    lrs[name](...given, (error, answer, body) => (error ? reject(error) : resolve({ status: answer.statusCode, headers: answer.headers, body }))),
  );
const read = (body) => (typeof body === "string" ? JSON.parse(body) : body);

assert.equal((await call("sendStatements", [statement])).status, 200);
isSame(read((await call("getStatements", { statementId: statement.id }, null)).body));
assert.equal((await call("sendState", activity, agent, "progress", null, state, null, null)).status, 204);
const kept = await call("getState", activity, agent, "progress", null, null);
assert.deepEqual(read(kept.body), state);
assert.match(kept.headers.etag, /^"[0-9a-f]{40}"$/);
assert.equal((await call("sendState", activity, agent, "progress", null, ["x"], wrapper.hash("other"), null)).status, 412);
assert.equal((await call("sendState", activity, agent, "progress", null, ["x"], wrapper.hash(kept.body), null)).status, 204);
assert.deepEqual(read((await call("getState", activity, agent, "progress", null, null)).body), ["x"]);
assert.equal((await call("sendAgentProfile", agent, "p", { theme: "dark" }, null, "*")).status, 204);
assert.deepEqual(read((await call("getAgentProfile", agent, "p", null)).body), { theme: "dark" });
assert.equal(read((await call("getActivities", activity)).body).id, activity);
assert.equal(read((await call("getAgents", agent)).body).objectType, "Person");
