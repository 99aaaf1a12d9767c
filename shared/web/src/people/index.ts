/** The pages about people, tablets, sessions and API tokens of both programs. They come after the first load. */
export * from "./PeopleTabs";
export { PeopleProvider, type Program } from "./program";
export { peopleTexts } from "./texts";
export type * from "./types";
