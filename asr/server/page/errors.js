/** Errors in words. */

import { RequestError } from "./api_client.js";
import { text } from "./interface_texts.js";

/** What is wrong, for the user. Reasons of the server are in English. */
export function reason(error) {
  if (!(error instanceof RequestError)) return String(error.message ?? error);
  if (error.status === 0) return text("unreachable");
  return error.message || text("refused", { status: error.status });
}
