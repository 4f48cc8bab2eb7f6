// Asks a server by PostHog's SDK: arguments are the options and a list of calls, both JSON.
import { Prompts } from "@posthog/ai";

const [options, calls] = process.argv.slice(2).map((text) => JSON.parse(text));
const prompts = new Prompts(options);

async function answer([method, ...args]) {
  try {
    const result = await prompts[method](...args);
    return result instanceof Map ? Object.fromEntries(result) : result;
  } catch (error) {
    return { error: error.message };
  }
}

const answers = [];
for (const call of calls) answers.push(await answer(call));
console.log(JSON.stringify(answers));
