import OpenAI from "openai";

// const OLD_PROMPT = "You are a comment that nobody wants to be found by a tool";
const systemPrompt = `You help ${user.name} with ${items.map((i) => `- ${i}`).join("\n")}.
Answer in one short paragraph, and use no \`code\`.`;
const other = "an ordinary string that is long but has no name of a prompt";

export async function ask(question: string) {
  return client.chat.completions.create({
    messages: [
      { role: "system", content: "You answer questions about the shop and \"nothing\" else." },
      { role: "user", content: question },
    ],
    prompt: { id: "pmpt_77def" },
  });
}
