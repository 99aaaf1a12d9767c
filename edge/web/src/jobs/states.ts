export { cancellable, countStates, ended, retryable, shownStates, type StateCounts } from "@obedio/web";
