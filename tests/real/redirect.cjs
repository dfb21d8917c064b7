// Preloaded into the qwen CLI (NODE_OPTIONS=--require): its two hosts are reached at the TLS bridge, every other
// address is refused. Each address it asks for is written to a file, one a line.
"use strict";

const dns = require("node:dns");
const fs = require("node:fs");
const net = require("node:net");

const { BRIDGED, BRIDGE_PORT, BRIDGE_LOG } = process.env;
const bridged = BRIDGED.split(",");

function note(address) {
  fs.appendFileSync(BRIDGE_LOG, `${address}\n`);
}

function refusal(address) {
  return Object.assign(new Error(`${address} is not bridged`), { code: "ECONNREFUSED" });
}

const connect = net.Socket.prototype.connect;
net.Socket.prototype.connect = function (...args) {
  const normalized = Array.isArray(args[0]) ? args[0] : net._normalizeArgs(args);
  const { host, path, port } = normalized[0];
  const wanted = path ?? `${host}:${port}`;
  note(wanted);
  if (!bridged.includes(wanted)) {
    // Later, as a real refusal comes: the caller has not attached its error handler yet.
    setImmediate(() => this.destroy(refusal(wanted)));
    return this;
  }
  normalized[0] = { ...normalized[0], host: "127.0.0.1", port: Number(BRIDGE_PORT) };
  return connect.call(this, normalized);
};

// A bridged connection goes to an address, so whoever looks a name up is about to go elsewhere.
dns.lookup = (host, ...rest) => {
  note(host);
  process.nextTick(rest.at(-1), refusal(host));
};
dns.promises.lookup = async (host) => {
  note(host);
  throw refusal(host);
};
