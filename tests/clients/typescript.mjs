// What both major lines of the TypeScript SDK are asked to do; each hands in its own classes.
import { readFileSync } from "node:fs";
import { argv, env } from "node:process";

export const errand = JSON.parse(argv[2]);

export function connect({ Stdio, Http, Sse }) {
  if (errand.transport === "stdio") {
    const [command, ...args] = errand.command;
    return new Stdio({ command, args, env, stderr: "inherit" });
  }
  return new (errand.transport === "sse" ? Sse : Http)(new URL(errand.url));
}

// `callTool(tool, given, options)` and `protocol()` are where the two lines differ.
export async function run(client, { name, callTool, protocol }) {
  const heard = [];
  const onprogress = ({ progress, message }) => heard.push([progress, message]);
  const refusal = async (tool, given) => {
    const { isError, content } = await callTool(tool, given, {});
    return [isError === true, content[0].text];
  };
  const { tools } = await client.listTools();
  const { structuredContent: started } = await callTool("generate_video", errand.ask, {});
  const look = { task_id: started.task_id, wait_seconds: 45 };
  const done = await callTool("get_video_task", look, { onprogress });
  const uri = errand.resource.replace("{task_id}", started.task_id);
  const facts = {
    client: `${name} ${version(name)}`,
    protocol: protocol(),
    tools: tools.map((tool) => tool.name),
    done: done.structuredContent,
    blocks: done.content.map((block) => block.type),
    heard,
    resource: (await client.readResource({ uri })).contents[0].text,
    unknown_argument: await refusal("generate_video", { promt: "a fox" }),
    unknown_task: await refusal("get_video_task", { task_id: "nobodys" }),
  };
  await client.close();
  console.log(JSON.stringify(facts));
}

// Read from the folder, because packages do not export their package.json.
function version(name) {
  const path = new URL(`node_modules/${name}/package.json`, import.meta.url);
  return JSON.parse(readFileSync(path, "utf8")).version;
}
