// Starts oauth2-mock-server on a free port of 127.0.0.1, prints `{port, kid, pem}` on one line, and ends with its input.
//
//     node start.mjs KEY CERTIFICATE ISSUER
//
// What a token shall contain comes along with the request for it: the header `x-token` is JSON with `claims` to set
// (null takes one out), `size` to fill the token up to, in octets, and `answer`, what stands beside the token.

import { createPublicKey } from "node:crypto";
import { OAuth2Server } from "oauth2-mock-server";

const [key, certificate, issuer] = process.argv.slice(2);
const SIGNATURE = 342; // octets of an RS256 signature with a key of 2048 bits, in base64url

const server = new OAuth2Server(key, certificate);
const { kid } = await server.issuer.keys.generate("RS256");
server.issuer.url = issuer;

const wishes = (request) => JSON.parse(request.headers["x-token"] ?? "{}");
const encodedLength = (value) => Math.ceil((Buffer.byteLength(JSON.stringify(value)) * 4) / 3);

server.service.on("beforeTokenSigning", ({ header, payload }, request) => {
  const { claims = {}, size = 0 } = wishes(request);
  delete payload.scope;
  for (const [name, value] of Object.entries(claims)) {
    if (value === null) delete payload[name];
    else payload[name] = value;
  }
  const length = () => encodedLength({ typ: "JWT", ...header, alg: "RS256" }) + encodedLength(payload) + SIGNATURE + 2;
  if (length() < size) {
    payload.filler = "";
    payload.filler = "x".repeat(Math.max(0, Math.floor(((size - length()) * 3) / 4)));
    while (length() < size) payload.filler += "x";
  }
});

server.service.on("beforeResponse", (response, request) => {
  delete response.body.scope;
  Object.assign(response.body, wishes(request).answer);
});

await server.start(0, "127.0.0.1");
const [jwk] = server.issuer.keys.toJSON();
const pem = createPublicKey({ key: jwk, format: "jwk" }).export({ type: "spki", format: "pem" });
console.log(JSON.stringify({ port: server.address().port, kid, pem }));

process.stdin.resume().on("end", () => process.exit(0));
