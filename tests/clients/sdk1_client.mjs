// The TypeScript SDK's first major line, which most hosts that are not in Python still ship.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport as Sse } from "@modelcontextprotocol/sdk/client/sse.js";
import { StdioClientTransport as Stdio } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport as Http } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { connect, run } from "./typescript.mjs";

const client = new Client({ name: "sdk1", version: "1" });
const transport = connect({ Stdio, Http, Sse });
// It tells the negotiated revision to its transport alone.
let negotiated = null;
const tell = transport.setProtocolVersion?.bind(transport);
transport.setProtocolVersion = (revision) => {
  negotiated = revision;
  tell?.(revision);
};
await client.connect(transport);
await run(client, {
  name: "@modelcontextprotocol/sdk",
  callTool: (name, given, options) => client.callTool({ name, arguments: given }, undefined, options),
  protocol: () => negotiated,
});
