// One answer: what is asked of the server, and what its chunks do to the message and its view.
import {ApiError, streamChat} from "./api.js";
import {requestFields, systemPrompt} from "./settings.js";

// Messages as the server takes them. Answers that failed before they began are left out.
export function requestMessages(messages) {
  const sent = systemPrompt() ? [{role: "system", content: systemPrompt()}] : [];
  for (const {role, content, reasoning, calls, callId} of messages) {
    if (role === "user") sent.push({role, content});
    if (role === "tool") sent.push({role, content, tool_call_id: callId});
    if (role !== "assistant" || (!content && !calls)) continue;
    const tool_calls = calls?.map(({id, name, arguments: text}) => ({id, type: "function", function: {name, arguments: text}}));
    sent.push({role, content: content || null, ...(calls && {tool_calls, ...(reasoning && {reasoning_content: reasoning})})});
  }
  return sent;
}

function addCalls(message, deltas) {
  message.calls ??= [];
  for (const {index, id, function: {name, arguments: text} = {}} of deltas) {
    message.calls[index] ??= {id: "", name: "", arguments: ""};
    const call = message.calls[index];
    if (id) call.id = id;
    if (name) call.name = name;
    if (text) call.arguments += text;
  }
}

function figuresOf(chunk, firstSeconds) {
  const {usage, timings} = chunk;
  return {
    prompt: usage.prompt_tokens, completion: usage.completion_tokens, cached: usage.prompt_tokens_details?.cached_tokens ?? 0,
    prefillPerSecond: timings?.prompt_per_second ?? 0, decodePerSecond: timings?.predicted_per_second ?? 0, firstSeconds,
  };
}

function errorText(error) {
  const wait = error.retryAfterSeconds;
  return wait ? `${error.message} (The server asks to wait ${wait} s.)` : error.message;
}

// Writes the answer of `model`, an id, to `messages` into `message` and `view`. Never throws: what went wrong is in the
// message. `progress` is told how far it is: {nRead, nPrompt} while the prompt is read, then {nPieces, seconds}, about a piece a
// token.
export async function generate(model, messages, message, view, signal, progress) {
  const startedMs = performance.now();
  let firstSeconds = 0, nPieces = 0;
  try {
    const body = {model, messages: requestMessages(messages), ...requestFields(), stream: true,
                  stream_options: {include_usage: true}, return_progress: true};
    for await (const chunk of streamChat(body, signal)) {
      if (chunk.usage) message.figures = figuresOf(chunk, firstSeconds);
      const read = chunk.prompt_progress;
      if (read) progress({nRead: read.processed, nPrompt: read.total});
      const choice = chunk.choices[0];
      const {content, reasoning_content: reasoning, tool_calls: calls} = choice?.delta ?? {};
      if (content || reasoning || calls) {
        const seconds = (performance.now() - startedMs) / 1000;
        firstSeconds ||= seconds;
        progress({nPieces: ++nPieces, seconds: seconds - firstSeconds});
      }
      if (reasoning) {
        message.reasoning = (message.reasoning ?? "") + reasoning;
        view.add("reasoning", reasoning);
      }
      if (content) {
        message.content += content;
        view.add("content", content);
      }
      if (calls) {
        addCalls(message, calls);
        view.showCalls();
      }
      if (choice?.finish_reason) message.end = choice.finish_reason;
    }
  } catch (error) {
    if (signal.aborted) message.end = "stopped";
    else message.error = error instanceof ApiError ? errorText(error) : String(error);
  }
}
