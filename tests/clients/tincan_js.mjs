// tincanjs
import TinCan from "tincanjs";
import { activity, agent, assert, endpoint, isSame, key, secret, state, statement } from "./common.mjs";

const lrs = new TinCan.LRS({ endpoint: `${endpoint}/`, username: key, password: secret, allowFail: false });
const call = (name, first, given = {}) =>
  new Promise((resolve, reject) =>
    lrs[name](...[first].flat(), { ...given, callback: (error, result) => (error === null ? resolve(result) : reject(new Error(`${name}: ${error} ${result?.responseText}`))) }),
  );

await call("saveStatement", new TinCan.Statement(statement));
isSame(await call("retrieveStatement", statement.id));

const place = { agent: new TinCan.Agent(agent), activity: new TinCan.Activity({ id: activity }) };
const json = { ...place, contentType: "application/json" };
await call("saveState", ["progress", state], json);
const kept = await call("retrieveState", "progress", place);
assert.deepEqual(kept.contents, state);
await call("saveState", ["progress", { bookmark: 4 }], { ...json, lastSHA1: kept.etag.replaceAll('"', "") });
assert.deepEqual((await call("retrieveState", "progress", place)).contents, { bookmark: 4 });
await assert.rejects(call("saveState", ["progress", {}], { ...json, lastSHA1: "0".repeat(40) }));
await call("dropState", "progress", place);
assert.equal(await call("retrieveState", "progress", place), null);
