// The TypeScript SDK's second major line: it probes for the newest revision if told to.
import { Client, SSEClientTransport as Sse, StreamableHTTPClientTransport as Http } from "@modelcontextprotocol/client";
import { StdioClientTransport as Stdio } from "@modelcontextprotocol/client/stdio";
import { connect, errand, run } from "./typescript.mjs";

const client = new Client(
  { name: "sdk2", version: "1" },
  { versionNegotiation: { mode: errand.mode } },
);
await client.connect(connect({ Stdio, Http, Sse }));
await run(client, {
  name: "@modelcontextprotocol/client",
  callTool: (name, given, options) => client.callTool({ name, arguments: given }, options),
  protocol: () => client.getNegotiatedProtocolVersion(),
});
