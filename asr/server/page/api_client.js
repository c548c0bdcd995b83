/**
 * Requests to the server, with its key and its errors.
 *
 * A key is kept until the tab is closed. Where the server refuses a request for its key,
 * `askForKey` is asked for one, and the request is sent again.
 */

const STORED = "asr.key";
const ATTEMPTS = 5;

/** The server refused a request, or cannot be reached. */
export class RequestError extends Error {
  /**
   * @param {string} message the server's reason; "" if there is none.
   * @param {number} status HTTP status; 0 for a server that cannot be reached.
   * @param {?string} code the server's short name of the error.
   * @param {Object} body all that the server answered.
   */
  constructor(message, status, code = null, body = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.body = body;
  }
}

let askForKey = async () => null;

/**
 * Say how the user is asked for a key.
 * @param {function(): Promise<?string>} ask resolves with the key; null if the user gives none.
 */
export function onKeyNeeded(ask) {
  let asked = null;
  // Several requests that are refused at once ask once.
  askForKey = () => (asked ??= ask().finally(() => (asked = null)));
}

/**
 * Send a request.
 * @param {string} method such as "POST".
 * @param {string} path
 * @param {?(FormData|Object)} body a form, or an object that is sent as JSON.
 * @param {?AbortSignal} signal cancels the request.
 * @returns {Promise<Response>} with a status of success.
 * @throws {RequestError} the server refuses it, or cannot be reached.
 */
export async function request(method, path, body = null, signal = null) {
  for (let attempt = 1; ; attempt++) {
    const key = sessionStorage.getItem(STORED);
    const response = await send(method, path, body, signal, key);
    if (response.ok) return response;
    const error = await readError(response);
    if (error.status === 401) {
      // Another request may have got a key while this one was under way.
      if (sessionStorage.getItem(STORED) === key) {
        const given = await askForKey();
        if (!given) throw error;
        sessionStorage.setItem(STORED, given);
      }
    } else if (error.status === 503 && attempt < ATTEMPTS) {
      const seconds = Number(response.headers.get("Retry-After")) || 1;
      await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
    } else {
      throw error;
    }
  }
}

/** Like `request`, for the JSON in the response. */
export async function requestJson(method, path, body = null, signal = null) {
  return (await request(method, path, body, signal)).json();
}

/**
 * Send a request that is answered by lines of JSON.
 * @param {string} path
 * @param {FormData} body
 * @param {AbortSignal} signal cancels the request.
 * @param {function(Object)} take gets every line but the last.
 * @returns {Promise<Object>} the last line.
 * @throws {RequestError} the server refuses it, cannot be reached, or reports an error in a line.
 */
export async function requestLines(path, body, signal, take) {
  const response = await request("POST", path, body, signal);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let last = null;
  for (;;) {
    const { done, value } = await reader.read().catch((error) => {
      if (error.name === "AbortError") throw error;
      throw new RequestError("", 0, "unreachable");
    });
    if (done) break;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      if (last !== null) take(last);
      last = JSON.parse(line);
      if (last.error) throw new RequestError(last.error.message, 400, last.error.code);
    }
  }
  if (last === null || rest) throw new RequestError("", 0, "unreachable"); // cut off
  return last;
}

/**
 * Open the WebSocket for live audio. Browsers cannot send a header with it, so the key is the name
 * of a subprotocol, which the server does not choose.
 * @returns {WebSocket} of binary messages and JSON in the protocol of vosk-server.
 */
export function openSocket() {
  const address = new URL("/", location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  const key = sessionStorage.getItem(STORED);
  return new WebSocket(address, key === null ? [] : ["asr", `asr.key.${toBase64Url(key)}`]);
}

async function send(method, path, body, signal, key) {
  const headers = key === null ? {} : { Authorization: `Bearer ${key}` };
  if (body !== null && !(body instanceof FormData)) {
    headers["Content-Type"] = "application/json";
    body = JSON.stringify(body);
  }
  try {
    return await fetch(path, { method, headers, body, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new RequestError("", 0, "unreachable");
  }
}

async function readError(response) {
  const body = await response.json().catch(() => ({}));
  const { error } = body;
  return new RequestError(error?.message ?? "", response.status, error?.code ?? null, body);
}

function toBase64Url(key) {
  return btoa(key).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
