// A host of MCP Apps: the official AppBridge over one frame. The test answers for the server.
import { AppBridge, PostMessageTransport } from "@modelcontextprotocol/ext-apps/app-bridge";

const log = (window.log = []);

window.startHost = async (html, capabilities, hostContext) => {
  const frame = document.querySelector("iframe");
  const bridge = (window.bridge = new AppBridge(
    null, { name: "test host", version: "1" }, capabilities, { hostContext },
  ));
  const record = (kind) => async (params) => (log.push([kind, params]), {});
  bridge.oncalltool = ({ name, arguments: given }) => window.callTool(name, given);
  bridge.onreadresource = ({ uri }) => window.readResource(uri);
  bridge.onopenlink = record("open");
  bridge.onmessage = record("message");
  bridge.ondownloadfile = record("download");
  bridge.onsizechange = ({ height }) => { frame.style.height = `${height}px`; };
  const ready = new Promise((resolve) => { bridge.oninitialized = resolve; });
  await bridge.connect(new PostMessageTransport(frame.contentWindow, frame.contentWindow));
  frame.srcdoc = html;
  await ready;
};
