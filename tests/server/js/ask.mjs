// Asks a server by PostHog's SDK: arguments are the options and a list of keys with calls, in JSON.
import { Prompts } from "@posthog/ai";

const [options, calls] = process.argv.slice(2).map((text) => JSON.parse(text));

async function answer([personalApiKey, [method, ...args]]) {
  try {
    const result = await new Prompts({ ...options, personalApiKey })[method](...args);
    return result instanceof Map ? Object.fromEntries(result) : result;
  } catch (error) {
    return { error: error.message };
  }
}

const answers = [];
for (const call of calls) answers.push(await answer(call));
console.log(JSON.stringify(answers));
