/** Under which Background Sync knows the queue. */
export const syncTag = "obedio-actions";
