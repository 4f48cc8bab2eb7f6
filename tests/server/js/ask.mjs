// Asks a server by PostHog's SDK: arguments are the options and a list of keys with calls, in JSON.
import { Prompts } from "@posthog/ai";

const [options, calls] = process.argv.slice(2).map((text) => JSON.parse(text));
const clients = {};

async function archive(personalApiKey, name) {
  const url = `${options.host}/api/environments/@current/llm_prompts/name/${name}/archive/`;
  const headers = { Authorization: `Bearer ${personalApiKey}` };
  return (await fetch(url, { method: "POST", headers })).status;
}

async function answer([personalApiKey, [method, ...args]]) {
  if (method === "archive") return archive(personalApiKey, ...args);
  clients[personalApiKey] ??= new Prompts({ ...options, personalApiKey });
  try {
    const result = await clients[personalApiKey][method](...args);
    return result instanceof Map ? Object.fromEntries(result) : result;
  } catch (error) {
    return { error: error.message };
  }
}

const answers = [];
for (const call of calls) answers.push(await answer(call));
console.log(JSON.stringify(answers));
